package e2e

import (
	"fmt"
	"strings"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

const announcement = "this-call-is-recorded"

// disclaimer asserts that the disclaimer is heard once, whatever is pressed later.
func disclaimer(both bool) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
		anchor := t.leg(outside)
		t.speak(2 * speech)
		from := t.pressFor(alice, anchor, "paused")
		t.speak(speech / 2)
		to := t.pressFor(alice, anchor, "on")
		s := t.speak(2 * speech)
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.silentExactly(period{from, to})
		r.noPrompts()
		atOutside.prompt("en", announcement, r.answered)
		want := []string{anchor}
		if both {
			atAlice.prompt("en", announcement, r.answered)
			want = append(want, t.leg(alice))
		} else {
			atAlice.load()
			if _, loudness := atAlice.sound.Holds(1, t.readPrompt("en", announcement)); loudness > promptGone {
				t.Errorf("the user heard the disclaimer")
			}
		}
		t.announced(want...)
		if lines := t.suite.tapedeck.Log("call=" + anchor + " "); !mentions(lines, `disclaimer played`) || !mentions(lines, "result=heard") {
			t.Errorf("the log does not say that the disclaimer was heard: %q", lines)
		}
	}
}

// announced asserts that the disclaimer was played once on each of these legs.
func (t *talk) announced(legs ...string) {
	t.Helper()
	for _, leg := range legs {
		n := len(t.suite.lab.Switch.Events(func(e *esl.Event) bool {
			return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), fmt.Sprintf("/%s.wav", announcement))
		}))
		if n != 1 {
			t.Errorf("the disclaimer was played %d times on a leg, want once", n)
		}
	}
}

func disclaimerOutgoing(t *talk) {
	outside, alice := toOutside(t)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	anchor := t.leg(outside)
	s := t.speak(2 * speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.noPrompts()
	atOutside.prompt("en", announcement, r.answered)
	atAlice.noPrompt()
	t.announced(anchor)
}
