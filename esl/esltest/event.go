package esltest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// header is a name and its value.
type header struct{ name, value string }

// event is one FreeSWITCH event. It is built under the switch's lock, and does not
// change once it is fired.
type event struct {
	name     string
	subclass string
	headers  []header
	body     string

	once  sync.Once
	bytes []byte
}

func (e *event) add(name, value string) {
	e.headers = append(e.headers, header{name, value})
}

// addIf adds a header, unless it is empty: FreeSWITCH leaves it out then.
func (e *event) addIf(name, value string) {
	if value != "" {
		e.add(name, value)
	}
}

// get returns the first header of that name. Names are compared without case
// (switch_event.c, switch_event_get_header_ptr).
func (e *event) get(name string) (string, bool) {
	for _, h := range e.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	return "", false
}

// plain writes the headers with their values percent-encoded, then an empty
// line or the body (switch_event.c, switch_event_serialize).
func (e *event) plain() []byte {
	var b []byte
	for _, h := range e.headers {
		b = append(b, h.name...)
		b = append(b, ": "...)
		if h.value == "" {
			b = append(b, "_undef_"...)
		}
		b = appendEncoded(b, h.value)
		b = append(b, '\n')
	}
	if e.body != "" {
		b = fmt.Appendf(b, "Content-Length: %d\n\n%s", len(e.body), e.body)
		return b
	}
	return append(b, '\n')
}

// bracketed writes the headers as `uuid_dump <uuid> plain` does.
func (e *event) bracketed() string {
	var b strings.Builder
	for _, h := range e.headers {
		fmt.Fprintf(&b, "%s: [%s]\n", h.name, h.value)
	}
	return b.String() + "\n"
}

// frame is the whole text/event-plain message. It is made once for all listeners.
func (e *event) frame() []byte {
	e.once.Do(func() {
		body := e.plain()
		e.bytes = fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n", len(body))
		e.bytes = append(e.bytes, body...)
	})
	return e.bytes
}

const urlUnsafe = "\r\n #%&+:;<=>?@[\\]^`{|}\""

// appendEncoded percent-encodes value. A `%` before two upper-case hex digits is not
// encoded, so `%41` arrives as another text (switch_utils.c, switch_url_encode_opt
// without double_encode).
func appendEncoded(b []byte, value string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(value); i++ {
		c := value[i]
		escaped := c == '%' && i+2 < len(value) &&
			strings.IndexByte(hex, value[i+1]) >= 0 && strings.IndexByte(hex, value[i+2]) >= 0
		if !escaped && (c < ' ' || c > '~' || strings.IndexByte(urlUnsafe, c) >= 0) {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}

// decodeURL undoes percent-encoding where it is well formed (switch_url_decode).
func decodeURL(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// newEvent makes an event with the headers that every event has (switch_event.c,
// switch_event_prep_for_delivery_detailed). It takes a sequence number even if
// nobody listens.
func (s *Switch) newEvent(name string) *event {
	s.sequence++
	now := s.tick()
	e := &event{name: name, headers: make([]header, 0, 128)}
	e.add("Event-Name", name)
	e.add("Core-UUID", s.core)
	e.add("FreeSWITCH-Hostname", s.options.Name)
	e.add("FreeSWITCH-Switchname", s.options.Name)
	e.add("FreeSWITCH-IPv4", "127.0.0.1")
	e.add("FreeSWITCH-IPv6", "::1")
	e.add("Event-Date-Local", now.Format(time.DateTime))
	e.add("Event-Date-GMT", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	e.add("Event-Date-Timestamp", stamp(now))
	from, known := sources[name]
	if !known {
		from = source{"switch_core_session.c", "switch_core_session_exec", "3014"}
	}
	e.add("Event-Calling-File", from.file)
	e.add("Event-Calling-Function", from.function)
	e.add("Event-Calling-Line-Number", from.line)
	e.add("Event-Sequence", strconv.FormatUint(s.sequence, 10))
	return e
}

// fire gives an event to every connection that subscribed to it. The caller holds
// the lock.
func (s *Switch) fire(e *event) {
	s.firing(e)
	for l := range s.listeners {
		if l.wantsEvent(e) {
			l.push(e)
		}
	}
}

// anyoneWants reports whether any connection subscribed to such events. If none did,
// the event need not be built.
func (s *Switch) anyoneWants(name, subclass string) bool {
	for l := range s.listeners {
		if l.subscribed(name, subclass) {
			return true
		}
	}
	return false
}

// stamp writes a time as FreeSWITCH does: microseconds since 1970, 0 for never.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
