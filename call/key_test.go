package call

import (
	"path/filepath"
	"testing"
)

// TestKeyAfterRestart: the record key works on a call that was taken over; what was
// pressed meanwhile is refused aloud, and the key works again.
func TestKeyAfterRestart(t *testing.T) {
	afterInterruption(t, func(t *testing.T) (*lab, func(func())) {
		policy := pressPolicy(t)
		l := newLabWith(t, policy)
		return l, func(meanwhile func()) { l.restart(policy, meanwhile) }
	})
}

// TestKeyAfterCut is the same with a watch link that was away.
func TestKeyAfterCut(t *testing.T) {
	afterInterruption(t, func(t *testing.T) (*lab, func(func())) {
		sounds, err := filepath.Abs("../freeswitch-conf/sounds")
		if err != nil {
			t.Fatal(err)
		}
		w := newWiredWith(t, pressPolicy(t), Prompts{Dir: sounds, Language: "en"})
		return w.lab, w.away
	})
}

func afterInterruption(t *testing.T, begin func(*testing.T) (*lab, func(meanwhile func()))) {
	for _, tc := range []struct {
		name      string
		paused    bool // before
		meanwhile []bool
		missed    int
	}{
		{"nothing is pressed", false, nil, 0},
		{"off is pressed", false, []bool{false}, 1},
		{"off and on are pressed", false, []bool{false, true}, 0},
		{"nothing is pressed during a pause", true, nil, 0},
		{"on is pressed during a pause", true, []bool{true}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, interrupt := begin(t)
			before := l.inbound("+442079460001") // an earlier call, with a marker of its own
			l.answer(l.ring(before, "1005"))
			before.Hangup("")
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			states := []string{"on", "paused"}
			if tc.paused {
				l.key(d, false)
				states = []string{"paused", "on"}
			}
			l.state(a, states[0])
			l.talk(3 * second) // a prompt ends
			interrupt(func() {
				for _, on := range tc.meanwhile {
					if !d.RecordKey(on) {
						t.Error("the record key is refused")
					}
				}
			})
			l.settle()
			l.waitState(a, states[0])
			if n := l.meter.get("toggle record_key missed"); n != tc.missed {
				t.Errorf("%d presses missed, want %d", n, tc.missed)
			}
			if heard := d.Hears(); tc.missed > 0 && (len(heard) != 1 || filepath.Base(heard[0]) != "not-permitted.wav") {
				t.Errorf("the user hears %q", heard)
			}
			for range 2 {
				l.key(d, states[0] == "paused")
				l.waitState(a, states[1])
				states[0], states[1] = states[1], states[0]
			}
		})
	}
}
