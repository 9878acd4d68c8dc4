package call

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// sayNotStarted checks that the sidecar of a call is written, and says that its file did
// not start.
func (d *describing) sayNotStarted(t *testing.T, call string) {
	t.Helper()
	if s, written := d.of(call); !written || !slices.Contains(s.Problems, "not started") {
		t.Errorf("the sidecar is written: %t, with the problems %q", written, s.Problems)
	}
}

// TestDissolvedWithoutAStart: the disk was full when the picking user's leg was answered,
// and FreeSWITCH has left an empty file. His call dissolves before that is noticed: its
// sidecar says so.
func TestDissolvedWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001") // alice is recorded
	fx.settle()
	fx.sw.FailWrites(x.Get("tapedeck_file"), 0)
	x.Answer()
	fx.settle()
	x.PickUpParked(a)
	fx.settle()
	sidecars.sayNotStarted(t, x.UUID())
	a.Hangup("")
	fx.settle()
}

// TestDissolvedWithoutAPacket: the file of the picking user's call ends before its first
// packet. The call is over when FreeSWITCH has stopped it: nothing is waited for.
func TestDissolvedWithoutAPacket(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	fx.settle()
	x.PickUpParked(a)
	fx.until("the file is stopped", func() bool { return fx.meter.get("stop ok") == 1 })
	stopped, left := time.Now(), -1
	fx.until("the call that has dissolved is over", func() bool {
		fx.ctl.ask(context.Background(), func(time.Time) { left = len(fx.ctl.dissolved) })
		return left == 0
	})
	if late := time.Since(stopped); late >= startDeadline {
		t.Errorf("the call that has dissolved is over only after %v", late)
	}
	a.Hangup("")
	fx.settle()
}

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

// TestGuestWithoutAStart: the disk was full when the leg of a user was answered in whose
// conference room an outside party is. FreeSWITCH has left an empty file, and the
// sidecar says so.
func TestGuestWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	r := &conferenceRoom{fixture: fx}
	a := r.outside("+442079460001")
	x := fx.from("1001", "3000") // alice is recorded
	fx.settle()
	fx.sw.FailWrites(x.Get("tapedeck_file"), 0)
	r.joins(x)
	x.Hangup("")
	fx.settle()
	sidecars.sayNotStarted(t, x.UUID())
	a.Hangup("")
	fx.settle()
}

// TestPausedWithoutAStart: the disk was full at the answer, and FreeSWITCH has left an
// empty file. The user pauses, and the call ends before the lack is noticed.
func TestPausedWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.inbound("+442079460001")
	fx.settle()
	fx.sw.FailWrites(a.Get("tapedeck_file"), 0)
	phone := fx.ring(a, "1001")
	fx.answer(phone)
	fx.pressCode(phone)
	a.Hangup("")
	fx.settle()
	sidecars.sayNotStarted(t, a.UUID())
}

// TestNotWantedAnyMoreWithoutAStart: the disk was full at the answer. Then somebody came who
// says no, and the call ended before the lack was noticed. What was said until then was
// wanted: the sidecar says that it is missing.
func TestNotWantedAnyMoreWithoutAStart(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.from("1001", "07700900123") // alice is recorded
	b := a.Dial(esltest.Leg{Destination: "07700900123", ToneHz: outside})
	fx.settle()
	fx.sw.FailWrites(a.Get("tapedeck_file"), 0)
	fx.answer(b)
	x := fx.from("1002", "6001") // bob says no
	x.Intercept(b)
	fx.settle()
	b.Hangup("")
	fx.settle()
	sidecars.sayNotStarted(t, a.UUID())
}

// TestProblemWithoutADraft: the disk was full, so FreeSWITCH could not start the file, and
// Tapedeck not write down that. Then it was restarted. The sidecar says it all the same.
func TestProblemWithoutADraft(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460003") // nothing wants it recorded
	phone := fx.ring(a, "1004")
	fx.answer(phone)
	fx.sw.FailNext("uuid_record", "-ERR Cannot record session!")
	fx.pressCode(phone)
	sidecars := &describing{done: map[string]recording.Sidecar{}}
	fx.sw.ExcuseTold(true)
	fx.stop()
	fx.serve(Config{Policy: testPolicyOf(pressPolicy(t)), Calls: laterStore{}, Archive: sidecars})
	fx.sw.ExcuseTold(false)
	fx.settle()
	a.Hangup("")
	fx.settle()
	s, written := sidecars.of(a.UUID())
	if !written || len(s.Problems) != 1 || recording.ProblemCode(s.Problems[0]) != recording.NotStarted {
		t.Errorf("the sidecar is written: %t, with the problems %q", written, s.Problems)
	}
}

// TestArmedOnALostSocket: the leg left the socket before its commands had a reply, and the
// link was down, too, when they were sent again. FreeSWITCH may have carried them out, and
// the answer may have started a file.
func TestArmedOnALostSocket(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	fx.settle()
	for _, tc := range []struct {
		twice bool
		want  toggle.What
	}{{false, toggle.Unsent}, {true, toggle.Unanswered}} {
		fx.ctl.ask(t.Context(), func(time.Time) {
			c := fx.ctl.calls[a.UUID()]
			c.rec.armedTwice = tc.twice
			if f := c.line.fate(toggle.Arm, nil, esl.ErrLinkDown); f.What != tc.want {
				t.Errorf("armed twice %t: %v, want %v", tc.twice, f.What, tc.want)
			}
			c.rec.armedTwice = false
		})
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
	if files := x.WrittenTo(); len(files) != 1 || !strings.Contains(files[0], a.UUID()) {
		t.Errorf("the picking user is written into %q", files)
	}
	b.Hangup("")
	fx.settle()
}

// TestEnteredAfterTakeover: the process stands still while a leg waits at its socket, and
// another instance takes the call over. What the leg has said at the socket is old: it
// begins no second call.
func TestEnteredAfterTakeover(t *testing.T) {
	fx, one, two, _ := twoInstances(t)
	a := fx.inbound("+442079460001")
	fx.answer(fx.ring(a, "1001"))
	before := a.Get(handover.Variable)
	k, err := handover.Read(before)
	fx.must(err)
	live := k.LiveCall(before)
	live.Token++
	two.Orphans([]calls.Call{live})
	fx.until("the call is taken over", func() bool { return two.followsNow(a.UUID()) && !one.followsNow(a.UUID()) })
	taken := a.Get(handover.Variable)
	a.Set(handover.Variable, before)
	fx.enter(a)
	a.Set(handover.Variable, taken)
	one.ask(t.Context(), func(time.Time) {
		for id := range one.calls {
			t.Errorf("the instance that has yielded follows %s", id)
		}
	})
	fx.ctl = two
	fx.settle()
	if files := a.WrittenTo(); len(files) != 1 {
		t.Errorf("the outside party is written into %q", files)
	}
	a.Hangup("")
	fx.settle()
}

// TestBegunTwice: an instance stands still when a leg reaches its socket. The leg goes on,
// and the dialplan hands it to another instance, which begins the call. The first one leaves
// the call to that.
func TestBegunTwice(t *testing.T) {
	fx, one, two, inTwo := twoInstances(t)
	waits := make(chan struct{})
	hears := sync.OnceFunc(func() { close(waits) })
	defer hears()
	one.post(func(time.Time) { <-waits })
	a := fx.sw.Incoming(esltest.Leg{Number: "+447700900123", Destination: "+442079460001", ToneHz: outside})
	if err := fx.office().Enter(t.Context(), a, ""); err == nil {
		t.Fatal("the instance that stands still has answered")
	}
	inTwo()
	fx.element(a, "number/+442079460001")
	phone := fx.ring(a, "1001")
	phone.Answer()
	hears()
	for _, fx.ctl = range []*Controller{two, one} {
		fx.settle()
	}
	if one.followsNow(a.UUID()) || !two.followsNow(a.UUID()) {
		t.Errorf("the call is followed by the first instance: %t, and by the second: %t", one.followsNow(a.UUID()), two.followsNow(a.UUID()))
	}
	fx.wantState(a, "on")
	if k, err := handover.Read(a.Get(handover.Variable)); err != nil || k.Owner != "two" {
		t.Errorf("the snapshot is of %q, %v", k.Owner, err)
	}
	a.Hangup("")
	fx.settle()
}

// TestArmedTooLate: an outgoing call is to be armed, but its first leg has hung up by then:
// its user has transferred the outside party to somebody else. The call goes on, and is
// recorded.
func TestArmedTooLate(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.from("1006", "07700900123")
	b := a.Dial(esltest.Leg{Destination: "07700900123", ToneHz: outside})
	fx.settle()
	waits := make(chan struct{})
	fx.ctl.post(func(now time.Time) {
		<-waits
		c := fx.ctl.calls[a.UUID()]
		c.enterElement("user/alice", now) // says yes
		c.rethink(now)
	})
	b.Answer()
	consult := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1006", Variables: map[string]string{"user_name": "1006", "domain_name": "acme.example.net"}})
	x := consult.Dial(esltest.Leg{Profile: "internal", Destination: "1001", ToneHz: alice, Variables: map[string]string{"dialed_user": "1001", "dialed_domain": "acme.example.net"}})
	x.Answer()
	a.AttendedTransfer(consult)
	close(waits)
	fx.settle()
	fx.waitState(b, "on")
	if files := b.WrittenTo(); len(files) != 1 {
		t.Errorf("the outside party is written into %q", files)
	}
	b.Hangup("")
	fx.settle()
}

// followsNow reports whether the instance follows a live call with this id.
func (ctl *Controller) followsNow(call string) (follows bool) {
	ctl.ask(context.Background(), func(time.Time) { follows = ctl.calls[call] != nil })
	return follows
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
