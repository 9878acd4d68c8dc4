package call

import (
	"sync"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/recording"
)

// trace is what a live call has written down.
func (l *lab) trace(leg *esltest.Channel, what string) (notes []recording.Note) {
	l.Helper()
	l.ctl.ask(l.Context(), func(now time.Time) {
		if c := l.ctl.callOn(leg.UUID()); c != nil {
			for _, n := range c.trace {
				if n.What == what {
					notes = append(notes, n)
				}
			}
		}
	})
	return notes
}

// TestPressesInARow: presses at awkward moments, and from two at once. The end
// state is what the last obeyed one asked for, and the trace tells all of them.
func TestPressesInARow(t *testing.T) {
	for _, tc := range []struct {
		name    string
		number  string
		play    func(l *lab, a, d *esltest.Channel)
		state   string
		presses int
	}{
		{"before the start is told", "+442079460001", func(l *lab, a, d *esltest.Channel) {
			d.Answer()
			d.PressDigits("*1")
		}, "paused", 1},
		{"twice before the start is told", "+442079460001", func(l *lab, a, d *esltest.Channel) {
			d.Answer()
			d.PressDigits("*1*1")
		}, "on", 2},
		{"three in a row", "+442079460004", func(l *lab, a, d *esltest.Channel) {
			l.answer(d)
			d.PressDigits("*1*1*1")
		}, "on", 3},
		{"before a transfer is done", "+442079460001", func(l *lab, a, d *esltest.Channel) {
			l.answer(d)
			d.PressDigits("*1")
			d.BlindTransfer("1005")
			l.enter(a)
			l.ring(a, "1005").Answer()
		}, "paused", 1},
		{"by the new user at once", "+442079460001", func(l *lab, a, d *esltest.Channel) {
			l.answer(d)
			d.PressDigits("*1")
			d.BlindTransfer("1005")
			l.enter(a)
			f := l.ring(a, "1005")
			f.Answer()
			f.PressDigits("*1")
		}, "on", 2},
		{"refused ones between", "+442079460001", func(l *lab, a, d *esltest.Channel) {
			l.answer(d)
			d.PressDigits("*1")
			d.BlindTransfer("1006") // grace may not
			l.enter(a)
			g := l.ring(a, "1006")
			g.Answer()
			g.PressDigits("*1*1")
		}, "paused", 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLabWith(t, pressPolicy(t))
			a := l.inbound(tc.number)
			tc.play(l, a, l.ring(a, "1004"))
			l.settle()
			l.state(a, tc.state)
			if got := l.trace(a, "pressed"); len(got) != tc.presses {
				t.Errorf("the trace has %d presses, want %d: %v", len(got), tc.presses, got)
			}
			l.talk(second)
			a.Hangup("")
			l.settle()
			if n := len(l.files()); n != 1 {
				t.Errorf("%d files", n)
			}
		})
	}
}

// TestTwoPressAtOnce: an even number of presses from both ends of an internal
// call turns nothing over, and none is lost.
func TestTwoPressAtOnce(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	a := l.from("1001", "1004")
	d := l.ring(a, "1004")
	l.answer(d)
	var both sync.WaitGroup
	for _, phone := range []*esltest.Channel{a, d} {
		both.Go(func() {
			for range 5 {
				phone.PressDigits("*1")
			}
		})
	}
	both.Wait()
	l.settle()
	l.state(a, "on")
	users := map[string]int{}
	for _, n := range l.trace(a, "pressed") {
		users[n.User]++
	}
	if users["alice"] != 5 || users["dave"] != 5 {
		t.Errorf("the trace has %v", users)
	}
}

// TestPressAtTheHangup: whatever comes first, the file is whole and nothing
// hangs.
func TestPressAtTheHangup(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	for range 20 {
		a := l.inbound("+442079460001")
		d := l.ring(a, "1004")
		l.answer(d)
		l.talk(second)
		var end sync.WaitGroup
		end.Go(func() { d.PressDigits("*1") })
		end.Go(func() { a.Hangup("") })
		end.Wait()
	}
	l.settle()
	if live := l.meter.get("live"); live != 0 {
		t.Errorf("%d calls are live", live)
	}
	if n := len(l.files()); n != 20 {
		t.Errorf("%d files", n)
	}
	if n := len(l.log.Lines("level=WARN")); n != 0 {
		t.Errorf("%d warnings", n)
	}
}

// TestDisclaimerInTheTrace: whether it was heard to its end is written down.
func TestDisclaimerInTheTrace(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].Disclaimer = &flow.Disclaimer{Play: "this-call-is-recorded.wav", To: flow.Both}
	l := newLabWith(t, p)
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.press(d) // its prompt cuts what dave hears
	l.talk(3 * second)
	l.settle()
	results := map[string]string{}
	for _, n := range l.trace(a, "disclaimer") {
		results[n.User] = n.Result
	}
	if results["outside party"] != "heard" || results["user"] != "cut" {
		t.Errorf("the trace has %v", results)
	}
}
