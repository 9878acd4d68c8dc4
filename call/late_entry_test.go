package call

import (
	"context"
	"sync"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

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
	two.Orphans([]calls.Call{live}, nil)
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
	if files := recordedInto(a); len(files) != 1 {
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
	one.cfg.EntryDeadline = entryDeadline
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
	if files := recordedInto(b); len(files) != 1 {
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
