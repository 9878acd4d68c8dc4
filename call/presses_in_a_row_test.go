package call

import (
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// notes are the notes of one kind in the trace of a live call.
func (fx *fixture) notes(leg *esltest.Channel, what string) (notes []recording.Note) {
	fx.Helper()
	fx.ctl.ask(fx.Context(), func(now time.Time) {
		if c := fx.ctl.callOn(leg.UUID()); c != nil {
			for _, n := range c.trace {
				if n.What == what {
					notes = append(notes, n)
				}
			}
		}
	})
	return notes
}

// TestPressesInARow: people press at awkward moments. The final state is what the
// last obeyed press asked for, and the trace has every press.
func TestPressesInARow(t *testing.T) {
	for _, tc := range []struct {
		name    string
		number  string
		play    func(fx *fixture, a, d *esltest.Channel)
		state   string
		presses int
	}{
		{"before RECORD_START", "+442079460001", func(fx *fixture, a, d *esltest.Channel) {
			d.Answer()
			d.PressDigits("*1")
		}, "paused", 1},
		{"twice before RECORD_START", "+442079460001", func(fx *fixture, a, d *esltest.Channel) {
			d.Answer()
			d.PressDigits("*1*1")
		}, "on", 2},
		{"three in a row", "+442079460004", func(fx *fixture, a, d *esltest.Channel) {
			fx.answer(d)
			d.PressDigits("*1*1*1")
		}, "on", 3},
		{"before a transfer is done", "+442079460001", func(fx *fixture, a, d *esltest.Channel) {
			fx.answer(d)
			d.PressDigits("*1")
			d.BlindTransfer("1005")
			fx.enter(a)
			fx.ring(a, "1005").Answer()
		}, "paused", 1},
		{"by the new user at once", "+442079460001", func(fx *fixture, a, d *esltest.Channel) {
			fx.answer(d)
			d.PressDigits("*1")
			d.BlindTransfer("1005")
			fx.enter(a)
			f := fx.ring(a, "1005")
			f.Answer()
			f.PressDigits("*1")
		}, "on", 2},
		{"refused ones between", "+442079460001", func(fx *fixture, a, d *esltest.Channel) {
			fx.answer(d)
			d.PressDigits("*1")
			d.BlindTransfer("1006") // grace may not
			fx.enter(a)
			g := fx.ring(a, "1006")
			g.Answer()
			g.PressDigits("*1*1")
		}, "paused", 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixtureWith(t, pressPolicy(t))
			a := fx.inbound(tc.number)
			tc.play(fx, a, fx.ring(a, "1004"))
			fx.settle()
			fx.wantState(a, tc.state)
			if got := fx.notes(a, "pressed"); len(got) != tc.presses {
				t.Errorf("the trace has %d presses, want %d: %v", len(got), tc.presses, got)
			}
			fx.talk(second)
			a.Hangup("")
			fx.settle()
			if n := len(fx.files()); n != 1 {
				t.Errorf("%d files", n)
			}
		})
	}
}

// TestTwoPressAtOnce: an even number of presses from both ends of an internal
// call turns nothing over, and none is lost.
func TestTwoPressAtOnce(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.from("1001", "1004")
	d := fx.ring(a, "1004")
	fx.answer(d)
	var both sync.WaitGroup
	for _, phone := range []*esltest.Channel{a, d} {
		both.Go(func() {
			for range 5 {
				phone.PressDigits("*1")
			}
		})
	}
	both.Wait()
	fx.settle()
	fx.wantState(a, "on")
	users := map[string]int{}
	for _, n := range fx.notes(a, "pressed") {
		users[n.User]++
	}
	if users["alice"] != 5 || users["dave"] != 5 {
		t.Errorf("the trace has %v", users)
	}
}

// TestPressAtTheHangup: whether the press or the hangup comes first, the file is
// complete and nothing remains.
func TestPressAtTheHangup(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	for range 20 {
		a := fx.inbound("+442079460001")
		d := fx.ring(a, "1004")
		fx.answer(d)
		fx.talk(second)
		var end sync.WaitGroup
		end.Go(func() { d.PressDigits("*1") })
		end.Go(func() { a.Hangup("") })
		end.Wait()
	}
	fx.settle()
	if live := fx.meter.get("live"); live != 0 {
		t.Errorf("%d calls are live", live)
	}
	if n := len(fx.files()); n != 20 {
		t.Errorf("%d files", n)
	}
	if n := len(fx.log.Lines("level=WARN")); n != 0 {
		t.Errorf("%d warnings", n)
	}
}
