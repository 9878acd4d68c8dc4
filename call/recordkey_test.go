package call

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestKeyAfterRestart: the Record key works on a call that was taken over. A press
// during the restart is refused aloud.
func TestKeyAfterRestart(t *testing.T) {
	afterInterruption(t, func(t *testing.T) (*fixture, func(func())) {
		policy := pressPolicy(t)
		fx := newFixtureWith(t, policy)
		return fx, func(meanwhile func()) { fx.restart(policy, meanwhile) }
	})
}

// TestKeyAfterCut is the same after the watch link was cut.
func TestKeyAfterCut(t *testing.T) {
	afterInterruption(t, func(t *testing.T) (*fixture, func(func())) {
		sounds, err := filepath.Abs("../freeswitch-conf/sounds")
		if err != nil {
			t.Fatal(err)
		}
		w := newProxiedWith(t, pressPolicy(t), Prompts{Dir: sounds, Language: "en"})
		return w.fixture, w.whileLinkIsCut
	})
}

// TestKeyNotPressedAtTheCut: what a phone was to be sent after a press of the code is
// lost with the link, and what it was told before is old. That is no press of its
// Record key, and nothing is refused.
func TestKeyNotPressedAtTheCut(t *testing.T) {
	sounds, err := filepath.Abs("../freeswitch-conf/sounds")
	if err != nil {
		t.Fatal(err)
	}
	w := newProxiedWith(t, pressPolicy(t), Prompts{Dir: sounds, Language: "en"})
	a := w.inbound("+442079460001")
	d := w.ring(a, "1004")
	w.answer(d)
	w.wantState(d, "on")
	var once atomic.Bool
	w.proxy.judgeBy(func(kind, about string) verdict {
		if kind == "command" && strings.HasPrefix(about, "api uuid_record "+d.UUID()+" stop ") && once.CompareAndSwap(false, true) {
			d.Set("tapedeck_state", "off")
			return cut
		}
		return pass
	})
	d.PressDigits("*1")
	w.until("the link is cut", once.Load)
	w.reconnected()
	w.waitState(a, "paused")
	w.settle()
	if n := w.meter.get("toggle record_key missed"); n != 0 {
		t.Errorf("%d presses of the Record key were refused", n)
	}
	w.pressKey(d, true)
	w.waitState(a, "on")
	a.Hangup("")
}

func afterInterruption(t *testing.T, begin func(*testing.T) (*fixture, func(meanwhile func()))) {
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
			fx, interrupt := begin(t)
			before := fx.inbound("+442079460001") // an earlier call, with a marker of its own
			fx.answer(fx.ring(before, "1005"))
			before.Hangup("")
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			states := []string{"on", "paused"}
			if tc.paused {
				fx.pressKey(d, false)
				states = []string{"paused", "on"}
			}
			fx.wantState(a, states[0])
			fx.talk(3 * second) // a prompt ends
			interrupt(func() {
				for _, on := range tc.meanwhile {
					if !d.RecordKey(on) {
						t.Error("the record key is refused")
					}
				}
			})
			fx.settle()
			fx.waitState(a, states[0])
			if n := fx.meter.get("toggle record_key missed"); n != tc.missed {
				t.Errorf("%d presses missed, want %d", n, tc.missed)
			}
			if heard := d.Hears(); tc.missed > 0 && (len(heard) != 1 || filepath.Base(heard[0]) != "not-permitted.wav") {
				t.Errorf("the user hears %q", heard)
			}
			for range 2 {
				fx.pressKey(d, states[0] == "paused")
				fx.waitState(a, states[1])
				states[0], states[1] = states[1], states[0]
			}
		})
	}
}
