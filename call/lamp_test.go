package call

import (
	"context"
	"strings"
	"testing"
	"time"

	"tapedeck/esl"
)

// watch is another program on the event socket.
func (fx *fixture) watch(subscribe ...string) <-chan *esl.Event {
	fx.Helper()
	address, err := fx.sw.Listen("127.0.0.1:0")
	fx.must(err)
	events, up := make(chan *esl.Event, 100), make(chan struct{}, 16)
	link := &esl.Link{Name: "watcher", Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: subscribe,
		OnConnect: func(context.Context, *esl.Conn) error { up <- struct{}{}; return nil },
		OnEvent:   func(ev *esl.Event) { events <- ev }}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = link.Run(ctx) }()
	fx.Cleanup(func() { stop(); <-done })
	<-up
	return events
}

// event is the next event.
func (fx *fixture) event(events <-chan *esl.Event) *esl.Event {
	fx.Helper()
	select {
	case ev := <-events:
		return ev
	case <-time.After(5 * time.Second):
		fx.Fatal("no event comes")
		return nil
	}
}

// wantNext checks a header of the next events, one value for each.
func (fx *fixture) wantNext(events <-chan *esl.Event, header string, want ...string) {
	fx.Helper()
	for _, w := range want {
		ev := fx.event(events)
		if got := ev.Get(header); got != w {
			fx.Errorf("%s is %q, want %q", header, got, w)
		}
	}
}

// TestStateEvents: each change is reported to other programs and set on both legs.
func TestStateEvents(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	events := fx.watch(stateSubclass)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantState(d, "on")
	fx.pressCode(d)
	fx.wantState(a, "paused")
	fx.wantState(d, "paused")
	a.Hangup("")
	fx.settle()
	var states []string // each once: a state is reported again when a leg has come
	for len(states) == 0 || states[len(states)-1] != "off" {
		if state := fx.event(events).Get("Tapedeck-State"); len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
	}
	if got := strings.Join(states, " "); got != "on paused off" {
		t.Errorf("reported %s", got)
	}
}

// TestLamps: the user's lamp follows the call, and goes dark when the user
// leaves it.
func TestLamps(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	lamps := fx.watch("PRESENCE_IN")
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantNext(lamps, "answer-state", "confirmed")
	fx.pressCode(d)
	fx.wantNext(lamps, "answer-state", "early")
	fx.pressCode(d)
	fx.wantNext(lamps, "Unique-ID", a.UUID()) // a live leg, or FreeSWITCH shows dave's call instead
	a = d.BlindTransfer("1005")
	fx.enter(a)
	fx.answer(fx.ring(a, "1005"))
	for want := map[string]string{"record+1004@acme.example.net": "terminated", "record+1005@acme.example.net": "confirmed"}; len(want) > 0; {
		ev := fx.event(lamps)
		if from := ev.Get("from"); want[from] != ev.Get("answer-state") {
			t.Errorf("%s is %s", from, ev.Get("answer-state"))
		}
		if leg := ev.Get("Unique-ID"); (leg == "") != (ev.Get("answer-state") == "terminated") {
			t.Errorf("a lamp that is %s is about the leg %q", ev.Get("answer-state"), leg)
		}
		delete(want, ev.Get("from"))
	}
	a.Hangup("")
	fx.settle()
	fx.wantNext(lamps, "answer-state", "terminated")
}

// TestProbe: a phone that begins to watch a lamp gets its state.
func TestProbe(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	lamps := fx.watch("PRESENCE_IN")
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantNext(lamps, "answer-state", "confirmed")
	probe := func(to string) {
		fx.must(a.Execute("event", "Event-Name=PRESENCE_PROBE,proto=record,to="+to))
	}
	probe("record+1004@acme.example.net")
	fx.wantNext(lamps, "answer-state", "confirmed")
	probe("record+9999@acme.example.net") // nobody
	probe("1001@acme.example.net")        // another kind of lamp
	probe("record+1001@acme.example.net")
	fx.wantNext(lamps, "from", "record+1001@acme.example.net")
}

// TestLampAfterYield: after another instance has taken a call over, the user's lamp
// shows the next call.
func TestLampAfterYield(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	lamps := fx.watch("PRESENCE_IN")
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantNext(lamps, "answer-state", "confirmed")
	fx.ctl.ask(t.Context(), func(now time.Time) { fx.ctl.calls[a.UUID()].yield() })
	a.Hangup("")
	fx.settle()
	b := fx.inbound("+442079460001")
	e := fx.ring(b, "1004")
	fx.answer(e)
	fx.wantNext(lamps, "answer-state", "confirmed")
	fx.pressCode(e)
	fx.wantNext(lamps, "answer-state", "early")
	b.Hangup("")
	fx.wantNext(lamps, "answer-state", "terminated")
}
