package esltest_test

import (
	"bufio"
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// relied are the headers that Tapedeck uses. They must have the same values as in the
// captures, and be absent where they are absent there.
var relied = []string{
	"Event-Name", "Event-Subclass", "Unique-ID", "Other-Leg-Unique-ID", "Other-Type", "Bridge-A-Unique-ID",
	"Bridge-B-Unique-ID", "Call-Direction", "Answer-State", "Channel-State", "Channel-Call-State", "Channel-Name",
	"Channel-Call-UUID", "Channel-HIT-Dialplan", "Channel-Presence-ID", "Caller-Destination-Number",
	"Caller-Caller-ID-Number", "Caller-Callee-ID-Number", "Caller-Context", "Caller-RDNIS",
	"Record-File-Path", "Record-Completion-Cause", "Hangup-Cause", "DTMF-Digit", "DTMF-Source",
	"variable_uuid", "variable_direction", "variable_call_uuid", "variable_dialed_user", "variable_dialed_domain",
	"variable_originator", "variable_api_on_answer", "variable_record_ms", "variable_record_samples",
	"variable_record_completion_cause", "variable_RECORD_DISCARDED", "variable_hangup_cause",
	"variable_endpoint_disposition", "variable_DIALSTATUS", "variable_originate_disposition", "variable_sip_from_host",
	"variable_sofia_profile_name", "variable_bridge_hangup_cause", "variable_last_bridge_to", "variable_bridge_uuid",
	"variable_force_transfer_context",
}

const spool = "/var/spool/tapedeck"

// stage is the replay of one capture.
type stage struct {
	*testing.T
	sw      *esltest.Switch
	capture capture // of the watch link
	entry   capture // of the outbound socket
	watch   *link
	next    int // index of the capture's next command
	dir     string
}

// newStage logs in and subscribes with the capture's own commands.
func newStage(t *testing.T, name string) *stage {
	st := &stage{T: t, capture: readCapture(t, name+".watch.txt"), dir: t.TempDir()}
	st.sw = esltest.New(esltest.Options{Clock: esltest.Manual, RecordTemplate: st.dir + "/reckey-${uuid}.wav"})
	t.Cleanup(func() { st.sw.Close() })
	address, err := st.sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	st.watch = dial(t, address)
	st.watch.reply() // auth/request
	st.command()     // auth
	st.command()     // event plain
	return st
}

// command sends the capture's next command and waits for its reply.
func (st *stage) command() {
	st.Helper()
	st.watch.send(strings.ReplaceAll(st.capture.sent[st.next], spool, st.dir))
	st.next++
	st.watch.reply()
}

// commands sends the capture's next n commands.
func (st *stage) commands(n int) {
	st.Helper()
	for range n {
		st.command()
	}
}

func (st *stage) talk(ms int) { st.sw.Talk(time.Duration(ms) * time.Millisecond) }

// outsider is the caller of the captures, as channel i.
func (st *stage) outsider(i int, destination string) *esltest.Channel {
	return st.sw.Incoming(esltest.Leg{UUID: st.capture.uuids[i], Profile: "external", Name: "Jo Caller",
		Number: "+442079460123", Destination: destination, ToneHz: 440,
		Variables: map[string]string{"hangup_after_bridge": "true"}})
}

// phone is a call that a user's phone makes, as channel i.
func (st *stage) phone(i int, user, destination string) *esltest.Channel {
	return st.sw.Incoming(esltest.Leg{UUID: st.capture.uuids[i], Profile: "internal", Number: user,
		Destination: destination, ToneHz: 880, Variables: map[string]string{"hangup_after_bridge": "true"}})
}

// ring dials a user's phone, as channel i.
func (st *stage) ring(from *esltest.Channel, i int, user string) *esltest.Channel {
	return from.Dial(esltest.Leg{UUID: st.capture.uuids[i], Profile: "internal", Destination: user, ToneHz: 880,
		Variables: map[string]string{"dialed_user": user, "dialed_domain": "127.0.0.1"}})
}

// socket plays the capture's controller on an outbound socket of c. It compares every
// byte of the replies, except for the channel's data.
func (st *stage) socket(c *esltest.Channel, name string) {
	st.Helper()
	st.entry = readCapture(st.T, name+".outbound.txt")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		st.Fatal(err)
	}
	defer ln.Close()
	got := make(chan []message, 1)
	go func() { got <- st.control(ln) }()
	stats, err := c.Socket(context.Background(), ln.Addr().String())
	if err != nil || !stats.Exit || stats.Commands != len(st.entry.sent) {
		st.Errorf("socket: %+v, %v; want exit after %d commands", stats, err, len(st.entry.sent))
	}
	messages := <-got
	if len(messages) != len(st.entry.replies) {
		st.Fatalf("socket: %d messages, the capture has %d", len(messages), len(st.entry.replies))
	}
	st.compareData(messages[0], st.entry.replies[0])
	for i := 1; i < len(messages); i++ {
		if messages[i].raw != st.entry.replies[i].raw {
			st.Errorf("socket: message %d:\n%q\nin the capture:\n%q", i, messages[i].raw, st.entry.replies[i].raw)
		}
	}
}

// control is the controller: it sends each of the captured commands, waits for a message
// after each, and reads to the end.
func (st *stage) control(ln net.Listener) (messages []message) {
	conn, err := ln.Accept()
	if err != nil {
		st.Error(err)
		return nil
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	for _, command := range st.entry.sent {
		conn.Write([]byte(strings.ReplaceAll(command, spool, st.dir)))
		m, err := readMessage(in)
		if err != nil {
			st.Errorf("controller: %v", err)
			return messages
		}
		messages = append(messages, m)
	}
	for {
		m, err := readMessage(in)
		if err != nil {
			return messages
		}
		messages = append(messages, m)
	}
}

// compareData compares the reply to connect: it must have the same headers in the same
// order, apart from variables, and the relied ones with the same values.
func (st *stage) compareData(got, want message) {
	st.Helper()
	g, w := decodeEvent(got.raw), decodeEvent(want.raw)
	st.compareHeaders("channel data", g, w)
	if mode := g.get("Socket-Mode"); mode != "static" { // as in all captures but 12
		st.Errorf("channel data: Socket-Mode is %q", mode)
	}
	for _, name := range []string{"Content-Type", "Reply-Text", "Control", "Channel-Unique-ID",
		"Channel-Destination-Number", "Channel-Caller-ID-Number", "variable_sip_from_user", "variable_sip_req_user",
		"variable_sip_to_user", "variable_sip_network_ip", "variable_current_application", "variable_socket_host"} {
		if g.get(name) != w.get(name) {
			st.Errorf("channel data: %s is %q, in the capture %q", name, g.get(name), w.get(name))
		}
	}
}

// compareHeaders asserts the names and the order of the headers that are no variables,
// and the values of the relied ones.
func (st *stage) compareHeaders(what string, got, want happened) {
	st.Helper()
	if g, w := plainNames(got), plainNames(want); !slices.Equal(g, w) {
		i := 0
		for i < len(g) && i < len(w) && g[i] == w[i] {
			i++
		}
		st.Errorf("%s: after %d headers\n%v\nin the capture\n%v", what, i, clip(g[i:]), clip(w[i:]))
	}
	for _, name := range relied {
		g := strings.ReplaceAll(got.get(name), st.dir, spool)
		w := want.get(name)
		if name == "Record-File-Path" {
			w = strings.Replace(w, "/dev/shm", spool, 1)
		}
		if g != w {
			st.Errorf("%s: %s is %q, in the capture %q", what, name, g, w)
		}
	}
}

// clip is the beginning of a list of names, for a message.
func clip(names []string) []string { return names[:min(len(names), 6)] }

// plainNames are the names of an event's headers without its variables.
func plainNames(e happened) (names []string) {
	for _, h := range e {
		if !strings.HasPrefix(h.name, "variable_") && strings.ToUpper(h.name[:1]) == h.name[:1] {
			names = append(names, h.name)
		}
	}
	return names
}

// finish compares everything that came on the watch link with the capture. With perLeg
// it compares the order only within each leg: the threads of the legs raced when the
// capture was made.
func (st *stage) finish(perLeg bool) {
	st.Helper()
	if st.next != len(st.capture.sent) {
		st.Errorf("%d of %d commands sent", st.next, len(st.capture.sent))
	}
	replies := st.watch.got.replies
	for i, want := range st.capture.replies {
		if i >= len(replies) || replies[i].raw != want.raw {
			st.Fatalf("reply %d is not the capture's %q", i, want.raw)
		}
	}
	got, want := st.watch.drain(), st.capture.events
	if perLeg {
		byLeg(got)
		byLeg(want)
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			st.Fatalf("event %d is missing: %s", i, want[i])
		case i >= len(want):
			st.Fatalf("event %d is one too many: %s", i, got[i])
		case got[i].String() != want[i].String():
			st.Fatalf("event %d is %s, in the capture %s", i, got[i], want[i])
		}
		st.compareHeaders("event "+want[i].String(), got[i], want[i])
	}
}

func byLeg(events []happened) {
	slices.SortStableFunc(events, func(a, b happened) int {
		return strings.Compare(a.get("Unique-ID"), b.get("Unique-ID"))
	})
}
