package e2e

import (
	"strings"
	"time"

	"tapedeck/e2e/lab"
)

// twice lets alice press the code twice, with some time between: then the state is
// what it was before.
func twice(between time.Duration) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor, leg := t.leg(outside), t.leg(alice)
		before := t.speak(speech)
		var at []time.Time
		for i := range 2 {
			since := t.suite.lab.Switch.Seen()
			if i > 0 && between > 0 {
				t.speak(between)
			}
			// uuid_recv_dtmf, because a phone cannot send digits so close to each other
			_, err := t.suite.lab.Switch.API(t.ctx, "uuid_recv_dtmf", leg+" ~"+code+"@40")
			t.do(err)
			e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "switch", lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
			t.do(err)
			at = append(at, t.moment(e, "Event-Date-Timestamp"))
		}
		t.Logf("%v between two presses", at[1].Sub(at[0]))
		if at[1].Sub(at[0]) > 300*time.Millisecond {
			t.Errorf("%v were between the presses, want less than 300 ms", at[1].Sub(at[0]))
		}
		after := t.speak(speech)
		t.hasState(anchor, "on")
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(before, only(lab.Outside), only(lab.Alice))
		r.heard(after, only(lab.Outside), only(lab.Alice))
		t.loggedPresses(anchor, 2)
		if between > near {
			r.silentExactly(period{at[0], at[1]})
		}
	}
}

// loggedPresses asserts how many presses Tapedeck obeyed, by its log.
func (t *talk) loggedPresses(call string, want int) {
	t.Helper()
	n := 0
	for _, line := range t.suite.tapedeck.Log("call=" + call + " ") {
		if strings.Contains(line, "press received") && strings.HasSuffix(line, "result=ok") {
			n++
		}
	}
	if n != want {
		t.Errorf("tapedeck obeyed %d presses, want %d", n, want)
	}
}

// pressedThenGone hangs up while Tapedeck carries out a press.
func pressedThenGone(t *talk) {
	for range 3 {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		t.speak(speech)
		t.press(alice)
		t.hangUp(outside, alice)
		if lines := t.suite.tapedeck.Complaints("call=" + anchor); len(lines) > 0 {
			t.Errorf("tapedeck complained: %q", lines)
		}
	}
	for _, r := range t.recordings() {
		r.heardFromStart(only(lab.Outside), only(lab.Alice))
	}
}

// bothAtOnce lets two users press at the same moment, twice.
func bothAtOnce(t *talk) {
	alice := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob := t.rings(lab.UserBob)
	t.pickUp(bob, alice)
	anchor := t.leg(alice)
	before := t.speak(speech)
	for range 2 {
		since := t.suite.lab.Switch.Seen()
		for _, phone := range []*lab.Telephone{alice, bob} {
			t.do(phone.Press(t.ctx, code))
		}
		for _, phone := range []*lab.Telephone{alice, bob} {
			_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "switch", lab.IsCustom("tapedeck::toggle", "Unique-ID", t.leg(phone)))
			t.do(err)
		}
		t.speak(speech)
		t.hasState(anchor, "on")
	}
	after := t.speak(speech)
	t.hangUp(alice, bob)
	r := t.recording()
	r.heard(before, only(lab.Alice), only(lab.Bob))
	r.heard(after, only(lab.Alice), only(lab.Bob))
	t.loggedPresses(anchor, 4)
}
