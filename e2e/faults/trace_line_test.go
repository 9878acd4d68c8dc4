package faults

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestLineOfATrace: two presses 365 ms apart, on a machine that traced the first one
// only 45 ms before the second was made. One line is of one press.
func TestLineOfATrace(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	first := &press{at: at(1765), until: at(2130), method: "dtmf", ext: "1002", bound: true}
	second := &press{at: at(2130), method: "dtmf", ext: "1002", bound: true}
	c := &call{presses: []*press{first, second}}
	for _, tc := range []struct {
		line          int
		first, second bool
	}{
		{2085, true, false}, // seed 122
		{2140, false, true},
		{1740, true, false},
		{1700, false, false},
	} {
		if got := c.isOf(first, at(tc.line)); got != tc.first {
			t.Errorf("the line at %d ms is of the first press: %t", tc.line, got)
		}
		if got := c.isOf(second, at(tc.line)); got != tc.second {
			t.Errorf("the line at %d ms is of the second press: %t", tc.line, got)
		}
	}
}

// TestLateAnswer: on a slow link a phone hears the answer to its first press only after
// it has pressed again, and is gone before the second is taken. What it heard does not
// answer the second.
func TestLateAnswer(t *testing.T) {
	at := func(ms int) time.Time { return time.Now().Add(time.Duration(ms-10_000) * time.Millisecond) }
	sw := esltest.New(esltest.Options{})
	defer sw.Close()
	leg := sw.Incoming(esltest.Leg{Number: "1003"})
	first := &press{at: at(2405), until: at(2737), leg: leg, method: "dtmf", ext: "1003", bound: true}
	second := &press{at: at(2737), leg: leg, method: "dtmf", ext: "1003", bound: true}
	s := &stage{plan: &plan{}, tap: newTap(t.Logf)}
	c := &call{s: s, first: leg, presses: []*press{first, second}}
	var known sidecar
	if err := json.Unmarshal(fmt.Appendf(nil, `{"call":%q,"trace":[{"at":%q,"what":"pressed","method":"dtmf","user":"carol","result":"ok"},
		{"at":%q,"what":"pressed","method":"dtmf","user":"carol","result":"ok"}]}`,
		leg.UUID(), at(2624).Format(time.RFC3339Nano), at(3392).Format(time.RFC3339Nano)), &known); err != nil {
		t.Fatal(err)
	}
	s.tap.prompts = []prompt{{at(3381), leg.UUID(), "is-being-recorded"}}
	if heard, result := c.answer(second, []sidecar{known}); heard != "" || result != "ok" {
		t.Errorf("the second press was answered by %q, %q", heard, result)
	}
	s.tap.prompts = []prompt{{at(2500), leg.UUID(), "is-being-recorded"}}
	first.until, second.at = at(2420), at(2420) // both lines are in the second's time
	if heard, result := c.answer(first, []sidecar{known}); heard != "" || result != "" {
		t.Errorf("the first press was answered by %q, %q", heard, result)
	}
	known.Trace = known.Trace[:0]
	s.tap.prompts = append(s.tap.prompts, prompt{at(3400), leg.UUID(), "recorded"})
	if heard, _ := c.answer(second, []sidecar{known}); heard != "recorded" {
		t.Errorf("the second press was answered by %q", heard)
	}
}

// TestAnswerOnAnotherLeg: a user presses, is transferred away, comes back on another leg,
// and presses there while nobody listens. What he hears then does not answer the first.
func TestAnswerOnAnotherLeg(t *testing.T) {
	at := func(ms int) time.Time { return time.Now().Add(time.Duration(ms-20_000) * time.Millisecond) }
	sw := esltest.New(esltest.Options{})
	defer sw.Close()
	before, now := sw.Incoming(esltest.Leg{Number: "1001"}), sw.Incoming(esltest.Leg{Number: "1001"})
	first := &press{at: at(1573), leg: before, method: "dtmf", ext: "1001", bound: true}
	second := &press{at: at(2951), leg: now, method: "dtmf", ext: "1001", bound: true}
	c := &call{s: &stage{plan: &plan{}, tap: newTap(t.Logf)}, first: before, presses: []*press{first, second}}
	var known sidecar
	if err := json.Unmarshal(fmt.Appendf(nil, `{"call":%q,"trace":[{"at":%q,"what":"pressed","method":"dtmf","user":"alice","result":"ok"},
		{"at":%q,"what":"pressed","method":"dtmf","user":"alice","result":"missed"}]}`,
		before.UUID(), at(1650).Format(time.RFC3339Nano), at(7170).Format(time.RFC3339Nano)), &known); err != nil {
		t.Fatal(err)
	}
	c.s.tap.prompts = []prompt{{at(1685), before.UUID(), "recorded"}, {at(7208), now.UUID(), "not-permitted"}}
	if heard, result := c.answer(first, []sidecar{known}); heard != "recorded" || result != "ok" {
		t.Errorf("the first press was answered by %q, %q", heard, result)
	}
	if heard, result := c.answer(second, []sidecar{known}); heard != "not-permitted" || result != "missed" {
		t.Errorf("the second press was answered by %q, %q", heard, result)
	}
}

// TestToldAfterAnotherPress: both legs of a call are one user's. He pauses on one of them
// and resumes on the other: then the first is told that it is being recorded, and that is
// no answer to its press. An answer that is late is one all the same.
func TestToldAfterAnotherPress(t *testing.T) {
	at := func(ms int) time.Time { return time.Now().Add(time.Duration(ms-20_000) * time.Millisecond) }
	sw := esltest.New(esltest.Options{})
	defer sw.Close()
	one, other := sw.Incoming(esltest.Leg{Number: "1004"}), sw.Incoming(esltest.Leg{Number: "1004"})
	first := &press{at: at(1356), leg: one, method: "dtmf", ext: "1004", bound: true}
	second := &press{at: at(3720), leg: other, method: "dtmf", ext: "1004", bound: true}
	c := &call{s: &stage{plan: &plan{}, tap: newTap(t.Logf)}, first: one, presses: []*press{first, second}}
	c.s.tap.prompts = []prompt{{at(1450), one.UUID(), "recorded"}, {at(3800), other.UUID(), "is-being-recorded"}, {at(3805), one.UUID(), "is-being-recorded"}}
	if heard := c.hears(first, first.at).name; heard != "recorded" {
		t.Errorf("the first press was answered by %q", heard)
	}
	c.s.tap.prompts[0].at = at(3730)
	if heard := c.hears(first, first.at).name; heard != "recorded" {
		t.Errorf("the first press was answered late by %q", heard)
	}
	if heard := c.hears(second, second.at).name; heard != "is-being-recorded" {
		t.Errorf("the second press was answered by %q", heard)
	}
}

// TestPromptOfATakeover: a user presses while the call's owner is dead, and no trace has
// the press. The next owner resumes the recording, because of a setting, and tells
// everybody so: that answers no press (seed 7). Before the takeover the owner that died
// may have obeyed a press and not traced it.
func TestPromptOfATakeover(t *testing.T) {
	at := func(ms int) time.Time { return time.Now().Add(time.Duration(ms-20_000) * time.Millisecond) }
	sw := esltest.New(esltest.Options{})
	defer sw.Close()
	leg := sw.Incoming(esltest.Leg{Number: "1002"})
	p := &press{at: at(3035), leg: leg, method: "dtmf", ext: "1002", bound: true}
	s := &stage{plan: &plan{faults: []*fault{{kind: killed, struck: at(1347)}}}, tap: newTap(t.Logf)}
	c := &call{s: s, first: leg, presses: []*press{p}}
	known := []sidecar{{}}
	known[0].Call = c.id()
	s.tap.owners = []owned{{at(600), c.id(), "a", 1}, {at(3507), c.id(), "b", 2}, {at(3510), c.id(), "a", 1}}
	for _, tc := range []struct {
		prompt string
		at     int
		want   string
	}{
		{"is-being-recorded", 3539, ""},
		{"is-being-recorded", 3100, "is-being-recorded"},
		{"recorded", 3539, "recorded"},
	} {
		s.tap.prompts = []prompt{{at(tc.at), leg.UUID(), tc.prompt}}
		if heard, result := c.answer(p, known); heard != tc.want || result != "" {
			t.Errorf("%s at %d ms: the press was answered by %q, %q", tc.prompt, tc.at, heard, result)
		}
	}
}

// TestLateSnapshot: an owner before, which stood still, writes its snapshot after its
// successor has. That is no takeover.
func TestLateSnapshot(t *testing.T) {
	s := &stage{plan: &plan{}, tap: newTap(t.Logf)}
	s.tap.lives["a"], s.tap.lives["b"] = "tapedeck1", "tapedeck2"
	s.tap.owners = []owned{{call: "c", owner: "a", token: 1}, {call: "c", owner: "b", token: 2}}
	s.judgeHandovers()
	if len(s.wrong) != 1 {
		t.Errorf("a takeover that nothing explains: %v", s.wrong)
	}
	s.tap.owners = append(s.tap.owners, owned{call: "c", owner: "a", token: 1})
	s.wrong = nil
	s.judgeHandovers()
	if len(s.wrong) != 1 {
		t.Errorf("with the late snapshot: %v", s.wrong)
	}
}
