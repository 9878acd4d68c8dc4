package esl

import (
	"bytes"
)

// An Event is a set of headers and perhaps a body: an event of FreeSWITCH, a
// channel's data, or the headers of a reply. Names have FreeSWITCH's spelling
// and are case-sensitive (variable_sip_h_X-Tag). Values are decoded. An Event
// never changes; several goroutines may read it.
type Event struct {
	text    []byte // as it came
	heads   []span
	body    int  // where in text the body starts
	encoded bool // values are percent-encoded
}

// span is one header's place in Event.text.
type span struct{ name, nameEnd, value, valueEnd uint32 }

// newEvent parses text and owns it from then on. FreeSWITCH percent-encodes the
// values of what switch_event_serialize writes: every event, and the channel data.
// The body is everything after the first blank line. An event's own Content-Length
// is not needed for that: FreeSWITCH measures the whole and the body with strlen
// (switch_event.c, switch_event_serialize), and an event that `sendevent` made has
// two of these headers.
func newEvent(text []byte, encoded bool, maxHeaders int) (*Event, error) {
	e := &Event{text: text, body: len(text), encoded: encoded}
	lines := min(bytes.Count(text, []byte{'\n'})+1, maxHeaders)
	e.heads = make([]span, 0, min(lines, 512))
	for at := 0; at < len(text); {
		line, rest := cutLine(text[at:])
		start := at
		at = len(text) - len(rest)
		if len(line) == 0 {
			e.body = at
			break
		}
		if len(e.heads) == maxHeaders {
			return nil, limitError("event with more than %d headers", maxHeaders)
		}
		name, value := splitHeader(line)
		end := start + len(line)
		e.heads = append(e.heads, span{uint32(start), uint32(start + len(name)), uint32(end - len(value)), uint32(end)})
	}
	return e, nil
}

// Name is the Event-Name. For CUSTOM, Subclass says which.
func (e *Event) Name() string { return e.Get("Event-Name") }

// Subclass is the Event-Subclass of a CUSTOM event.
func (e *Event) Subclass() string { return e.Get("Event-Subclass") }

// Get returns the value of a header, or "". If there are several of that name, it
// returns the first. A list is in FreeSWITCH's notation, ARRAY::a|:b.
func (e *Event) Get(header string) string {
	value, _ := e.find("", header)
	return value
}

// Variable returns the value of a channel variable, or "".
func (e *Event) Variable(name string) string {
	value, _ := e.find("variable_", name)
	return value
}

// size is about how many bytes of memory the event holds.
func (e *Event) size() int { return len(e.text) + 16*cap(e.heads) + 64 }

func (e *Event) find(prefix, name string) (string, bool) {
	if e == nil {
		return "", false
	}
	length := uint32(len(prefix) + len(name))
	for _, s := range e.heads {
		if s.nameEnd-s.name != length {
			continue
		}
		full := e.text[s.name:s.nameEnd]
		if string(full[:len(prefix)]) == prefix && string(full[len(prefix):]) == name {
			return e.value(s), true
		}
	}
	return "", false
}

// undefined is the text that FreeSWITCH writes for an empty value
// (switch_event_serialize), and in place of a variable that a channel does not have
// (mod_commands.c, uuid_getvar_function).
const undefined = "_undef_"

// value decodes a header's value. This is the only place that does.
func (e *Event) value(s span) string {
	raw := e.text[s.value:s.valueEnd]
	if !e.encoded {
		return string(raw)
	}
	if string(raw) == undefined {
		return ""
	}
	return decode(raw)
}

// decode undoes switch_url_encode: %XX is a byte, everything else is itself, also
// "+". FreeSWITCH does not encode a "%" that two hex digits follow, so nobody can
// tell such a value from an encoded one.
func decode(raw []byte) string {
	at := bytes.IndexByte(raw, '%')
	if at < 0 {
		return string(raw)
	}
	out := make([]byte, at, len(raw))
	copy(out, raw)
	for ; at < len(raw); at++ {
		c := raw[at]
		if c == '%' && at+2 < len(raw) && unhex[raw[at+1]] >= 0 && unhex[raw[at+2]] >= 0 {
			c = byte(unhex[raw[at+1]])<<4 | byte(unhex[raw[at+2]])
			at += 2
		}
		out = append(out, c)
	}
	return string(out)
}

// unhex is the value of each hex digit, and -1 for every other byte.
var unhex = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i := range 10 {
		t['0'+i] = int8(i)
	}
	for i := range 6 {
		t['a'+i], t['A'+i] = int8(10+i), int8(10+i)
	}
	return t
}()
