package call

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// later is the Calls of a Tapedeck after the one that nowhere is of.
type later struct{ nowhere }

func (later) Instance() string { return "later" }

// restart ends the Controller, without a word to anybody, and starts another.
func (l *lab) restart(p *flow.Policy, between func()) {
	l.Helper()
	l.settle()
	l.stop()
	between()
	l.ctl, l.socket = l.start(l.address, Config{Policy: func() *flow.Policy { return p }, Calls: later{}, Index: noIndex{}, Archive: unwritten{}})
	l.settle()
}

// TestAdoption: a Tapedeck that starts anew goes on with every call where the
// one before left it.
func TestAdoption(t *testing.T) {
	const yes, no = "+442079460001", "+442079460003"
	type parties struct{ a, b *esltest.Channel }
	inbound := func(number, phone string) func(*lab) parties {
		return func(l *lab) parties {
			a := l.inbound(number)
			b := l.ring(a, phone)
			l.answer(b)
			l.talk(second)
			return parties{a, b}
		}
	}
	for _, tc := range []struct {
		name    string
		before  func(*lab) parties
		between func(*lab, parties)
		state   string // after the restart
		after   func(*lab, parties)
		then    string // after that
	}{
		{"recorded goes on", inbound(yes, "1004"), nil, "on", nil, "on"},
		{"paused stays paused, and the code resumes", func(l *lab) parties {
			p := inbound(yes, "1004")(l)
			l.press(p.b)
			return p
		}, nil, "paused", func(l *lab, p parties) { l.press(p.b) }, "on"},
		{"the code pauses what goes on", inbound(yes, "1004"), nil, "on", func(l *lab, p parties) { l.press(p.b) }, "paused"},
		{"off, and the code starts it", inbound(no, "1004"), nil, "off", func(l *lab, p parties) { l.press(p.b) }, "on"},
		{"a user who says no has come meanwhile", inbound(yes, "1004"), func(l *lab, p parties) {
			consult := l.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", Destination: "1002",
				Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}})
			l.ring(consult, "1002").Answer()
			p.b.AttendedTransfer(consult)
		}, "off", nil, "off"},
		{"answered meanwhile", func(l *lab) parties {
			a := l.inbound(yes)
			return parties{a, l.ring(a, "1004")}
		}, func(l *lab, p parties) { p.b.Answer() }, "on", nil, "on"},
		{"outgoing, answered meanwhile", func(l *lab) parties {
			a := l.from("1001", "07700900123")
			return parties{a, l.out(a)}
		}, func(l *lab, p parties) { p.b.Answer() }, "on", nil, "on"},
		{"its file was stopped meanwhile", inbound(yes, "1004"), func(l *lab, p parties) {
			l.must(p.a.Execute("stop_record_session", p.a.Get("tapedeck_file")))
		}, "on", nil, "on"},
		{"a further element", inbound(yes, "1004"), nil, "on", func(l *lab, p parties) {
			p.b.BlindTransfer("7000")
			l.element(p.a, "application/reception")
			l.settle()
		}, "off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy := pressPolicy(t)
			l := newLabWith(t, policy)
			p := tc.before(l)
			l.settle()
			l.restart(policy, func() {
				if tc.between != nil {
					tc.between(l, p)
				}
			})
			holder := p.a
			l.waitState(holder, tc.state)
			if n := l.meter.get("adopted adopted"); n != 1 {
				t.Errorf("%d calls adopted", n)
			}
			if tc.after != nil {
				tc.after(l, p)
			}
			l.waitState(holder, tc.then)
		})
	}
}

// TestPressUnseen: a code that is pressed while no Tapedeck listens changes
// nothing, and the user hears that.
func TestPressUnseen(t *testing.T) {
	policy := pressPolicy(t)
	l := newLabWith(t, policy)
	a := l.inbound("+442079460001")
	b := l.ring(a, "1004")
	l.answer(b)
	l.press(b) // seen
	l.waitState(a, "paused")
	l.talk(2 * second) // its prompt ends
	l.restart(policy, func() { b.PressDigits("*1") })
	l.waitState(a, "paused")
	l.until("the press is refused", func() bool { return l.meter.get("toggle dtmf missed") == 1 })
	l.settle()
	if heard := b.Hears(); len(heard) != 1 || filepath.Base(heard[0]) != "not-permitted.wav" {
		t.Errorf("the user hears %q", heard)
	}
	if left := b.Get(lastDigits); left != "" {
		t.Errorf("%s is still %q", lastDigits, left)
	}
	l.press(b)
	l.waitState(a, "on")
	l.restart(policy, func() {})
	l.settle()
	if n := l.meter.get("toggle dtmf missed"); n != 1 {
		t.Errorf("%d presses missed", n)
	}
}

// TestWatchdog: a file that is gone, or does not grow, is given up, and the
// recording goes on in a further one.
func TestWatchdog(t *testing.T) {
	policy := pressPolicy(t)
	l := newLabWith(t, policy)
	a := l.inbound("+442079460001")
	l.answer(l.ring(a, "1004"))
	l.waitState(a, "on")
	l.talk(second)
	first := a.Get("tapedeck_file")
	l.ctl.ask(t.Context(), func(now time.Time) {
		for range 2 {
			for _, k := range (watchdog{l.ctl}).files() {
				k.err = fs.ErrNotExist
				k.call.fileLooked(k, now)
			}
		}
	})
	l.until("a further file", func() bool { return a.Get("tapedeck_state") == "on" && l.meter.get("start ok") == 1 })
	l.talk(second)
	if files := l.files(); len(files) != 2 {
		t.Errorf("files: %q", files)
	}
	l.waitState(a, "on")
	l.ctl.ask(t.Context(), func(now time.Time) {
		c := l.ctl.calls[a.UUID()]
		if all := c.files.All(); len(all) != 2 || all[0].Path != first || all[1].Path == first || len(all[0].Problems) == 0 || len(all[1].Problems) != 0 {
			t.Errorf("parts %+v %+v", all[0], c.files.Last())
		}
	})
	a.Hangup("")
	l.settle()
	l.until("both files are described", func() bool {
		return l.meter.get("recording problem") == 1 && l.meter.get("recording complete") == 1
	})
	if n := l.meter.get("problem file missing"); n != 1 {
		t.Errorf("%d files missing", n)
	}
}

// waitState waits until a leg is told a state.
func (l *lab) waitState(leg *esltest.Channel, want string) {
	l.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for leg.Get("tapedeck_state") != want {
		if time.Now().After(deadline) {
			l.Fatalf("tapedeck_state is %q, want %q", leg.Get("tapedeck_state"), want)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestSwitchDuringATakeOver: an owner that was cut off obeys a switch, and tells
// the user so, when the call has just been taken over. What the user heard holds.
func TestSwitchDuringATakeOver(t *testing.T) {
	p := pressPolicy(t)
	l := newLabWith(t, p)
	a := l.inbound("+442079460001")
	b := l.ring(a, "1004")
	l.answer(b)
	k, err := handover.Read(a.Get(handover.Variable))
	l.must(err)
	l.restart(p, func() {})
	l.state(a, "on")
	k.Person, k.Method, k.User, k.Pressed = toggle.SwitchedOff, "dtmf", "dave", time.Now()
	a.Set(handover.Variable, k.Encode())
	l.until("it is paused", func() bool { return a.Get("tapedeck_state") == "paused" })
	l.press(b)
	l.state(a, "on")
	a.Hangup("")
}

// beside is the Calls of a Tapedeck beside others.
type beside struct{ later }

func (beside) Alone() bool { return false }

// TestAnsweredLegEntersElsewhere: the leg that has answered an outgoing call
// reaches another instance, and the owner does not know yet who has answered. It
// is still a leg of that call.
func TestAnsweredLegEntersElsewhere(t *testing.T) {
	p := pressPolicy(t)
	l := newLabWith(t, p)
	a := l.from("1001", "07700900123")
	b := l.out(a)
	l.settle()
	l.stop()
	l.ctl, l.socket = l.start(l.address, Config{Policy: func() *flow.Policy { return p }, Calls: beside{}, Index: noIndex{}, Archive: unwritten{}})
	b.Answer()
	if a.BlindTransfer("1005") != b {
		t.Fatal("the leg that has answered is not transferred")
	}
	events := l.watch(enteredSubclass)
	l.enter(b)
	l.next(events, "Unique-ID", b.UUID())
	if got := b.Get("tapedeck_call"); got != a.UUID() {
		t.Errorf("tapedeck_call is %q, want %q", got, a.UUID())
	}
	b.Hangup("")
}

// TestEnteredElsewhereDuringACut: an element that wants the call recorded is
// entered at another instance while the owner's link is cut: the owner finds it.
func TestEnteredElsewhereDuringACut(t *testing.T) {
	w := newWiredWith(t, pressPolicy(t), Prompts{})
	a := w.inbound("+442079460004") // nobody says anything
	d := w.ring(a, "1004")
	w.answer(d)
	w.state(a, "off")
	up := w.linkDown()
	a.Set(handover.RelayedVariable, "application/survey") // says yes
	up()
	w.until("it is recorded", func() bool { return a.Get("tapedeck_state") == "on" })
	w.until("it is noted that it was seen", func() bool { return a.Get(handover.RelayedVariable) == "" })
	w.press(d)
	w.state(a, "paused")
	a.Set(handover.RelayedVariable, "application/survey") // as if that were lost with the link
	w.ctlHas("and known", func(ctl *Controller) bool {
		c := ctl.calls[a.UUID()]
		c.lease.seen = []string{"application/survey"}
		return true
	})
	w.relink()
	w.until("it is noted again", func() bool { return a.Get(handover.RelayedVariable) == "" })
	w.state(a, "paused") // what was entered long ago does not end the pause
	w.over()
}
