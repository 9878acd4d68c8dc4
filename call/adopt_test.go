package call

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// TestAdoption: after a restart Tapedeck goes on with every call in the state in
// which it was.
func TestAdoption(t *testing.T) {
	const yes, no = "+442079460001", "+442079460003"
	type parties struct{ a, b *esltest.Channel }
	inbound := func(number, phone string) func(*fixture) parties {
		return func(fx *fixture) parties {
			a := fx.inbound(number)
			b := fx.ring(a, phone)
			fx.answer(b)
			fx.talk(second)
			return parties{a, b}
		}
	}
	for _, tc := range []struct {
		name    string
		before  func(*fixture) parties
		between func(*fixture, parties)
		state   string // after the restart
		after   func(*fixture, parties)
		then    string // after that
	}{
		{"recorded goes on", inbound(yes, "1004"), nil, "on", nil, "on"},
		{"paused stays paused, and the code resumes", func(fx *fixture) parties {
			p := inbound(yes, "1004")(fx)
			fx.pressCode(p.b)
			return p
		}, nil, "paused", func(fx *fixture, p parties) { fx.pressCode(p.b) }, "on"},
		{"the code pauses what goes on", inbound(yes, "1004"), nil, "on", func(fx *fixture, p parties) { fx.pressCode(p.b) }, "paused"},
		{"off, and the code starts it", inbound(no, "1004"), nil, "off", func(fx *fixture, p parties) { fx.pressCode(p.b) }, "on"},
		{"a user who says no has come meanwhile", inbound(yes, "1004"), func(fx *fixture, p parties) {
			consult := fx.sw.Incoming(esltest.Leg{Profile: "internal", Number: "1004", Destination: "1002",
				Variables: map[string]string{"user_name": "1004", "domain_name": "acme.example.net"}})
			fx.ring(consult, "1002").Answer()
			p.b.AttendedTransfer(consult)
		}, "off", nil, "off"},
		{"answered meanwhile", func(fx *fixture) parties {
			a := fx.inbound(yes)
			return parties{a, fx.ring(a, "1004")}
		}, func(fx *fixture, p parties) { p.b.Answer() }, "on", nil, "on"},
		{"outgoing, answered meanwhile", func(fx *fixture) parties {
			a := fx.from("1001", "07700900123")
			return parties{a, fx.out(a)}
		}, func(fx *fixture, p parties) { p.b.Answer() }, "on", nil, "on"},
		{"its file was stopped meanwhile", inbound(yes, "1004"), func(fx *fixture, p parties) {
			fx.must(p.a.Execute("stop_record_session", p.a.Get("tapedeck_file")))
		}, "on", nil, "on"},
		{"a further element", inbound(yes, "1004"), nil, "on", func(fx *fixture, p parties) {
			p.b.BlindTransfer("7000")
			fx.element(p.a, "application/reception")
			fx.settle()
		}, "off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy := pressPolicy(t)
			fx := newFixtureWith(t, policy)
			p := tc.before(fx)
			fx.settle()
			fx.restart(policy, func() {
				if tc.between != nil {
					tc.between(fx, p)
				}
			})
			holder := p.a
			fx.waitState(holder, tc.state)
			if n := fx.meter.get("adopted adopted"); n != 1 {
				t.Errorf("%d calls adopted", n)
			}
			if tc.after != nil {
				tc.after(fx, p)
			}
			fx.waitState(holder, tc.then)
		})
	}
}

// TestAnsweredUnseen: who answered while Tapedeck was down is not known. The trace says so:
// a file that was silent until then is no file that nobody wanted.
func TestAnsweredUnseen(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	seen, unseen := fx.inbound("+442079460001"), fx.inbound("+442079460001")
	fx.answer(fx.ring(seen, "1004"))
	rings := fx.ring(unseen, "1004")
	fx.restart(p, rings.Answer)
	for leg, want := range map[*esltest.Channel]string{seen: "", unseen: recording.ResultUnseen} {
		var got []string
		fx.ctl.ask(t.Context(), func(time.Time) {
			for _, n := range fx.ctl.calls[leg.UUID()].trace {
				if n.What == recording.NoteAdopted {
					got = append(got, n.Result)
				}
			}
		})
		if !slices.Equal(got, []string{want}) {
			t.Errorf("adopted: %q, want %q", got, want)
		}
		leg.Hangup("")
	}
	fx.settle()
}

// TestPressUnseen: a code that is pressed while no Tapedeck listens changes nothing,
// and the user hears "Not permitted".
func TestPressUnseen(t *testing.T) {
	policy := pressPolicy(t)
	fx := newFixtureWith(t, policy)
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1004")
	fx.answer(b)
	fx.pressCode(b) // seen
	fx.waitState(a, "paused")
	fx.talk(2 * second) // its prompt ends
	fx.restart(policy, func() { b.PressDigits("*1") })
	fx.waitState(a, "paused")
	fx.missed(b)
	fx.pressCode(b)
	fx.waitState(a, "on")
	fx.restart(policy, func() {})
	fx.settle()
	if n := fx.meter.get("toggle dtmf missed"); n != 1 {
		t.Errorf("%d presses missed", n)
	}
}

// missed waits until the code that a phone has pressed unseen is refused: its user hears
// "Not permitted", and the leg's note of the press is cleared.
func (fx *fixture) missed(phone *esltest.Channel) {
	fx.Helper()
	fx.until("the press is refused", func() bool { return fx.meter.get("toggle dtmf missed") == 1 })
	fx.settle()
	if heard := phone.Hears(); len(heard) != 1 || filepath.Base(heard[0]) != "not-permitted.wav" {
		fx.Errorf("the user hears %q", heard)
	}
	if left := phone.Get(lastDigits); left != "" {
		fx.Errorf("%s is still %q", lastDigits, left)
	}
}

// TestWatchdog: a file that is gone or does not grow is given up, and the recording
// goes on in a further file.
func TestWatchdog(t *testing.T) {
	policy := pressPolicy(t)
	fx := newFixtureWith(t, policy)
	a := fx.inbound("+442079460001")
	fx.answer(fx.ring(a, "1004"))
	fx.waitState(a, "on")
	fx.talk(second)
	first := a.Get("tapedeck_file")
	fx.ctl.ask(t.Context(), func(now time.Time) {
		for range 2 {
			for _, k := range (watchdog{fx.ctl}).files() {
				k.err = fs.ErrNotExist
				k.call.fileLooked(k, now)
			}
		}
	})
	fx.until("a further file", func() bool { return a.Get("tapedeck_state") == "on" && fx.meter.get("start ok") == 1 })
	fx.talk(second)
	if files := fx.files(); len(files) != 2 {
		t.Errorf("files: %q", files)
	}
	fx.waitState(a, "on")
	fx.ctl.ask(t.Context(), func(now time.Time) {
		c := fx.ctl.calls[a.UUID()]
		if all := c.files.All(); len(all) != 2 || all[0].Path != first || all[1].Path == first || len(all[0].Problems) == 0 || len(all[1].Problems) != 0 {
			t.Errorf("parts %+v %+v", all[0], c.files.Last())
		}
	})
	a.Hangup("")
	fx.settle()
	fx.until("both files are described", func() bool {
		return fx.meter.get("recording problem") == 1 && fx.meter.get("recording complete") == 1
	})
	if n := fx.meter.get("problem file missing"); n != 1 {
		t.Errorf("%d files missing", n)
	}
}

// TestPressDuringATakeover: the previous owner, which was cut off, obeys a press and
// announces its result when the call has just been taken over. The new owner takes
// that press.
func TestPressDuringATakeover(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1004")
	fx.answer(b)
	k, err := handover.Read(a.Get(handover.Variable))
	fx.must(err)
	fx.restart(p, func() {})
	fx.wantState(a, "on")
	k.Person, k.Method, k.User, k.Pressed = toggle.TurnedOff, "dtmf", "dave", time.Now()
	a.Set(handover.Variable, k.Encode())
	fx.until("it is paused", func() bool { return a.Get("tapedeck_state") == "paused" })
	fx.pressCode(b)
	fx.wantState(a, "on")
	a.Hangup("")
}

// sharedStore is a Calls of which other instances may exist.
type sharedStore struct{ laterStore }

func (sharedStore) Alone() bool { return false }

// TestAnsweredLegEntersElsewhere: the leg that has answered an outgoing call reaches
// another instance, before the owner knows who has answered. It still belongs to
// that call.
func TestAnsweredLegEntersElsewhere(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	a := fx.from("1001", "07700900123")
	b := fx.out(a)
	fx.settle()
	fx.stop()
	fx.serve(Config{Policy: testPolicyOf(p), Calls: sharedStore{}})
	b.Answer()
	if a.BlindTransfer("1005") != b {
		t.Fatal("the leg that has answered is not transferred")
	}
	b.Set("tapedeck_org", "acme")
	events := fx.watch(enteredSubclass)
	fx.enter(b)
	fx.wantNext(events, "Unique-ID", b.UUID())
	if got := b.Get("tapedeck_call"); got != a.UUID() {
		t.Errorf("tapedeck_call is %q, want %q", got, a.UUID())
	}
	fx.sw.ExcuseTold(true) // the owner is dead
	if testkit.Happens(300*time.Millisecond, func() (begun bool) {
		fx.ctl.ask(t.Context(), func(time.Time) { begun = len(fx.ctl.calls) > 0 })
		return begun
	}) {
		t.Error("a call of its own begins on the leg")
	}
	b.Hangup("")
}

// TestEnteredElsewhereDuringACut: an element that says yes is entered at another
// instance while the owner's link is cut. The owner enters it when the link is back.
func TestEnteredElsewhereDuringACut(t *testing.T) {
	w := newProxiedWith(t, pressPolicy(t), Prompts{})
	a := w.inbound("+442079460004") // dont-care
	d := w.ring(a, "1004")
	w.answer(d)
	w.wantState(a, "off")
	up := w.linkDown()
	a.Set(handover.RelayedVariable, "application/survey") // says yes
	up()
	w.until("it is recorded", func() bool { return a.Get("tapedeck_state") == "on" })
	w.until("the note on the leg is cleared", func() bool { return a.Get(handover.RelayedVariable) == "" })
	w.pressCode(d)
	w.wantState(a, "paused")
	a.Set(handover.RelayedVariable, "application/survey") // as if clearing the note had been lost with the link
	w.waitFor("the element counts as entered", func(ctl *Controller) bool {
		c := ctl.calls[a.UUID()]
		c.ownership.relaysEntered = []string{"application/survey"}
		return true
	})
	w.relink()
	w.until("the note on the leg is cleared again", func() bool { return a.Get(handover.RelayedVariable) == "" })
	w.wantState(a, "paused") // an element that was entered earlier does not end the pause
	w.endAll()
}

// claimMeanwhile is a Calls in whose every claim something happens.
type claimMeanwhile struct {
	sharedStore
	happens func()
}

func (claimMeanwhile) Alive(context.Context, string) (bool, error) { return true, nil }

func (s claimMeanwhile) Claim(_ context.Context, c calls.Call) (calls.Call, error) {
	s.happens()
	c.Token++
	return c, nil
}

// TestPressBetweenSurveyAndAdoption: the survey of a takeover did not see the code
// yet, and its event comes before the call has its new owner. The press is refused
// aloud.
func TestPressBetweenSurveyAndAdoption(t *testing.T) {
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1004")
	fx.answer(b)
	k, err := handover.Read(a.Get(handover.Variable))
	fx.must(err)
	fx.stop()
	fx.serve(Config{Policy: testPolicyOf(p),
		Calls: claimMeanwhile{happens: func() {
			b.PressDigits("*1")
			fx.until("the press is nobody's", func() bool { return strings.Contains(fx.log.String(), "press on a leg of no call") })
		}}})
	fx.ctl.Orphans([]calls.Call{k.LiveCall(k.Encode())}, nil)
	fx.missed(b)
	fx.wantState(a, "on")
	fx.pressCode(b)
	fx.waitState(a, "paused")
}
