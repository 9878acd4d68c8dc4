package call

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// toldTrue checks what each leg is told now, and was told before (esltest.CheckTold). A
// command of one call may still be on its way to a leg of another one.
func (fx *fixture) toldTrue() {
	fx.Helper()
	if !testkit.Happens(time.Second, func() bool { return len(fx.sw.Untold()) == 0 }) {
		fx.Fatal(strings.Join(append(fx.sw.Untold(), fx.story()), "\n"))
	}
}

// describing is an Archive that keeps the sidecars.
type describing struct {
	noArchive
	mu   sync.Mutex
	done map[string]recording.Sidecar // by call
}

func (d *describing) Finish(s recording.Sidecar, then func(recording.Sidecar, error)) {
	d.mu.Lock()
	d.done[s.Call] = s
	d.mu.Unlock()
	d.noArchive.Finish(s, then)
}

// of is the sidecar of a call that has ended: it waits until that is written.
func (d *describing) of(call string) (s recording.Sidecar, written bool) {
	written = testkit.Happens(5*time.Second, func() (written bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		s, written = d.done[call]
		return written
	})
	return s, written
}

// notes are what a call's trace says of other calls.
func (d *describing) notes(call string) string {
	s, written := d.of(call)
	if !written {
		return "no sidecar"
	}
	var notes []string
	for _, n := range s.Trace {
		if n.Call != "" {
			notes = append(notes, strings.Join(strings.Fields(n.What+" "+n.User+" "+n.Call), " "))
		}
	}
	return strings.Join(notes, ", ")
}

// newTalk is a fixture on which everybody may press, and the sidecars that it writes.
func newTalk(t *testing.T) (*fixture, *describing) {
	t.Helper()
	p := pressPolicy(t)
	fx := newFixtureWith(t, p)
	fx.settle()
	fx.stop()
	sidecars := &describing{done: map[string]recording.Sidecar{}}
	fx.serve(Config{Policy: testPolicyOf(p), Archive: sidecars})
	return fx, sidecars
}

// parkedCall is an outside party's call that 1004 has taken and put into a slot.
func (fx *fixture) parkedCall(number string) *esltest.Channel {
	fx.Helper()
	a := fx.inbound(number)
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	if d.BlindTransfer("6001") != a {
		fx.Fatal("the outside party is not transferred")
	}
	fx.enter(a)
	a.Park()
	fx.settle()
	return a
}

// heardIn is what the file of a call holds.
func (fx *fixture) heardIn(leg *esltest.Channel) string {
	fx.Helper()
	heard, err := esltest.Listen(leg.Get("tapedeck_file"), 100*time.Millisecond, tones...)
	fx.must(err)
	var parts []string
	for _, h := range heard {
		parts = append(parts, h.String())
	}
	return strings.Join(parts, "; ")
}

// TestPickUp: a user who picks up a call talks in that call: one file, the outside
// party's, and his code silences it (docs/design.md, section 12, rule 11).
func TestPickUp(t *testing.T) {
	for _, tc := range []struct {
		name   string
		waits  func(*fixture) *esltest.Channel
		pickUp func(picker, waiting *esltest.Channel)
	}{
		{"from a slot", func(fx *fixture) *esltest.Channel { return fx.parkedCall("+442079460001") }, (*esltest.Channel).PickUpParked},
		{"while it rings", func(fx *fixture) *esltest.Channel {
			a := fx.inbound("+442079460001")
			fx.ring(a, "1006")
			return a
		}, (*esltest.Channel).Intercept},
		{"from somebody who talks", func(fx *fixture) *esltest.Channel {
			a := fx.inbound("+442079460001")
			fx.answer(fx.ring(a, "1006"))
			return a
		}, (*esltest.Channel).Intercept},
		{"an outgoing call", func(fx *fixture) *esltest.Channel {
			u := fx.from("1004", "07700900123", "02079460002") // the number says force, and frank may override it
			o := fx.out(u)
			fx.answer(o)
			return o
		}, (*esltest.Channel).Intercept},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx, sidecars := newTalk(t)
			a := tc.waits(fx)
			x := fx.from("1005", "6001")
			own := x.UUID()
			tc.pickUp(x, a)
			fx.settle()
			fx.toldTrue()
			fx.wantState(a, "on")
			fx.wantState(x, "on")
			if got, want := x.Get("tapedeck_call"), a.Get("tapedeck_call"); got != want {
				t.Errorf("tapedeck_call of the picking leg is %q, want %q", got, want)
			}
			if x.Get(handover.Variable) != "" {
				t.Error("the picking leg still has a snapshot")
			}
			fx.pressCode(x)
			fx.wantState(a, "paused")
			fx.wantState(x, "paused")
			fx.wantPrompt(x, "recorded.wav")
			if files := recordedInto(a); len(files) != 0 {
				t.Errorf("paused, and the outside party is written into %q", files)
			}
			fx.talk(2 * second)
			fx.pressCode(x)
			fx.wantState(a, "on")
			fx.talk(second)
			id := a.Get("tapedeck_call")
			a.Hangup("")
			fx.settle()
			if files := fx.files(); len(files) != 1 {
				t.Errorf("files: %q", files)
			}
			if got, want := sidecars.notes(id), "joined frank "+own; got != want {
				t.Errorf("the outside party's sidecar says %q, want %q", got, want)
			}
			if live := fx.meter.get("live"); live != 0 {
				t.Errorf("%d calls are still live", live)
			}
			if n := len(fx.log.Lines("level=WARN")); n != 0 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

// TestPickUpByARecordedUser: a user whose own calls are recorded has a file from the
// moment on at which he was answered. It ends when he comes to talk with the outside
// party, and the two sidecars name each other.
func TestPickUpByARecordedUser(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001") // alice: internal yes
	x.Answer()
	fx.settle()
	fx.wantState(x, "on")
	fx.talk(second)
	x.PickUpParked(a)
	fx.settle()
	fx.toldTrue()
	fx.talk(2 * second)
	if files := recordedInto(x); len(files) != 1 || files[0] != a.Get("tapedeck_file") {
		t.Errorf("alice is written into %q", files)
	}
	fx.pressCode(x)
	fx.wantState(a, "paused")
	fx.wantState(x, "paused")
	a.Hangup("")
	fx.settle()
	if got, want := fx.heardIn(x), "0s-1s 880|-"; got != want {
		t.Errorf("alice's own file has %s, want %s", got, want)
	}
	if got, want := sidecars.notes(x.UUID()), "dissolved "+a.UUID(); got != want {
		t.Errorf("alice's sidecar says %q, want %q", got, want)
	}
	if got, want := sidecars.notes(a.UUID()), "joined alice "+x.UUID(); got != want {
		t.Errorf("the outside party's sidecar says %q, want %q", got, want)
	}
	for _, call := range []string{x.UUID(), a.UUID()} {
		if s, _ := sidecars.of(call); len(s.Problems) != 0 {
			t.Errorf("%s has problems %q", call, s.Problems)
		}
	}
}

// TestPickUpBySomebodyWhoSaysNo: the setting of the user who picks up counts in the
// call that he has picked up, and nothing of his own call does.
func TestPickUpBySomebodyWhoSaysNo(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1002", "6001") // bob: no
	fx.element(x, "application/survey")
	x.PickUpParked(a)
	fx.settle()
	fx.toldTrue()
	fx.wantState(a, "off")
	fx.wantState(x, "off")
	fx.talk(second)
	a.Hangup("")
	fx.settle()
	if got := fx.heardIn(a); !strings.HasSuffix(got, "-|-") {
		t.Errorf("the outside party's file has %s", got)
	}
}

// TestPausedBeforePickUp: a user who has paused his own call is told when the call
// that he comes to is being recorded.
func TestPausedBeforePickUp(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	x.Answer()
	fx.settle()
	fx.pressCode(x)
	fx.wantState(x, "paused")
	fx.talk(2 * second)
	x.PickUpParked(a)
	fx.settle()
	fx.wantState(x, "on")
	fx.wantPrompt(x, "is-being-recorded.wav")
	fx.toldTrue()
	a.Hangup("")
	fx.settle()
}

// TestConsultationFromTheCaller: bob calls alice, who talks to an outside party, and
// she joins the two. Bob's leg holds the internal call: it becomes part of the other.
func TestConsultationFromTheCaller(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.inbound("+442079460001")
	one := fx.ring(a, "1004")
	fx.answer(one)
	caller := fx.from("1001", "1004") // alice calls dave, and is recorded
	two := fx.ring(caller, "1004")
	fx.answer(two)
	fx.wantState(caller, "on")
	fx.talk(second)
	one.AttendedTransfer(two)
	fx.settle()
	fx.toldTrue()
	fx.talk(second)
	if files := recordedInto(caller); len(files) != 1 || files[0] != a.Get("tapedeck_file") {
		t.Errorf("alice is written into %q", files)
	}
	fx.pressCode(caller)
	fx.wantState(a, "paused")
	fx.wantState(caller, "paused")
	a.Hangup("")
	fx.settle()
	if got, want := fx.heardIn(caller), "0s-1s 880|2200"; got != want {
		t.Errorf("the internal call's file has %s, want %s", got, want)
	}
	if got, want := sidecars.notes(caller.UUID()), "dissolved "+a.UUID(); got != want {
		t.Errorf("the internal call's sidecar says %q, want %q", got, want)
	}
}

// TestConsultationEndsLate: what the call of a consultation tells a phone does not come
// after what the call tells it to which the phone has been transferred, even if the
// former has other commands to send before.
func TestConsultationEndsLate(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	one := fx.ring(a, "1001")
	fx.answer(one)
	two := fx.from("1001", "1006") // grace may not press
	b := fx.ring(two, "1006")
	fx.answer(b)
	fx.wantState(b, "on")
	var consultation *call
	fx.ctl.ask(context.Background(), func(time.Time) { consultation = fx.ctl.callOf(two.UUID()) })
	fx.sw.DelayReplies(20 * time.Millisecond)
	for range 4 { // so many prompts are to be played
		b.PressDigits("*1")
	}
	one.AttendedTransfer(two)
	fx.until("the consultation's last command is done", func() (done bool) {
		fx.ctl.ask(context.Background(), func(time.Time) {
			done = !consultation.isLive() && len(consultation.line.orders) == 0
		})
		return done
	})
	fx.sw.DelayReplies(0)
	fx.settle()
	fx.toldTrue()
	fx.wantState(a, "on")
	fx.wantState(b, "on")
	a.Hangup("")
	fx.settle()
}

// TestUserLeavesAndStays: a user's leg that has left a call, and is still there, is told
// that its voice is in no file.
func TestUserLeavesAndStays(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantState(d, "on")
	d.Set("confirm_blind_transfer", "true")
	if d.ConfirmedTransfer("6001") == nil {
		t.Fatal("the outside party is not transferred")
	}
	fx.settle()
	fx.wantState(d, "off")
	fx.wantState(a, "on")
	a.Hangup("")
	fx.settle()
}

// TestDissolvedWhileAnswered: the answer of a leg starts its file although its call has
// dissolved and was disarmed: the answer was faster, and its event comes after the reply.
// The file is stopped.
func TestDissolvedWhileAnswered(t *testing.T) {
	fx, _ := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001") // alice: armed
	fx.settle()
	fx.sw.Fail(func(command, args string) (string, bool) { // too late
		return "+OK\n", command == "uuid_setvar" && strings.Contains(args, "execute_on_answer_tapedeck")
	})
	var c *call
	fx.ctl.ask(context.Background(), func(now time.Time) {
		c = fx.ctl.callOf(x.UUID())
		c.talk.dissolveHere(fx.ctl.callOf(a.UUID()), now)
	})
	fx.until("it is disarmed", func() (done bool) {
		fx.ctl.ask(context.Background(), func(time.Time) { done = c.rec.File == toggle.NoFile && c.rec.Pending == toggle.None })
		return done
	})
	x.Answer()
	fx.until("the file is stopped", func() bool { return fx.meter.get("stop ok") == 1 })
	fx.settle()
	a.Hangup("")
	x.Hangup("")
	fx.settle()
}

// TestTwoOutsideParties: two outside parties who are joined keep one file each. The
// state on each leg is the stronger of the two files', because each voice is in both.
func TestTwoOutsideParties(t *testing.T) {
	for _, tc := range []struct {
		name   string
		paused bool
		state  string
	}{{"one is recorded", false, "on"}, {"one is paused", true, "paused"}} {
		t.Run(tc.name, func(t *testing.T) {
			fx, sidecars := newTalk(t)
			a := fx.inbound("+442079460001")
			one := fx.ring(a, "1004")
			fx.answer(one)
			if tc.paused {
				fx.pressCode(one)
			}
			two := fx.from("1004", "07700900123")
			o := fx.out(two)
			fx.answer(o)
			fx.wantState(o, "off")
			one.AttendedTransfer(two)
			fx.settle()
			fx.toldTrue()
			fx.wantState(a, tc.state)
			fx.wantState(o, tc.state)
			fx.talk(second)
			a.Hangup("")
			fx.settle()
			if got := sidecars.notes(a.UUID()); got != "" {
				t.Errorf("the sidecar says %q", got)
			}
			if live := fx.meter.get("live"); live != 0 {
				t.Errorf("%d calls are still live", live)
			}
		})
	}
}

// TestInternalPickUp: of two internal calls that meet, the one that began later becomes
// part of the other.
func TestInternalPickUp(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.from("1001", "1004")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	x := fx.from("1001", "6001") // alice at another phone: both calls are recorded
	x.Answer()
	fx.settle()
	x.Intercept(a)
	fx.settle()
	fx.toldTrue()
	fx.talk(second)
	if files := recordedInto(x); len(files) != 1 || files[0] != a.Get("tapedeck_file") {
		t.Errorf("the picking phone is written into %q", files)
	}
	fx.pressCode(x)
	fx.wantState(a, "paused")
	a.Hangup("")
	fx.settle()
	if got, want := sidecars.notes(a.UUID()), "joined alice "+x.UUID(); got != want {
		t.Errorf("the sidecar says %q, want %q", got, want)
	}
}

// TestPickerCallsAgain: when the outside party has hung up, the picking leg is in the
// dialplan again, and what it begins is a new call with a file of its own.
func TestPickerCallsAgain(t *testing.T) {
	fx, sidecars := newTalk(t)
	a := fx.parkedCall("+442079460001")
	x := fx.from("1001", "6001")
	x.Answer()
	x.Set("hangup_after_bridge", "false")
	fx.settle()
	fx.talk(second)
	x.Intercept(a)
	fx.settle()
	fx.talk(second)
	first := x.Get("tapedeck_file")
	a.Hangup("")
	fx.settle()
	fx.waitState(x, "off")
	fx.enter(x)
	fx.settle()
	if got := filepath.Base(x.Get("tapedeck_file")); got != x.UUID()+"-2.wav" || x.Get("tapedeck_file") == first {
		t.Errorf("the file of the new call is %s", got)
	}
	fx.wantState(x, "on")
	fx.talk(second)
	x.Hangup("")
	fx.settle()
	for _, call := range []string{a.UUID(), x.UUID(), x.UUID() + "-2"} {
		if _, written := sidecars.of(call); !written {
			t.Errorf("%s has no sidecar", call)
		}
	}
}

// TestPickUpUnseen: a pick-up while Tapedeck was down, or the link was cut, leads to the
// same.
func TestPickUpUnseen(t *testing.T) {
	check := func(fx *fixture, a, x *esltest.Channel) {
		fx.Helper()
		fx.waitState(a, "on")
		fx.waitState(x, "on")
		fx.until("alice's own file is closed", func() bool { return len(recordedInto(x)) == 1 })
		fx.settle()
		fx.toldTrue()
		fx.pressCode(x)
		fx.waitState(a, "paused")
		fx.waitState(x, "paused")
		a.Hangup("")
		fx.settle()
		if live := fx.meter.get("live"); live != 0 {
			fx.Errorf("%d calls are still live", live)
		}
	}
	before := func(fx *fixture) (a, x *esltest.Channel) {
		a = fx.parkedCall("+442079460001")
		x = fx.from("1001", "6001")
		x.Answer()
		fx.settle()
		fx.talk(second)
		return a, x
	}
	t.Run("restart", func(t *testing.T) {
		p := pressPolicy(t)
		fx := newFixtureWith(t, p)
		a, x := before(fx)
		fx.restart(p, func() { x.PickUpParked(a) })
		check(fx, a, x)
	})
	t.Run("link cut", func(t *testing.T) {
		w := newProxiedWith(t, pressPolicy(t), Prompts{})
		a, x := before(w.fixture)
		up := w.linkDown()
		x.PickUpParked(a)
		up()
		check(w.fixture, a, x)
	})
	t.Run("answered and picked up while the link was cut", func(t *testing.T) {
		w := newProxiedWith(t, pressPolicy(t), Prompts{})
		a := w.parkedCall("+442079460001")
		x := w.from("1001", "6001") // armed
		w.settle()
		up := w.linkDown()
		x.PickUpParked(a)
		w.talk(second)
		up()
		w.settle()
		w.talk(second)
		if long, err := esltest.Length(x.Get("tapedeck_file")); err != nil || long > second+100*time.Millisecond {
			t.Errorf("alice's own file has %v, %v: it goes on", long, err)
		}
		check(w.fixture, a, x)
	})
	t.Run("restart after the pick-up", func(t *testing.T) {
		p := pressPolicy(t)
		fx := newFixtureWith(t, p)
		a, x := before(fx)
		x.PickUpParked(a)
		fx.restart(p, func() {})
		if n := fx.meter.get("adopted adopted"); n != 1 {
			t.Errorf("%d calls adopted", n)
		}
		check(fx, a, x)
	})
}

// named is the Calls of one instance among several.
type named struct {
	noStore
	name string
}

func (n named) Instance() string { return n.name }
func (named) Alone() bool        { return false }

func (named) Alive(context.Context, string) (bool, error) { return true, nil }

// TestPickUpAcrossInstances: the outside party's call belongs to one instance and the
// picking leg's to another. The result is the same, and one of them takes the press.
func TestPickUpAcrossInstances(t *testing.T) {
	for _, tc := range []struct {
		name string
		call func(*fixture) *esltest.Channel // that is picked up
	}{
		{"an outside party's call", func(fx *fixture) *esltest.Channel { return fx.parkedCall("+442079460001") }},
		{"an internal call", func(fx *fixture) *esltest.Channel {
			a := fx.from("1001", "1004")
			fx.answer(fx.ring(a, "1004"))
			return a
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := pressPolicy(t)
			fx := newFixtureWith(t, p)
			fx.settle()
			fx.stop()
			sidecars := &describing{done: map[string]recording.Sidecar{}}
			start := func(name string) (*Controller, string, func()) {
				ctl, socket := fx.start(fx.address, Config{Policy: testPolicyOf(p), Calls: named{name: name}, Archive: sidecars})
				return ctl, socket, fx.stop
			}
			one, socketOne, stopOne := start("one")
			two, socketTwo, stopTwo := start("two")
			fx.stop = func() { stopOne(); stopTwo() }
			settle := func() {
				for range 2 { // what one has sent may be an event for the other
					for _, fx.ctl = range []*Controller{one, two} {
						fx.settle()
					}
				}
			}
			fx.ctl, fx.socket = one, socketOne
			a := tc.call(fx)
			settle()
			fx.ctl, fx.socket = two, socketTwo
			x := fx.from("1001", "6001") // alice, who is recorded
			x.Answer()
			settle()
			fx.wantState(x, "on")
			fx.talk(second)
			x.Intercept(a)
			settle()
			fx.wantState(a, "on")
			fx.wantState(x, "on")
			fx.toldTrue()
			if files := recordedInto(x); len(files) != 1 || files[0] != a.Get("tapedeck_file") {
				t.Errorf("alice is written into %q", files)
			}
			for i, state := range []string{"paused", "on"} { // the marker on alice's phone was the other instance's
				x.RecordKey(state == "on")
				settle()
				fx.wantState(a, state)
				if n := fx.meter.get("toggle record_key ok"); n != i+1 {
					t.Errorf("%d presses of the key were obeyed, want %d", n, i+1)
				}
			}
			x.PressDigits("*1")
			settle()
			fx.wantState(a, "paused")
			fx.wantState(x, "paused")
			if n := fx.meter.get("toggle dtmf ok"); n != 1 {
				t.Errorf("%d presses were obeyed", n)
			}
			fx.talk(second)
			x.PressDigits("*1")
			settle()
			fx.wantState(a, "on")
			a.Hangup("")
			settle()
			if got, want := sidecars.notes(x.UUID()), "dissolved "+a.UUID(); got != want {
				t.Errorf("alice's sidecar says %q, want %q", got, want)
			}
			if got, want := sidecars.notes(a.UUID()), "joined alice "+x.UUID(); got != want {
				t.Errorf("the other sidecar says %q, want %q", got, want)
			}
		})
	}
}
