package esltest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// header is one name and value, in the order FreeSWITCH keeps them.
type header struct{ name, value string }

// event is one FreeSWITCH event. It is built under the switch's lock and not
// changed once it is fired.
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

// addIf adds what FreeSWITCH leaves out when it is empty.
func (e *event) addIf(name, value string) {
	if value != "" {
		e.add(name, value)
	}
}

// get is the first header of that name; names are compared without case
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

// frame is the whole text/event-plain message, made once for all listeners.
func (e *event) frame() []byte {
	e.once.Do(func() {
		body := e.plain()
		e.bytes = fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n", len(body))
		e.bytes = append(e.bytes, body...)
	})
	return e.bytes
}

const urlUnsafe = "\r\n #%&+:;<=>?@[\\]^`{|}\""

// appendEncoded percent-encodes value. A `%` that two upper-case hex digits
// follow is left alone, so that `%41` does not survive a round trip
// (switch_utils.c, switch_url_encode_opt without double_encode).
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

// source is where in FreeSWITCH's sources an event comes from; it is in every
// event and nothing should rely on it.
type source struct{ file, function, line string }

var sources = map[string]source{
	"CHANNEL_DATA":            {"mod_event_socket.c", "parse_command", "2021"},
	"CHANNEL_CREATE":          {"switch_core_state_machine.c", "switch_core_session_run", "626"},
	"CHANNEL_ANSWER":          {"switch_channel.c", "switch_channel_perform_mark_answered", "3849"},
	"CHANNEL_PROGRESS":        {"switch_channel.c", "switch_channel_perform_mark_ring_ready_value", "3505"},
	"CHANNEL_PROGRESS_MEDIA":  {"switch_channel.c", "switch_channel_perform_mark_pre_answered", "3561"},
	"CHANNEL_BRIDGE":          {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1689"},
	"CHANNEL_UNBRIDGE":        {"switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", "1879"},
	"CHANNEL_HANGUP":          {"switch_channel.c", "switch_channel_perform_hangup", "3468"},
	"CHANNEL_HANGUP_COMPLETE": {"switch_core_state_machine.c", "switch_core_session_reporting_state", "943"},
	"CHANNEL_DESTROY":         {"switch_core_session.c", "switch_core_session_perform_destroy", "1590"},
	"CHANNEL_PARK":            {"switch_ivr.c", "switch_ivr_park", "1002"},
	"CHANNEL_UNPARK":          {"switch_ivr.c", "switch_ivr_park", "1109"},
	"CHANNEL_HOLD":            {"switch_channel.c", "switch_channel_mark_hold", "5180"},
	"CHANNEL_UNHOLD":          {"switch_channel.c", "switch_channel_mark_hold", "5180"},
	"RECORD_START":            {"switch_ivr_async.c", "record_callback", "1481"},
	"RECORD_STOP":             {"switch_ivr_async.c", "send_record_stop_event", "1240"},
	"DTMF":                    {"switch_channel.c", "switch_channel_dequeue_dtmf", "677"},
}

// newEvent starts an event with the headers that every event has
// (switch_event.c, switch_event_prep_for_delivery_detailed). Its place in the
// sequence is taken even if nobody listens.
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

// fire hands an event to every connection that asked for it. The lock is held.
func (s *Switch) fire(e *event) {
	for l := range s.listeners {
		if l.wantsEvent(e) {
			l.push(e)
		}
	}
}

// heard reports whether any connection asked for such events, so that nobody's
// events are not built.
func (s *Switch) heard(name, subclass string) bool {
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

// eventNames are the names that `event plain` accepts (switch_event.c,
// EVENT_NAMES); other words are passed over in silence.
var eventNames = func() map[string]bool {
	names := map[string]bool{}
	for _, n := range strings.Fields(`CUSTOM CLONE CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE
		CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD
		CHANNEL_UNHOLD CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING
		CHANNEL_PARK CHANNEL_UNPARK CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN
		OUTBOUND_CHAN STARTUP SHUTDOWN PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF
		MESSAGE PRESENCE_IN NOTIFY_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC
		BACKGROUND_JOB DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE
		EXE_SCHEDULE RE_SCHEDULE RELOADXML NOTIFY PHONE_FEATURE PHONE_FEATURE_SUBSCRIBE SEND_MESSAGE RECV_MESSAGE
		REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED
		SEND_INFO RECV_INFO RECV_RTCP_MESSAGE SEND_RTCP_MESSAGE CALL_SECURE NAT RECORD_START RECORD_STOP
		PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP
		CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE TEXT
		SHUTDOWN_REQUESTED ALL`) {
		names[n] = true
	}
	return names
}()
