package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// near is how far a pause in the file may be from the press that made it.
const near = 150 * time.Millisecond

// code is what users press, in every scenario.
const code = "*1"

// press lets a phone press the code and returns when FreeSWITCH fired its event.
func (t *talk) press(phone *lab.Telephone) time.Time {
	t.Helper()
	leg, since := t.leg(phone), t.suite.lab.Switch.Seen()
	t.do(phone.Press(t.ctx, code))
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "press of "+leg, lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
	t.do(err)
	return t.moment(e, "Event-Date-Timestamp")
}

// pressFor lets a phone press the code, waits until that state of the recorded leg is
// announced, and returns when the phone pressed.
func (t *talk) pressFor(phone *lab.Telephone, anchor, state string) time.Time {
	t.Helper()
	since := t.suite.lab.Switch.Seen()
	at := t.press(phone)
	t.awaitState(since, anchor, state)
	return at
}

// recordKey is pressFor with the phone's record key.
func (t *talk) recordKey(phone *lab.Telephone, ask, anchor, state string) time.Time {
	t.Helper()
	since, at := t.suite.lab.Switch.Seen(), time.Now()
	t.do(phone.RecordKey(t.ctx, ask))
	t.awaitState(since, anchor, state)
	t.suite.mu.Lock()
	t.suite.keys++
	t.suite.mu.Unlock()
	return at
}

// awaitState waits until a state of the recorded leg is announced (CUSTOM
// tapedeck::state), asserts that both legs have it in tapedeck_state, and returns
// when it was announced.
func (t *talk) awaitState(since int, anchor, state string) time.Time {
	t.Helper()
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "tapedeck::state "+state, func(e *esl.Event) bool {
		return lab.IsCustom("tapedeck::state", "Tapedeck-Anchor", anchor)(e) && e.Get("Tapedeck-State") == state
	})
	t.do(err)
	for _, header := range []string{"Tapedeck-Anchor", "Tapedeck-Peer"} {
		if leg := e.Get(header); leg != "" {
			t.hasState(leg, state)
		}
	}
	return t.moment(e, "Event-Date-Timestamp")
}

func (t *talk) hasState(leg, state string) {
	t.Helper()
	if got, err := t.suite.lab.Switch.API(t.ctx, "uuid_getvar", leg+" tapedeck_state"); err != nil || got != state {
		t.Errorf("tapedeck_state of a leg is %q, %v; want %q", got, err, state)
	}
}

// refused lets a phone press the code and waits until its user has heard "Not
// permitted". why is the reason that Tapedeck logs for the call.
func (t *talk) refused(phone *lab.Telephone, call, why string) {
	t.Helper()
	leg, since := t.leg(phone), t.suite.lab.Switch.Seen()
	t.press(phone)
	_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "end of the prompt", func(e *esl.Event) bool {
		return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), "/not-permitted.wav")
	})
	t.do(err)
	if lines := t.suite.tapedeck.Log("call=" + call + " "); !mentions(lines, "method=dtmf ask=\"turn over\" result="+why) {
		t.Errorf("the log does not say that the press was refused because of %s: %q", why, lines)
	}
}

// silentExactly asserts that there is no sound in these periods, and that there is
// sound everywhere else.
func (r take) silentExactly(pauses ...period) {
	r.Helper()
	found := r.Silences(near)
	if len(found) != len(pauses) {
		r.Errorf("the file is silent in %v, want %d pauses: %s", found, len(pauses), r.Sound)
		return
	}
	for i, p := range pauses {
		from, to := p.from.Sub(r.began), p.to.Sub(r.began)
		slip := func(edge time.Time) time.Duration {
			// sound that was lost while the machine stood still makes all that comes later early
			return near + noise.Between(edge.Add(-near), edge.Add(near)) + noise.LongestBetween(r.began, edge.Add(-near))
		}
		if early, late := found[i][0]-from, found[i][1]-to; early.Abs() > slip(p.from) || late.Abs() > slip(p.to) {
			r.Errorf("pause %d is from %v to %v, want %v to %v: off by %v and %v", i+1, found[i][0], found[i][1], from, to, early, late)
		}
		r.suite.paused(found[i][0]-from, found[i][1]-to)
	}
}

// toggleEvents are the events that FreeSWITCH fired for the code pressed on a leg.
func (t *talk) toggleEvents(leg string) []*esl.Event {
	return t.suite.lab.Switch.Events(lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
}

// noMarkers asserts that no marker file of a record key is left for these legs.
func (t *talk) noMarkers(legs ...string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(t.suite.tapedeck.Recordings, ".keys", "*"))
	t.do(err)
	for _, leg := range legs {
		if slices.ContainsFunc(left, func(path string) bool { return strings.Contains(path, leg) }) {
			t.Errorf("a marker of leg %s is left in %q", leg, left)
		}
	}
}
