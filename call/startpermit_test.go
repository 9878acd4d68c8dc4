package call

import (
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// TestFirstPacket: what the file holds from the first packet on, if nobody follows the
// call any more when it is answered. The number says yes; bob says no, dave nothing.
func TestFirstPacket(t *testing.T) {
	for _, tc := range []struct {
		name   string
		rings  func(fx *fixture, a *esltest.Channel) (answers *esltest.Channel)
		heard  string
		expect string // what the draft of the file says
	}{
		{"the one phone that rings may be recorded", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			return fx.ring(a, "1004")
		}, "0s-1s 440|2200", recording.StateRecording},
		{"both phones that ring may be recorded", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			fx.ring(a, "1003")
			return fx.ring(a, "1004")
		}, "0s-1s 440|2200", recording.StateRecording},
		{"the phone of somebody who says no", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			return fx.ring(a, "1002")
		}, "0s-1s -|-", recording.StateWaiting},
		{"somebody who says no might answer, too", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			d := fx.ring(a, "1004")
			fx.settle()
			fx.ring(a, "1002")
			return d
		}, "0s-1s -|-", recording.StateWaiting},
		{"somebody who says no answers", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			fx.ring(a, "1004")
			fx.settle()
			return fx.ring(a, "1002")
		}, "0s-1s -|-", recording.StateWaiting},
		{"somebody who says no is dialled next", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			d := fx.ring(a, "1004")
			fx.settle()
			d.Hangup("NO_ANSWER")
			fx.settle()
			return fx.ring(a, "1002")
		}, "0s-1s -|-", recording.StateWaiting},
		{"somebody who says no no longer rings", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			b := fx.ring(a, "1002")
			d := fx.ring(a, "1004")
			fx.settle()
			b.Hangup("USER_BUSY")
			return d
		}, "0s-1s 440|2200", recording.StateRecording},
		{"a phone that no user has", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			return fx.ring(a, "1009")
		}, "0s-1s -|-", recording.StateWaiting},
		{"an application answers while a phone rings", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			fx.ring(a, "1004")
			return a
		}, "0s-1s -|-", recording.StateRecording},
		{"a phone answered, did not take the call, and somebody who says no is dialled next", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			d := fx.ring(a, "1004")
			fx.settle()
			a.Set(maskVariable, "") // its permit
			d.Hangup("CALL_REJECTED")
			return fx.ring(a, "1002")
		}, "0s-1s -|-", recording.StateWaiting},
		{"a restart while it rings", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			d := fx.ring(a, "1004")
			fx.restart(testPolicy(fx.T), func() {})
			return d
		}, "0s-1s 440|2200", recording.StateRecording},
		{"a restart while it rings, and somebody who says no is dialled next", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			d := fx.ring(a, "1004")
			fx.restart(testPolicy(fx.T), func() {})
			d.Hangup("NO_ANSWER")
			return fx.ring(a, "1002")
		}, "0s-1s -|-", recording.StateWaiting},
		{"a restart after the policy has changed", func(fx *fixture, a *esltest.Channel) *esltest.Channel {
			d := fx.ring(a, "1004")
			p := testPolicy(fx.T)
			p.Organisations["acme"].Users["dave"].Record = p.Organisations["acme"].Users["bob"].Record
			fx.restart(p, func() {})
			return d
		}, "0s-1s -|-", recording.StateWaiting},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixture(t)
			a := fx.inbound("+442079460001")
			answers := tc.rings(fx, a)
			fx.settle()
			if got := fx.draft(a).Spans[0].State; got != tc.expect {
				t.Errorf("the draft says %s, want %s", got, tc.expect)
			}
			fx.stop()
			answers.Answer()
			fx.talk(second)
			a.Hangup("")
			fx.wantWritten(tc.heard)
		})
	}
}

// draft is what the draft of a call's file says now.
func (fx *fixture) draft(a *esltest.Channel) (s recording.Sidecar) {
	fx.Helper()
	fx.ctl.ask(fx.Context(), func(now time.Time) {
		c := fx.ctl.calls[a.UUID()]
		s = c.sidecar(c.files.Last(), now)
	})
	if len(s.Spans) == 0 {
		fx.Fatal("the draft has no spans")
	}
	return s
}

// TestBeginning: an ordinary call has one span and no pause, and its state is never
// told as paused.
func TestBeginning(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.settle()
	fx.answer(d)
	fx.wantState(a, "on")
	fx.talk(second)
	s := fx.draft(a)
	number := recording.Cause{Element: "number/+442079460001", Setting: "yes"}
	if len(s.Spans) != 1 || s.Spans[0].State != recording.StateRecording || s.Spans[0].Cause != number || s.Decided != number {
		t.Errorf("spans %+v, decided %+v", s.Spans, s.Decided)
	}
	for _, n := range s.Trace {
		if n.State == "paused" {
			t.Errorf("told %+v", n)
		}
	}
	a.Hangup("")
	fx.wantWritten("0s-1s 440|2200")
}

// TestWaiting: until it is known that bob, who says no, has not answered, the file
// waits; that is no pause.
func TestWaiting(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	fx.ring(a, "1002")
	a.Answer() // by an application
	fx.settle()
	fx.talk(second)
	fx.wantState(a, "off")
	s := fx.draft(a)
	if last := s.Spans[len(s.Spans)-1]; len(s.Spans) != 1 || last.State != recording.StateWaiting || last.Cause.Element != "user/bob" {
		t.Errorf("spans %+v", s.Spans)
	}
	if number := "number/+442079460001"; s.Decided.Element != number {
		t.Errorf("decided by %+v, want %s", s.Decided, number)
	}
}

// TestPermitAtTakeover: a call whose answer nobody saw, and which began with speech,
// says so after it was taken over.
func TestPermitAtTakeover(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.restart(testPolicy(t), func() {
		d.Answer()
		fx.talk(second)
	})
	fx.waitState(a, "on")
	fx.talk(second)
	if s := fx.draft(a); s.Spans[0].State != recording.StateRecording || len(s.Spans) != 1 {
		t.Errorf("spans %+v", s.Spans)
	}
	a.Hangup("")
	fx.wantWritten("0s-2s 440|2200")
}

// TestDecided: a recording that did not start says who wanted it.
func TestDecided(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	a.Set("execute_on_answer_tapedeck_1", "") // somebody else's dialplan
	d := fx.ring(a, "1004")
	fx.answer(d)
	s := fx.draft(a)
	if s.Decided.Element != "number/+442079460001" || s.Decided.Setting != "yes" {
		t.Errorf("decided %+v", s.Decided)
	}
}

// TestSnapshotOfPermit: the snapshot does not say that the answer starts the file
// silent when it may not.
func TestSnapshotOfPermit(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	fx.ring(a, "1004")
	fx.settle()
	k, err := handover.Read(a.Get(handover.Variable))
	fx.must(err)
	if d := k.Draft(); d.Spans[0].State != recording.StateRecording {
		t.Errorf("draft of the snapshot: %+v", d.Spans)
	}
}

// TestPermitLapses: a phone that is answered and does not take the call loses its
// permit.
func TestPermitLapses(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.settle()
	a.Set(maskVariable, "")                   // FreeSWITCH has run the permit
	fx.ctl.ask(t.Context(), func(time.Time) { // d's CHANNEL_ANSWER; the caller hears no answer
		fx.ctl.legs.get(d.UUID()).answered = true
		fx.ctl.calls[a.UUID()].permits.used(d.UUID())
	})
	fx.until("the mask is back", func() bool { return a.Get(maskVariable) != "" })
	fx.settle()
	fx.stop()
	a.Answer()
	fx.talk(second)
	a.Hangup("")
	fx.wantWritten("0s-1s -|-")
}

// TestPickUpWhileItRings: a phone that may be recorded rings, and bob, who says no,
// picks the call up from his own. Not one packet of him is written.
func TestPickUpWhileItRings(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	fx.ring(a, "1004")
	b := fx.from("1002", "*8")
	fx.settle()
	b.Intercept(a)
	fx.talk(second) // whatever the Controller knows by now
	fx.settle()
	fx.talk(second)
	fx.wantState(a, "off")
	a.Hangup("")
	fx.wantWritten("0s-2s -|-")
}
