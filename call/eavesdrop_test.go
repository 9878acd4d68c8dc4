package call

import (
	"testing"

	"tapedeck/esl/esltest"
)

// listenedTo is a recorded call of an outside party with dave, and a user who listens to
// one of its legs.
func (fx *fixture) listenedTo(listener *esltest.Channel, app string, atOutside bool) (a, d *esltest.Channel) {
	fx.Helper()
	a = fx.inbound("+442079460001")
	d = fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	target := d
	if atOutside {
		target = a
	}
	fx.eavesdrop(listener, app, target)
	return a, d
}

// eavesdrop lets a user listen to a leg, and waits until Tapedeck knows that.
func (fx *fixture) eavesdrop(listener *esltest.Channel, app string, target *esltest.Channel) {
	fx.Helper()
	listener.Answer()
	fx.talk(second)
	listener.Eavesdrop(app, target)
	fx.until("listener is in the call", func() bool { return listener.Get("tapedeck_call") == target.Get("tapedeck_call") })
	fx.settle()
}

// TestEavesdrop: a user who listens to a talk is in it: his own call is part of that
// call from then on, he has its state, and his code acts on its file, whichever leg he
// listens to and whether or not he is heard (docs/design.md, section 12, rule 17).
func TestEavesdrop(t *testing.T) {
	for _, tc := range []struct {
		name, app string
		atOutside bool
		extension string // of the listener; alice's own calls are recorded
	}{
		{"at the outside party's leg", "eavesdrop", true, "1005"},
		{"at the user's leg", "eavesdrop", false, "1005"},
		{"three_way", "three_way", true, "1005"},
		{"by a user who is recorded", "eavesdrop", true, "1001"},
		{"three_way at the user's leg, by a user who is recorded", "three_way", false, "1001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx, sidecars := newTalk(t)
			x := fx.from(tc.extension, "881000")
			a, d := fx.listenedTo(x, tc.app, tc.atOutside)
			fx.toldTrue()
			fx.wantStates("on", a, d, x)
			fx.pressCode(x)
			fx.wantStates("paused", a, d, x)
			fx.wantPrompt(x, "recorded.wav")
			for _, leg := range []*esltest.Channel{a, d, x} {
				if files := leg.WrittenTo(); len(files) != 0 {
					t.Errorf("paused, and a leg is written into %q", files)
				}
			}
			fx.pressCode(d)
			fx.wantStates("on", a, d, x)
			fx.toldTrue()
			own := x.UUID()
			x.StopEavesdropping()
			fx.settle()
			fx.wantStates("on", a, d)
			fx.waitState(x, "off")
			x.Hangup("")
			a.Hangup("")
			fx.settle()
			user := map[string]string{"1005": "frank", "1001": "alice"}[tc.extension]
			if got, want := sidecars.notes(a.UUID()), "joined "+user+" "+own; got != want {
				t.Errorf("the sidecar says %q, want %q", got, want)
			}
			if live := fx.meter.get("live"); live != 0 {
				t.Errorf("%d calls are still live", live)
			}
			if n := len(fx.log.Lines("level=WARN")); n != 0 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

func (fx *fixture) wantStates(want string, legs ...*esltest.Channel) {
	fx.Helper()
	for _, leg := range legs {
		fx.wantState(leg, want)
	}
}

// TestEavesdropWhilePaused: who was told "Recorded" is in no file, also not in that of a
// user who begins to listen and whose own calls are recorded.
func TestEavesdropWhilePaused(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.pressCode(d)
	x := fx.from("1001", "881000")
	fx.eavesdrop(x, "eavesdrop", a)
	fx.wantStates("paused", a, d, x)
	if files := x.WrittenTo(); len(files) != 0 {
		t.Errorf("the listener is written into %q", files)
	}
	fx.pressCode(x)
	fx.wantStates("on", a, d, x)
	fx.wantPrompt(d, "is-being-recorded.wav") // somebody else has resumed
}

// TestEavesdropWithoutCall: a phone of a user that another program lets listen
// (originate ... &eavesdrop) has no call of its own. It is told the state, and may press the
// Record key; FreeSWITCH has no code bound there.
func TestEavesdropWithoutCall(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	x := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1005", ToneHz: frank,
		Variables: map[string]string{"user_name": "1005", "domain_name": "acme.example.net"}})
	x.Eavesdrop("eavesdrop", d)
	fx.waitState(x, "on")
	fx.pressKey(x, false)
	fx.wantStates("paused", a, d, x)
	fx.wantPrompt(x, "recorded.wav")
	fx.pressKey(x, true)
	fx.wantStates("on", a, d, x)
	x.StopEavesdropping()
	fx.waitState(x, "off")
	fx.settle()
	fx.wantStates("on", a, d)
	fx.until("marker stopped", func() bool { return len(x.WrittenTo()) == 0 })
}

// TestEavesdropByAnotherOrganisation: who is no user of the call's organisation may not
// press, and keeps his own call.
func TestEavesdropByAnotherOrganisation(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	x := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1001", ToneHz: frank,
		Variables: map[string]string{"user_name": "1001", "domain_name": "plain.example.net"}})
	fx.enter(x)
	x.Answer()
	x.Eavesdrop("eavesdrop", a)
	fx.settle()
	fx.pressCode(x)
	fx.wantStates("on", a, d)
	if x.Get("tapedeck_call") == a.UUID() {
		t.Error("a user of another organisation has joined the call")
	}
}

// TestEavesdropEnds: the listener's leg goes on after the talk, or hangs up during it, or
// begins another call.
func TestEavesdropEnds(t *testing.T) {
	fx, _ := newTalk(t)
	x := fx.from("1005", "881000")
	a, d := fx.listenedTo(x, "eavesdrop", true)
	y := fx.from("1005", "881000")
	fx.eavesdrop(y, "eavesdrop", a)
	fx.wantStates("on", x, y)
	y.Hangup("")
	fx.settle()
	fx.wantStates("on", a, d, x)
	a.Hangup("")
	fx.settle()
	fx.waitState(x, "off")
	fx.enter(x)
	fx.settle()
	if x.Get("tapedeck_call") == a.UUID() {
		t.Error("the listener's leg is in the dialplan, and still belongs to the call that it has listened to")
	}
	x.Hangup("")
	fx.settle()
	if live := fx.meter.get("live"); live != 0 {
		t.Errorf("%d calls are still live", live)
	}
}

// TestEavesdropAfterRestart: who listens is known again after a restart, also if he began
// meanwhile.
func TestEavesdropAfterRestart(t *testing.T) {
	for _, before := range []bool{true, false} {
		p := pressPolicy(t)
		fx := newFixtureWith(t, p)
		x := fx.from("1001", "881000")
		var a, d *esltest.Channel
		if before {
			a, d = fx.listenedTo(x, "eavesdrop", true)
			fx.restart(p, func() {})
		} else {
			a = fx.inbound("+442079460001")
			d = fx.ring(a, "1004")
			fx.answer(d)
			x.Answer()
			fx.settle()
			fx.restart(p, func() { x.Eavesdrop("eavesdrop", a) })
		}
		fx.toldTrue()
		fx.pressCode(x)
		fx.wantStates("paused", a, d, x)
		for _, leg := range []*esltest.Channel{a, d, x} {
			if files := leg.WrittenTo(); len(files) != 0 {
				t.Errorf("began before %v: paused, and a leg is written into %q", before, files)
			}
		}
	}
}
