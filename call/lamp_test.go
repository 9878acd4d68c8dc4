package call

import (
	"context"
	"testing"

	"tapedeck/esl"
)

// watch is another program on the event socket.
func (l *lab) watch(subscribe ...string) <-chan *esl.Event {
	l.Helper()
	address, err := l.sw.Listen("127.0.0.1:0")
	l.must(err)
	events, up := make(chan *esl.Event, 100), make(chan struct{}, 16)
	link := &esl.Link{Name: "watcher", Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: subscribe,
		OnConnect: func(context.Context, *esl.Conn) error { up <- struct{}{}; return nil },
		OnEvent:   func(ev *esl.Event) { events <- ev }}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = link.Run(ctx) }()
	l.Cleanup(func() { stop(); <-done })
	<-up
	return events
}

// next is the next events' values of a header.
func (l *lab) next(events <-chan *esl.Event, header string, want ...string) {
	l.Helper()
	for _, w := range want {
		ev := <-events
		if got := ev.Get(header); got != w {
			l.Errorf("%s is %q, want %q", header, got, w)
		}
	}
}

// TestStateEvents: other programs are told of each change, and both legs say it.
func TestStateEvents(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	events := l.watch(stateSubclass)
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.state(d, "on")
	l.press(d)
	l.state(a, "paused")
	l.state(d, "paused")
	a.Hangup("")
	l.settle()
	l.next(events, "Tapedeck-State", "on", "on", "paused", "off") // the second one because dave has come
}

// TestLamps: the user's lamp follows the call, and goes dark when the user
// leaves it.
func TestLamps(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	lamps := l.watch("PRESENCE_IN")
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.next(lamps, "answer-state", "confirmed")
	l.press(d)
	l.next(lamps, "answer-state", "early")
	l.press(d)
	l.next(lamps, "answer-state", "confirmed")
	a = d.BlindTransfer("1005")
	l.enter(a)
	l.answer(l.ring(a, "1005"))
	for want := map[string]string{"record+1004@acme.example.net": "terminated", "record+1005@acme.example.net": "confirmed"}; len(want) > 0; {
		ev := <-lamps
		if from := ev.Get("from"); want[from] != ev.Get("answer-state") {
			t.Errorf("%s is %s", from, ev.Get("answer-state"))
		}
		delete(want, ev.Get("from"))
	}
	a.Hangup("")
	l.settle()
	l.next(lamps, "answer-state", "terminated")
}

// TestProbe: a phone that begins to watch is told how it is.
func TestProbe(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	lamps := l.watch("PRESENCE_IN")
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.next(lamps, "answer-state", "confirmed")
	probe := func(to string) {
		l.must(a.Execute("event", "Event-Name=PRESENCE_PROBE,proto=record,to="+to))
	}
	probe("record+1004@acme.example.net")
	l.next(lamps, "answer-state", "confirmed")
	probe("record+9999@acme.example.net") // nobody
	probe("1001@acme.example.net")        // another kind of lamp
	probe("record+1001@acme.example.net")
	l.next(lamps, "from", "record+1001@acme.example.net")
}
