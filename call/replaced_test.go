package call

import (
	"testing"

	"tapedeck/esl/esltest"
)

// replaces lets the outside party's switch put another phone into its place: the new leg
// is bridged with the user's without any dialplan, and the old one ends.
func (fx *fixture) replaces(user *esltest.Channel) *esltest.Channel {
	fx.Helper()
	next := fx.sw.Incoming(esltest.Leg{Profile: "external", Number: "07700900124", Destination: "+442079460001", ToneHz: carol,
		Variables: map[string]string{"sip_replaces_call_id": "3848276298220188511@outside"}})
	next.Intercept(user)
	fx.settle()
	return next
}

// TestOutsidePartyReplaced: the talk with the phone that has taken the outside party's
// place is a call of its own, in which the same elements count (docs/design.md, section
// 12, rule 18).
func TestOutsidePartyReplaced(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	next := fx.replaces(d)
	fx.toldTrue()
	fx.wantStates("on", d, next)
	fx.talk(second)
	fx.pressCode(d)
	fx.wantStates("paused", d, next)
	fx.wantPrompt(d, "recorded.wav")
	fx.talk(second)
	fx.pressCode(d)
	fx.wantStates("on", d, next)
	fx.talk(second)
	next.Hangup("")
	fx.settle()
	// a press takes 0.1 s
	if got, want := fx.heardIn(next), "0s-1.1s 1760|2200; 1.1s-2.2s -|-; 2.2s-3.2s 1760|2200"; got != want {
		t.Errorf("the second file has %s, want %s", got, want)
	}
	if s, _ := sidecars.of(next.UUID()); len(s.Users) != 1 || s.Users[0] != "dave" || s.External != "+447700900123" || s.Trigger == "" {
		t.Errorf("the second sidecar: %+v", s)
	}
	if got, want := sidecars.notes(next.UUID()), "replaced "+a.UUID(); got != want {
		t.Errorf("the second sidecar names %q, want %q", got, want)
	}
	if n := fx.meter.get("live"); n != 0 {
		t.Errorf("%d calls are still live", n)
	}
}

// TestOutsidePartyReplacedWhilePaused: a pause lasts, and so does a start that a person
// has made.
func TestOutsidePartyReplacedWhilePaused(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	fx.pressCode(d)
	next := fx.replaces(d)
	fx.wantState(next, "off") // no file yet
	if files := recordedInto(d); len(files) != 0 {
		t.Errorf("paused, and dave is written into %q", files)
	}
	fx.pressCode(d)
	fx.wantStates("on", d, next)

	b := fx.inbound("+442079460003") // no
	e := fx.ring(b, "1004")
	fx.answer(e)
	fx.pressCode(e)
	fx.wantStates("on", b, e)
	after := fx.replaces(e)
	fx.wantStates("on", e, after)
}

// TestOutgoingPartyReplaced: the same on an outgoing call, whose outside party was dialled.
func TestOutgoingPartyReplaced(t *testing.T) {
	fx, _ := newTalk(t)
	u := fx.from("1004", "07700900123", "02079460002") // the number says force
	o := fx.out(u)
	fx.answer(o)
	fx.talk(second)
	next := fx.replaces(u)
	fx.wantStates("on", u, next)
}

// TestStrangerIsNoReplacement: a leg for which Tapedeck was not asked, and that takes
// nobody's place, is not recorded; nor is a user who takes another user's place a new
// outside party.
func TestStrangerIsNoReplacement(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	stranger := fx.sw.Incoming(esltest.Leg{Profile: "external", Number: "07700900124", ToneHz: carol})
	stranger.Intercept(d)
	fx.settle()
	if files := recordedInto(d); len(files) != 0 {
		t.Errorf("a leg that is not followed is written into %q", files)
	}
	b := fx.inbound("+442079460001")
	e := fx.ring(b, "1004")
	fx.answer(e)
	x := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1005", ToneHz: frank, Variables: map[string]string{
		"user_name": "1005", "domain_name": "acme.example.net", "sip_replaces_call_id": "1@alice"}})
	x.Intercept(b)
	fx.settle()
	fx.wantStates("on", b, x)
	if got := b.Get("tapedeck_call"); got != b.UUID() || x.Get("tapedeck_file") != "" {
		t.Errorf("calls %q and %q", got, x.Get("tapedeck_call"))
	}
}
