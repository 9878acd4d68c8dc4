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

// newReply takes the body over and copies the head. The answer to connect is
// an event (mod_event_socket.c, parse_command); any other reply is written with
// switch_snprintf, and its text is not encoded.
func newReply(f frame, maxHeaders int) (Reply, error) {
	encoded := bytes.HasPrefix(f.head, []byte("Event-Name:"))
	e, err := newEvent(bytes.Clone(f.head), encoded, maxHeaders)
	return Reply{event: e, body: f.body, api: f.kind == kindAPI}, err
}

// OK reports whether FreeSWITCH said +OK. An api command that answers with
// data (uuid_getvar, show) says neither +OK nor -ERR: read Text.
func (r Reply) OK() bool { return strings.HasPrefix(r.Text(), "+OK") }

// Text is what FreeSWITCH said, without space around it.
func (r Reply) Text() string { return strings.TrimSpace(r.Raw()) }

// Raw is what FreeSWITCH said, exactly: the Reply-Text, or the body of an api
// command's answer.
func (r Reply) Raw() string {
	if r.api {
		return string(r.body)
	}
	return r.event.Get("Reply-Text")
}

// Err is nil if OK, else an error that quotes the reply in one short line.
// -USAGE and -ERR are both failures.
func (r Reply) Err() error { return prefixed(r.failure()) }

func (r Reply) failure() error {
	if r.OK() {
		return nil
	}
	return fmt.Errorf("FreeSWITCH replied %q", clip(r.Text()))
}

// Event is the reply's headers: the channel's data if the command was Connect.
func (r Reply) Event() *Event { return r.event }
