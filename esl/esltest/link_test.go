package esltest_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// rest is everything that still comes on a connection.
func rest(t *testing.T, l *link) string {
	t.Helper()
	b, err := io.ReadAll(l.in)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

const bye = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\n" +
	"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"

func TestAuthentication(t *testing.T) {
	sw := esltest.New(esltest.Options{Password: "secret"})
	t.Cleanup(func() { sw.Close() })
	address := listen(t, sw)
	tests := []struct{ commands, want string }{
		{"show x\n\nexit\n\n", "Content-Type: command/reply\nReply-Text: -ERR command not found\n\n" +
			"Content-Type: command/reply\nReply-Text: +OK bye\n\n" + bye},
		{"auth wrong\n\n", "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n" + bye},
		{"auth secret\n\nexit\n\n", "Content-Type: command/reply\nReply-Text: +OK accepted\n\n" +
			"Content-Type: command/reply\nReply-Text: +OK bye\n\n" + bye},
		{"\r\n\nauth secret\r\n\r\nexit\n\n", "Content-Type: command/reply\nReply-Text: +OK accepted\n\n" +
			"Content-Type: command/reply\nReply-Text: +OK bye\n\n" + bye},
	}
	for _, test := range tests {
		l := dial(t, address)
		l.send(test.commands)
		if got, want := rest(t, l), "Content-Type: auth/request\n\n"+test.want; got != want {
			t.Errorf("%q: %q, want %q", test.commands, got, want)
		}
	}
}

func TestRejections(t *testing.T) {
	sw := esltest.New(esltest.Options{})
	t.Cleanup(func() { sw.Close() })
	address := listen(t, sw)
	sw.RejectRudely(true)
	if got := rest(t, dial(t, address)); got != "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n" {
		t.Errorf("%q", got)
	}
	sw.RejectRudely(false)
	sw.RefuseAuth(true)
	l := dial(t, address)
	l.reply()
	if got := l.ask("auth ClueCon"); got != "-ERR invalid" {
		t.Error(got)
	}
	sw.RefuseAuth(false)
	login(t, address)
	sw.StopListening()
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

// TestReplyBeforeEvents: the events of a command come after its reply, as in the
// captures.
func TestReplyBeforeEvents(t *testing.T) {
	sw, l := newSwitch(t)
	for range 50 {
		c := caller(sw)
		l.event("CHANNEL_CREATE")
		l.send("api uuid_kill " + c.UUID() + "\n\n")
		m, err := readMessage(l.in)
		if err != nil || m.body != "+OK\n" {
			t.Fatalf("%q, %v", m.raw, err)
		}
		l.event("CHANNEL_HANGUP_COMPLETE")
		l.event("CHANNEL_DESTROY")
	}
}

// TestPipelined: several commands in one write get one reply each, in order.
func TestPipelined(t *testing.T) {
	sw, l := newSwitch(t)
	c := caller(sw)
	l.drain()
	l.send("api uuid_setvar " + c.UUID() + " a 1\n\napi uuid_getvar " + c.UUID() + " a\n\nnonsense\n\napi uuid_exists " + c.UUID() + "\n\n")
	for _, want := range []string{"+OK\n", "1", "", "true"} {
		if m := l.reply(); m.body != want {
			t.Errorf("%q, want %q", m.raw, want)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	sw := esltest.New(esltest.Options{})
	t.Cleanup(func() { sw.Close() })
	l := login(t, listen(t, sw))
	l.ask("event plain CHANNEL_CREATE CHANNEL_DESTROY CUSTOM one::a")
	l.ask("nixevent CHANNEL_DESTROY")
	l.ask("sendevent CUSTOM\nEvent-Subclass: two::b")
	l.ask("filter Caller-Destination-Number 2000")
	sw.Incoming(esltest.Leg{Number: "1", Destination: "2001"}).Hangup("")
	caller(sw).Hangup("")
	l.ask("filter delete all")
	var got []string
	for _, e := range l.drain() {
		got = append(got, e.get("Event-Name")+" "+e.get("Caller-Destination-Number"))
	}
	if len(got) != 1 || got[0] != "CHANNEL_CREATE 2000" {
		t.Errorf("%q", got)
	}
}

func TestFaults(t *testing.T) {
	sw, l := newSwitch(t)
	dir := t.TempDir()
	a := caller(sw)
	a.Answer()
	start := "uuid_record " + a.UUID() + " start " + dir + "/a.wav"
	sw.FailNext("uuid_record", "-ERR Cannot record session!\n")
	if got := l.ask("api " + start); got != "-ERR Cannot record session!\n" {
		t.Error(got)
	}
	if got := l.ask("api " + start); got != "+OK Success\n" {
		t.Error(got)
	}
	sw.Fail(func(command, args string) (string, bool) {
		return "-ERR no\n", command == "uuid_record" && strings.Contains(args, " mask ")
	})
	if got := l.ask("api uuid_record " + a.UUID() + " mask " + dir + "/a.wav"); got != "-ERR no\n" {
		t.Error(got)
	}
	if got := l.ask("api uuid_record " + a.UUID() + " unmask " + dir + "/a.wav"); got != "+OK Success\n" {
		t.Error(got)
	}
	sw.Fail(nil)
	sw.FailNext("app/record_session", "")
	b := caller(sw)
	b.Set("execute_on_answer", "record_session "+dir+"/b.wav")
	b.Answer()
	sw.FailNext("uuid_record", "-ERR Cannot record session!\n") // commands in variables fail too
	c := caller(sw)
	c.Set("api_on_answer", "uuid_record "+c.UUID()+" start "+dir+"/c.wav")
	c.Answer()
	if n := len(names(l.drain(), "RECORD_START")); n != 1 {
		t.Errorf("%d recordings started, want 1", n)
	}
	sw.DelayReplies(50 * time.Millisecond)
	before := time.Now()
	if l.ask("api version short"); time.Since(before) < 50*time.Millisecond {
		t.Error("the reply is not late")
	}
}

func TestCuts(t *testing.T) {
	sw, l := newSwitch(t)
	sw.CutFrame(20)
	l.send("api version short\n\n")
	if got := rest(t, l); got != "Content-Type: api/re" {
		t.Errorf("%q", got)
	}
	address := listen(t, sw)
	one, two := login(t, address), login(t, address)
	two.ask("event plain ALL")
	testkit.Until(t, "two links are left", func() bool { return sw.Links() == 2 })
	sw.DropLinks()
	if a, b := rest(t, one), rest(t, two); a+b != "" {
		t.Errorf("%q %q", a, b)
	}
	three := login(t, address)
	three.ask("event plain CHANNEL_CREATE")
	sw.CutFrame(30)
	caller(sw)
	if got := rest(t, three); len(got) != 30 {
		t.Errorf("%q", got)
	}
}
