package esl

import (
	"bytes"
	"fmt"
	"strings"
)

// A Reply is FreeSWITCH's answer to one Command.
type Reply struct {
	event *Event // the headers
	body  []byte // of api/response
	api   bool
}

// newReply makes a Reply of a frame. It copies the head, and owns the body from
// then on. The answer to connect is an event (mod_event_socket.c, parse_command);
// the headers of every other reply are not encoded.
func newReply(f frame, maxHeaders int) (Reply, error) {
	encoded := bytes.HasPrefix(f.head, []byte("Event-Name:"))
	e, err := newEvent(bytes.Clone(f.head), encoded, maxHeaders)
	return Reply{event: e, body: f.body, api: f.kind == kindAPI}, err
}

// OK reports whether the reply begins with +OK. An api command that answers with
// data (uuid_getvar, show) says neither +OK nor -ERR: read Value or Text.
func (r Reply) OK() bool { return strings.HasPrefix(r.Text(), "+OK") }

// Text is Raw without space at both ends.
func (r Reply) Text() string { return strings.TrimSpace(r.Raw()) }

// Value is the answer to uuid_getvar; "" if the channel has no such variable.
func (r Reply) Value() string {
	if text := r.Text(); text != undefined {
		return text
	}
	return ""
}

// Raw is the exact text of the reply: the Reply-Text, or the body of the answer to
// an api command.
func (r Reply) Raw() string {
	if r.api {
		return string(r.body)
	}
	return r.event.Get("Reply-Text")
}

// Err is nil if OK, and otherwise an error that quotes the reply in one short
// line. -USAGE and -ERR are both failures.
func (r Reply) Err() error { return prefixed(r.failure()) }

func (r Reply) failure() error {
	if r.OK() {
		return nil
	}
	return fmt.Errorf("FreeSWITCH replied %q", clip(r.Text()))
}

// Dump is the channel data that `uuid_dump` answers with. It is nil if the reply has
// none (mod_commands.c, uuid_dump_function).
func (r Reply) Dump() *Event {
	if !r.api || !bytes.HasPrefix(r.body, []byte("Event-Name:")) {
		return nil
	}
	e, err := newEvent(r.body, true, Limits{}.orDefaults().Headers)
	if err != nil {
		return nil
	}
	return e
}

// Event is the reply's headers: the channel's data if the command was Connect.
func (r Reply) Event() *Event { return r.event }
