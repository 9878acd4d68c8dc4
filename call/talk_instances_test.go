package call

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// TestPickUpToldLate: the call of the picking user belongs to another instance, and what
// that has told his leg arrives after what the owner of the outside party's call has. When
// the other instance has noticed the pick-up, the owner tells the leg again.
func TestPickUpToldLate(t *testing.T) {
	fx, one, two, inTwo := twoInstances(t)
	a := fx.parkedCall("+442079460001")
	inTwo()
	x := fx.from("1005", "6001")
	fx.settle()
	waits := make(chan struct{})
	two.post(func(time.Time) { <-waits })
	x.PickUpParked(a)
	fx.ctl = one
	fx.settle()
	fx.wantState(x, "on")
	x.Set("tapedeck_state", "off") // what the other instance had sent before
	close(waits)
	fx.waitState(x, "on")
	fx.toldTrue()
	a.Hangup("")
	fx.settle()
}

// TestJoinedWhileNobodyFollowed: the picking user's call has dissolved at another instance
// while nobody followed the outside party's call. Whoever takes that over finds it out.
func TestJoinedWhileNobodyFollowed(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	fx.settle()
	fx.restart(p, func() {
		x.PickUpParked(a)
		x.Set(handover.Variable, "")
		x.Set("tapedeck_call", a.UUID())
	})
	fx.waitState(x, "on")
	if got := fx.log.Lines("user came with a call of his own"); len(got) != 1 || !strings.Contains(got[0], "other="+x.UUID()) {
		t.Errorf("the log says %q", got)
	}
	a.Hangup("")
	fx.settle()
}

// TestMarkerWhileItIsAsked: the call of the picking user belongs to another instance, and
// is paused just before that notices the pick-up. It leaves the marker of the Record key
// alone: the owner of the outside party's call would take its end for a press.
func TestMarkerWhileItIsAsked(t *testing.T) {
	fx, one, two, inTwo := twoInstances(t)
	a := fx.parkedCall("+442079460001")
	inTwo()
	x := fx.from("1001", "6001") // alice is recorded
	x.Answer()
	fx.settle()
	fx.wantState(x, "on")
	waits := make(chan struct{})
	two.post(func(now time.Time) {
		<-waits
		two.calls[x.UUID()].happened(toggle.Fact{What: toggle.Stands, Person: toggle.TurnedOff}, now)
	})
	x.PickUpParked(a)
	fx.ctl = one
	fx.settle()
	close(waits)
	fx.ctl = two
	fx.settle()
	fx.ctl = one
	fx.settle()
	if n := fx.meter.get("toggle record_key ok"); n != 0 {
		t.Errorf("%d presses of the Record key", n)
	}
	fx.wantState(a, "on")
	if fx.pressKey(x, false); fx.meter.get("toggle record_key ok") != 1 {
		t.Error("a press of the Record key is not taken")
	}
	fx.wantState(a, "paused")
	a.Hangup("")
	fx.settle()
}

// TestJoinedIsToldLate: the leg of the picking user has said nothing of a call when the
// owner of the other call asked. The other instance, which follows that call, tells it
// when the call has dissolved, once or twice.
func TestJoinedIsToldLate(t *testing.T) {
	fx, one, _, _ := twoInstances(t)
	a := fx.parkedCall("+442079460001")
	x := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", Variables: map[string]string{"user_name": "1001", "domain_name": "acme.example.net"}})
	x.PickUpParked(a)
	fx.settle()
	joined := "user came with a call of his own"
	if got := fx.log.Lines(joined); len(got) != 0 {
		t.Fatalf("the log says %q before it is told", got)
	}
	for range 2 {
		fx.ctl.ask(t.Context(), func(now time.Time) { talks{one}.dissolvedElsewhere(dissolvedEvent{x.UUID(), a.UUID()}, now) })
	}
	if got := fx.log.Lines(joined); len(got) != 1 || !strings.Contains(got[0], "other="+x.UUID()) {
		t.Errorf("the log says %q", got)
	}
	a.Hangup("")
	fx.settle()
}

// TestOutgoingCallPickedUpUnseen: the owner of an outgoing call has not heard yet that the
// outside party has answered when another user picks that party up, whose call belongs to
// another instance. So the snapshot on the outside party's leg does not say that it is the
// anchor.
func TestOutgoingCallPickedUpUnseen(t *testing.T) {
	fx, one, two, inTwo := twoInstances(t)
	a := fx.from("1001", "07700900123")
	b := a.Dial(esltest.Leg{Destination: "07700900123", ToneHz: 400})
	fx.settle()
	waits := make(chan struct{})
	hears := sync.OnceFunc(func() { close(waits) })
	defer hears()
	one.post(func(time.Time) { <-waits })
	b.Answer()
	inTwo()
	x := fx.from("1003", "6001")
	x.Intercept(b)
	if !testkit.Happens(time.Second, func() bool { return !two.followsNow(x.UUID()) }) {
		t.Error("the picking user's call goes on")
	}
	hears()
	for _, fx.ctl = range []*Controller{one, two, one} {
		fx.settle()
	}
	fx.toldTrue()
	if files := recordedInto(x); len(files) != 1 || !strings.Contains(files[0], a.UUID()) {
		t.Errorf("the picking user is written into %q", files)
	}
	b.Hangup("")
	fx.settle()
}

// dissolvedEvent is the event that the picking user's call, and leg, is part of another call.
type dissolvedEvent struct{ leg, into string }

func (e dissolvedEvent) Get(header string) string {
	return map[string]string{"Tapedeck-Call": e.into, "Tapedeck-Dissolved": e.leg, "Tapedeck-Leg": e.leg}[header]
}

func (dissolvedEvent) Variable(string) string { return "" }

// twoInstances are two controllers on one FreeSWITCH. The fixture's own is the first
// one, until inTwo makes it the second.
func twoInstances(t *testing.T) (fx *fixture, one, two *Controller, inTwo func()) {
	t.Helper()
	return twoInstancesWith(t, pressPolicy(t))
}

func twoInstancesWith(t *testing.T, p *flow.Policy) (fx *fixture, one, two *Controller, inTwo func()) {
	t.Helper()
	fx = newFixtureWith(t, p)
	fx.settle()
	fx.stop()
	one, socketOne := fx.start(fx.address, Config{Policy: testPolicyOf(p), Calls: named{name: "one"}, Index: noIndex{}, Archive: noArchive{}})
	stopOne := fx.stop
	two, socketTwo := fx.start(fx.address, Config{Policy: testPolicyOf(p), Calls: named{name: "two"}, Index: noIndex{}, Archive: noArchive{}})
	stopTwo := fx.stop
	fx.stop = func() { stopOne(); stopTwo() }
	fx.ctl, fx.socket = one, socketOne
	return fx, one, two, func() { fx.ctl, fx.socket = two, socketTwo }
}

// TestJoinedOnce: that a user has come with a call of his own is found out in two ways, of
// which either may be first. It is noted once.
func TestJoinedOnce(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	fx.settle()
	var notes []recording.Note
	fx.ctl.ask(context.Background(), func(now time.Time) {
		c := fx.ctl.calls[a.UUID()]
		c.talk.meetTheirs("leg", met{call: "other", org: c.route.org.ID, anchored: true}, now)
		c.talk.meetTheirs("leg", met{call: "other", org: c.route.org.ID, anchored: true}, now)
		notes = slices.DeleteFunc(slices.Clone(c.trace), func(n recording.Note) bool { return n.What != recording.NoteJoined })
	})
	if len(notes) != 1 {
		t.Errorf("it is noted as %v", notes)
	}
	a.Hangup("")
	fx.settle()
}
