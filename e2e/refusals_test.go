package e2e

import (
	"time"

	"tapedeck/e2e/lab"
)

// codeFromOutside asserts that the outside party's code does nothing, and that all
// digits reach the other side, except for the user's code.
func codeFromOutside(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	t.speak(speech)
	t.do(outside.Press(t.ctx, code))
	t.do(alice.Got(t.ctx, code))
	t.do(alice.Press(t.ctx, "5"))
	t.do(outside.Got(t.ctx, "5"))
	t.hasState(anchor, "on")
	from := t.pressFor(alice, anchor, "paused")
	t.do(outside.Press(t.ctx, code))
	t.do(alice.Got(t.ctx, code+code))
	t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.silentExactly(period{from, r.ended})
	if got := outside.Digits(); got != "5" {
		t.Errorf("the outside party got the digits %q, want 5", got)
	}
	if events := t.toggleEvents(anchor); len(events) > 0 {
		t.Errorf("the outside party was obeyed %d times", len(events))
	}
}

// refusedCode lets alice press twice, which changes nothing.
func refusedCode(why string) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
		s := t.speak(speech)
		for range 2 {
			t.refused(alice, anchor, why)
		}
		at := t.moment(t.toggleEvents(t.leg(alice))[0], "Event-Date-Timestamp")
		t.hasState(anchor, "on")
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.silentExactly()
		r.noPrompts()
		atAlice.anyPrompt("en", "not-permitted", []period{{from: at}, {from: t.moment(t.toggleEvents(t.leg(alice))[1], "Event-Date-Timestamp")}},
			func(s period) time.Time { return s.from })
		atOutside.noPrompt()
	}
}

// notGranted asserts that the code is passed on like any other digits.
func notGranted(t *talk) {
	outside, alice := fromOutside(t)
	t.speak(speech)
	t.do(alice.Press(t.ctx, code))
	t.do(outside.Got(t.ctx, code))
	s := t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.silentExactly()
	if events := t.toggleEvents(t.leg(alice)); len(events) > 0 {
		t.Errorf("FreeSWITCH fired %d tapedeck::toggle, want none", len(events))
	}
}
