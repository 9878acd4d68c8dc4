package esltest_test

import (
	"bufio"
	"net"
	"testing"
	"time"
)

// link is an inbound connection whose commands a test sends one by one.
type link struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	got  capture
}

func dial(t *testing.T, address string) *link {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &link{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// send writes a command without waiting.
func (l *link) send(command string) {
	l.t.Helper()
	if _, err := l.conn.Write([]byte(command)); err != nil {
		l.t.Fatal(err)
	}
}

// reply reads up to the next frame that is no event, and keeps the events.
func (l *link) reply() message {
	l.t.Helper()
	for {
		m, err := readMessage(l.in)
		if err != nil {
			l.t.Fatalf("waiting for a reply: %v", err)
		}
		l.got.add(m)
		if m.get("Content-Type") != "text/event-plain" {
			return m
		}
	}
}

// ask sends a command and returns the reply: the body, or the Reply-Text.
func (l *link) ask(command string) string {
	l.t.Helper()
	l.send(command + "\n\n")
	m := l.reply()
	if m.get("Content-Type") == "api/response" {
		return m.body
	}
	return m.get("Reply-Text")
}

// event reads events up to one of that name.
func (l *link) event(name string) happened {
	l.t.Helper()
	for {
		m, err := readMessage(l.in)
		if err != nil {
			l.t.Fatalf("waiting for %s: %v", name, err)
		}
		l.got.add(m)
		if m.get("Content-Type") != "text/event-plain" {
			l.t.Fatalf("waiting for %s: a reply nobody asked for: %q", name, m.raw)
		}
		if e := decodeEvent(m.body); e.get("Event-Name") == name {
			return e
		}
	}
}

// drain returns the events so far: it fires an event, and returns all before it.
func (l *link) drain() []happened {
	l.t.Helper()
	const mark = "esltest::mark"
	l.ask("event plain CUSTOM " + mark)
	l.ask("sendevent CUSTOM\nEvent-Subclass: " + mark)
	for {
		if l.event("CUSTOM").get("Event-Subclass") == mark {
			return l.got.events[:len(l.got.events)-1]
		}
	}
}
