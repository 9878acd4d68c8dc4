package call

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/internal/testkit"
	"tapedeck/toggle"
)

// pressPolicy is testPolicy with every method granted.
func pressPolicy(t *testing.T) *flow.Policy {
	p := testPolicy(t)
	p.Organisations["acme"].OnDemand = flow.OnDemand{DTMF: "*1", RecordKey: true, BlindTransfer: "*1", API: true}
	return p
}

// press is the code on a phone; the digits take a third of a second.
func (l *lab) press(phone *esltest.Channel) {
	l.Helper()
	phone.PressDigits("*1")
	l.settle()
}

// key is the Record key of a phone.
func (l *lab) key(phone *esltest.Channel, on bool) {
	l.Helper()
	if !phone.RecordKey(on) {
		l.Error("the record key is refused")
	}
	l.settle()
}

// sendOn is a blind transfer to a code that is refused: the other leg passes the
// dialplan, and the two are joined again.
func (l *lab) sendOn(phone, other *esltest.Channel, code string) {
	l.Helper()
	if phone.ConfirmedTransfer(code) != other {
		l.Fatal("the phone's leg does not wait for its transfer")
	}
	other.Set("sip_disable_recording", "true") // as the dialplan does before every socket
	l.enter(other)
	phone.Refuse(other)
	l.settle()
}

// TestPresses: what is heard, and what the phone is told, when people switch.
func TestPresses(t *testing.T) {
	for _, tc := range []struct {
		name            string
		play            func(*lab)
		tones           []float64 // of the talk that is to be heard
		speech, silence float64
		counts          map[string]int
	}{
		{"pause and resume, again and again", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			for range 3 {
				l.talk(second)
				l.press(d)
				l.state(a, "paused")
				l.talk(second)
				l.press(d)
				l.state(a, "on")
			}
			l.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 4, 3, map[string]int{"toggle dtmf ok": 6}},
		{"start where the policy says no", func(l *lab) {
			a := l.inbound("+442079460003")
			d := l.ring(a, "1004")
			l.answer(d)
			l.talk(second)
			l.press(d)
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 1}},
		{"start where the policy says nothing, pause, start", func(l *lab) {
			a := l.inbound("+442079460004")
			d := l.ring(a, "1004")
			l.answer(d)
			l.press(d)
			l.talk(second)
			l.press(d)
			l.talk(second)
			l.press(d)
			l.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 1, map[string]int{"toggle dtmf ok": 3}},
		{"two presses in a row", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			d.PressDigits("*1*1")
			l.settle()
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 2}},
		{"the outside party presses", func(l *lab) {
			a := l.inbound("+442079460001")
			l.answer(l.ring(a, "1004"))
			l.press(a)
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 0}},
		{"by the new user after a blind transfer", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			a = d.BlindTransfer("1005")
			l.enter(a)
			f := l.ring(a, "1005")
			l.answer(f)
			l.press(f)
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, frank}, 0, 2, map[string]int{"toggle dtmf ok": 1}},
		{"outgoing", func(l *lab) {
			a := l.from("1001", "07700900123")
			l.answer(l.out(a))
			l.press(a)
			l.talk(2 * second)
			l.press(a)
			l.talk(second)
			a.Hangup("")
		}, []float64{outside, alice}, 1, 2, map[string]int{"toggle dtmf ok": 2}},
		{"outgoing, after a blind transfer of the outside party", func(l *lab) {
			a := l.from("1001", "07700900123")
			b := l.out(a)
			l.answer(b)
			b = a.BlindTransfer("1004")
			l.settle()
			l.enter(b)
			d := l.ring(b, "1004")
			l.answer(d)
			l.press(d)
			l.talk(2 * second)
			b.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 1}},
		{"internal, by both", func(l *lab) {
			a := l.from("1001", "1004")
			d := l.ring(a, "1004")
			l.answer(d)
			l.press(d)
			l.state(a, "paused")
			l.talk(2 * second)
			l.press(a)
			l.state(a, "on")
			l.talk(second)
			a.Hangup("")
		}, []float64{alice, dave}, 1, 2, map[string]int{"toggle dtmf ok": 2}},
		{"the record key: off, on, off", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			l.talk(second)
			l.key(d, false)
			l.state(a, "paused")
			l.talk(second)
			l.key(d, true)
			l.state(a, "on")
			l.talk(second)
			l.key(d, false)
			l.key(d, false)
			l.state(a, "paused")
			l.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 2, map[string]int{"toggle record_key ok": 3}},
		{"the record key and the code in turn", func(l *lab) {
			a := l.inbound("+442079460004")
			d := l.ring(a, "1004")
			l.answer(d)
			l.key(d, true)
			l.talk(second)
			l.press(d)
			l.state(a, "paused")
			l.key(d, true)
			l.state(a, "on")
			l.press(d)
			l.press(d)
			l.state(a, "on")
			l.key(d, false)
			l.state(a, "paused")
			l.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 1, 1, map[string]int{"toggle record_key ok": 3, "toggle dtmf ok": 3}},
		{"the record key against a lock", func(l *lab) {
			a := l.inbound("+442079460005")
			d := l.ring(a, "1004")
			l.answer(d)
			l.key(d, false)
			l.state(a, "on")
			l.hears(d, "not-permitted.wav")
			l.key(d, false)
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle record_key locked": 2}},
		{"the record key on an outgoing call, after a transfer", func(l *lab) {
			a := l.from("1001", "07700900123")
			b := l.out(a)
			l.answer(b)
			l.key(a, false)
			l.state(b, "paused")
			b = a.BlindTransfer("1004")
			l.settle()
			l.enter(b)
			d := l.ring(b, "1004")
			l.answer(d)
			l.key(d, true)
			l.state(b, "on")
			l.talk(2 * second)
			b.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle record_key ok": 2}},
		{"refused blind transfers", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			for range 2 {
				l.talk(second)
				l.sendOn(d, a, "*1")
				l.state(a, "paused")
				l.talk(second)
				l.sendOn(d, a, "*1")
				l.state(a, "on")
			}
			a.Hangup("")
		}, []float64{outside, dave}, 2, 2, map[string]int{"toggle blind_transfer ok": 4}},
		{"refused blind transfer, of a user whose own yes has it recorded", func(l *lab) {
			a := l.inbound("+442079460004")
			c := l.ring(a, "1003")
			l.answer(c)
			l.talk(second)
			l.sendOn(c, a, "*1")
			l.state(a, "paused")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, carol}, 1, 2, map[string]int{"toggle blind_transfer ok": 1}},
		{"refused blind transfer, of a user who may not", func(l *lab) {
			a := l.inbound("+442079460001")
			g := l.ring(a, "1006")
			l.answer(g)
			l.sendOn(g, a, "*1")
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, grace}, 2, 0, map[string]int{"toggle blind_transfer user_disabled": 1}},
		{"refused blind transfer, outgoing", func(l *lab) {
			a := l.from("1001", "07700900123")
			b := l.out(a)
			l.answer(b)
			l.sendOn(a, b, "*1")
			l.state(b, "paused")
			l.talk(2 * second)
			b.Hangup("")
		}, []float64{outside, alice}, 0, 2, map[string]int{"toggle blind_transfer ok": 1}},
		{"refused blind transfer, internal, by the caller", func(l *lab) {
			a := l.from("1001", "1004")
			d := l.ring(a, "1004")
			l.answer(d)
			l.sendOn(a, d, "*1")
			l.state(a, "paused")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{alice, dave}, 0, 2, map[string]int{"toggle blind_transfer ok": 1}},
		{"record keys after refused blind transfers, internal", func(l *lab) {
			a := l.from("1001", "1004")
			d := l.ring(a, "1004")
			l.answer(d)
			for _, from := range []*esltest.Channel{a, d} {
				to := d
				if from == d {
					to = a
				}
				l.sendOn(from, to, "*1")
				l.key(to, true)
				l.state(a, "on")
			}
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{alice, dave}, 2, 0, map[string]int{"toggle record_key ok": 2, "toggle blind_transfer ok": 2}},
		{"a forced number is not paused", func(l *lab) {
			a := l.inbound("+442079460005")
			d := l.ring(a, "1004")
			l.answer(d)
			l.press(d)
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf locked": 1, "toggle dtmf ok": 0}},
		{"a forced number is paused by one who may override", func(l *lab) {
			a := l.inbound("+442079460005")
			f := l.ring(a, "1005")
			l.answer(f)
			l.press(f)
			l.state(a, "paused")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, frank}, 0, 2, map[string]int{"toggle dtmf ok": 1}},
		{"a user who may not", func(l *lab) {
			a := l.inbound("+442079460001")
			g := l.ring(a, "1006")
			l.answer(g)
			l.press(g)
			l.state(a, "on")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, grace}, 2, 0, map[string]int{"toggle dtmf user_disabled": 1}},
		{"a pause lasts over a transfer to one who says nothing, and ends with one who says yes", func(l *lab) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			l.press(d)
			a = d.BlindTransfer("1005")
			l.enter(a)
			f := l.ring(a, "1005")
			l.answer(f)
			l.state(a, "paused")
			l.talk(2 * second)
			a = f.BlindTransfer("1003")
			l.enter(a)
			l.answer(l.ring(a, "1003"))
			l.state(a, "on")
			l.talk(second)
			a.Hangup("")
		}, []float64{outside, carol}, 1, 2, map[string]int{"toggle dtmf ok": 1}},
		{"what a person started ends with one who says no", func(l *lab) {
			a := l.inbound("+442079460004")
			d := l.ring(a, "1004")
			l.answer(d)
			l.press(d)
			a = d.BlindTransfer("1002")
			l.enter(a)
			l.answer(l.ring(a, "1002"))
			l.state(a, "off")
			l.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, bob}, 0, 2, map[string]int{"toggle dtmf ok": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLabWith(t, pressPolicy(t))
			tc.play(l)
			l.settle()
			l.lasted(tc.speech, tc.tones...)
			l.lasted(tc.silence)
			for name, want := range tc.counts {
				if got := l.meter.get(name); got != want {
					t.Errorf("%s: %d, want %d", name, got, want)
				}
			}
			if n := len(l.log.Lines("level=WARN")); n != 0 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

// lasted checks for how many seconds exactly these tones are heard, but for the
// third of a second that it takes to press a code.
func (l *lab) lasted(seconds float64, these ...float64) {
	l.Helper()
	files := l.files()
	if len(files) != 1 {
		l.Fatalf("files: %v", files)
	}
	heard, err := esltest.Listen(files[0], 20*time.Millisecond, tones...)
	if err != nil {
		l.Fatal(err)
	}
	got := esltest.Total(heard, these...).Seconds()
	presses := 0.35 * float64(l.meter.get("toggle dtmf ok")+l.meter.get("toggle dtmf locked")+l.meter.get("toggle dtmf user_disabled")+1)
	if got < seconds-0.001 || got > seconds+presses {
		l.Errorf("tones %v are heard for %.2f s, want %.2f s: %v", these, got, seconds, heard)
	}
}

// TestStickyPause: with sticky_pause a pause outlasts a transfer to a user who
// says yes.
func TestStickyPause(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].OnDemand.StickyPause = true
	l := newLabWith(t, p)
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.press(d)
	a = d.BlindTransfer("1003")
	l.enter(a)
	c := l.ring(a, "1003")
	l.answer(c)
	l.state(a, "paused")
	l.talk(second)
	l.press(c)
	l.state(a, "on")
	a.Hangup("")
}

// TestSwitchByAPI: the door for the API has the same rights and answers.
func TestSwitchByAPI(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	var refused toggle.Refusal
	for _, tc := range []struct {
		id, user string
		ask      toggle.Press
		want     toggle.Status
		check    func(error) bool
	}{
		{a.UUID(), "dave", toggle.TurnOff, toggle.Paused, nil},
		{a.UUID(), "1004", toggle.TurnOff, toggle.Paused, nil},
		{a.UUID(), "dave", toggle.Turn, toggle.On, nil},
		{a.UUID(), "dave", toggle.TurnOn, toggle.On, nil},
		{a.UUID(), "grace", toggle.TurnOff, toggle.On, func(err error) bool { return errors.As(err, &refused) && refused == toggle.NotItsUser }}, // is not on it
		{a.UUID(), "erin", toggle.TurnOff, toggle.On, func(err error) bool { return errors.As(err, &refused) && refused == toggle.NotItsUser }},
		{a.UUID(), "", toggle.TurnOff, toggle.Paused, nil},
		{a.UUID(), "", toggle.TurnOn, toggle.On, nil},
		{"none", "dave", toggle.TurnOff, toggle.Off, func(err error) bool { return errors.Is(err, toggle.ErrNoCall) }},
	} {
		told, err := l.ctl.Toggle(context.Background(), tc.id, tc.user, "root", tc.ask)
		if tc.check == nil && err != nil || tc.check != nil && !tc.check(err) {
			t.Errorf("%s %s: %v", tc.user, tc.ask, err)
		}
		if told != tc.want {
			t.Errorf("%s %s: told %s, want %s", tc.user, tc.ask, told, tc.want)
		}
	}
	l.settle()
	l.hears(d, "is-being-recorded.wav")
	l.maskFails()
	if told, err := l.ctl.Toggle(context.Background(), a.UUID(), "dave", "", toggle.TurnOff); told == toggle.Paused {
		t.Errorf("told %s, %v: nothing was masked", told, err)
	}
}

// TestSwitchInTheNameOfSomebodyElsewhere: dave talks on a call that is locked, or
// must never be recorded; frank, who may override, is not on it.
func TestSwitchInTheNameOfSomebodyElsewhere(t *testing.T) {
	for record, ask := range map[string]toggle.Press{"force": toggle.TurnOff, "never": toggle.TurnOn} {
		p := flowtest.Policy(t, strings.Replace(policyText, `"+442079460005": { record: force }`, `"+442079460005": { record: `+record+` }`, 1))
		p.Organisations["acme"].OnDemand = flow.OnDemand{API: true}
		l := newLabWith(t, p)
		a := l.inbound("+442079460005")
		l.answer(l.ring(a, "1004"))
		before := a.Get("tapedeck_state")
		for user, want := range map[string]toggle.Refusal{"": toggle.Locked, "dave": toggle.Locked, "frank": toggle.NotItsUser} {
			var refused toggle.Refusal
			if told, err := l.ctl.Toggle(t.Context(), a.UUID(), user, "sue", ask); !errors.As(err, &refused) || refused != want {
				t.Errorf("%s, in the name of %q: %s, %v; want %s", record, user, told, err, want)
			}
		}
		l.state(a, before)
		a.Hangup("")
	}
}

// hears checks which prompt a leg hears now, "" for none.
func (l *lab) hears(leg *esltest.Channel, want string) {
	l.Helper()
	got := ""
	for _, path := range leg.Hears() {
		got += filepath.Base(path)
	}
	if got != want {
		l.Errorf("hears %q, want %q", got, want)
	}
}

// TestPrompts: whoever pressed hears what came of it, and nobody else does.
func TestPrompts(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.hears(d, "")
	l.press(d)
	l.hears(d, "recorded.wav")
	l.press(d) // cuts the prompt before it
	l.hears(d, "is-being-recorded.wav")
	l.hears(a, "")
	l.talk(3 * second)
	l.hears(d, "")
	l.maskFails()
	l.press(d)
	l.hears(d, "recorded.wav") // the recording was stopped: nothing is written
	l.state(a, "off")
	a.Hangup("")
}

func TestPromptOfARefusedPress(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	a := l.inbound("+442079460005")
	d := l.ring(a, "1004")
	l.answer(d)
	l.press(d)
	l.hears(d, "not-permitted.wav")
	l.press(a)
	l.hears(a, "")
}

// TestPauseRefused: mask and stop fail: nobody is told that it is paused, and the
// stop is tried until it works.
func TestPauseRefused(t *testing.T) {
	l := newLabWith(t, pressPolicy(t))
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	failing := true
	l.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Broken\n", failing && command == "uuid_record"
	})
	l.press(d)
	l.hears(d, "not-permitted.wav")
	l.state(a, "on")
	l.sw.Fail(func(command, args string) (string, bool) { return "", false })
	l.until("the recording is stopped", func() bool { return a.Get("tapedeck_state") == "off" })
}

// until waits for something that time brings.
func (l *lab) until(what string, happened func() bool) {
	l.Helper()
	testkit.Within(l, 5*time.Second, what, happened, l.log)
}

func TestDisclaimer(t *testing.T) {
	const file = "this-call-is-recorded.wav"
	for _, tc := range []struct {
		name          string
		to            flow.Parties
		play          func(l *lab) (outside, user *esltest.Channel)
		outside, user string
	}{
		{"to the outside party", flow.External, func(l *lab) (_, _ *esltest.Channel) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			return a, d
		}, file, ""},
		{"to both", flow.Both, func(l *lab) (_, _ *esltest.Channel) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			return a, d
		}, file, file},
		{"an internal call has no outside party", flow.External, func(l *lab) (_, _ *esltest.Channel) {
			a := l.from("1001", "1004")
			d := l.ring(a, "1004")
			l.answer(d)
			return a, d
		}, "", ""},
		{"not recorded", flow.Both, func(l *lab) (_, _ *esltest.Channel) {
			a := l.inbound("+442079460004")
			d := l.ring(a, "1004")
			l.answer(d)
			return a, d
		}, "", ""},
		{"started by a person", flow.External, func(l *lab) (_, _ *esltest.Channel) {
			a := l.inbound("+442079460004")
			d := l.ring(a, "1004")
			l.answer(d)
			l.press(d)
			return a, d
		}, "", "is-being-recorded.wav"},
		{"once per call", flow.External, func(l *lab) (_, _ *esltest.Channel) {
			a := l.inbound("+442079460001")
			d := l.ring(a, "1004")
			l.answer(d)
			l.talk(3 * second)
			l.press(d)
			l.press(d)
			return a, d
		}, "", "is-being-recorded.wav"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := pressPolicy(t)
			p.Organisations["acme"].Disclaimer = &flow.Disclaimer{Play: file, To: tc.to}
			l := newLabWith(t, p)
			outside, user := tc.play(l)
			l.hears(outside, tc.outside)
			l.hears(user, tc.user)
		})
	}
}

// TestAutoResume: a pause ends by itself, and the user is told before.
func TestAutoResume(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].OnDemand.AutoResume = 300 * time.Millisecond
	l := newLabWith(t, p)
	a := l.inbound("+442079460001")
	d := l.ring(a, "1004")
	l.answer(d)
	l.press(d)
	l.state(a, "paused")
	l.until("the pause ends", func() bool { return a.Get("tapedeck_state") == "on" })
	l.settle()
	l.hears(d, "is-being-recorded.wav")
	if n := l.meter.get("toggle auto_resume ok"); n != 1 {
		t.Errorf("%d pauses ended by themselves", n)
	}
}

// resuming is a lab whose pauses end by themselves, with an application that must
// never be recorded, and a call that dave has paused.
func resuming(t *testing.T, after time.Duration, sticky bool) (l *lab, anchor, dave *esltest.Channel) {
	t.Helper()
	p := pressPolicy(t)
	acme := p.Organisations["acme"]
	acme.OnDemand.AutoResume, acme.OnDemand.StickyPause = after, sticky
	acme.Applications["vault"] = &flow.ApplicationEntry{Record: flow.Settings{flow.Never, flow.Never, flow.Never}}
	l = newLabWith(t, p)
	anchor = l.inbound("+442079460001")
	dave = l.ring(anchor, "1004")
	l.answer(dave)
	l.press(dave)
	l.state(anchor, "paused")
	return l, anchor, dave
}

// resumes reports whether a pause of the call would end by itself.
func (l *lab) resumes(anchor *esltest.Channel) (timer *time.Timer) {
	l.Helper()
	if !l.ctl.ask(l.Context(), func(now time.Time) { timer = l.ctl.calls[anchor.UUID()].timers.resume.t }) {
		l.Fatal("the controller is gone")
	}
	return timer
}

// TestAutoResumeEndsWithItsPause: what is left of the time of a pause that the
// chain has ended neither starts a recording nor cuts the next pause short.
func TestAutoResumeEndsWithItsPause(t *testing.T) {
	for _, element := range []string{"application/vault", "application/survey"} { // never, yes
		l, a, d := resuming(t, time.Hour, false)
		first := l.resumes(a)
		l.element(a, element)
		l.settle()
		if first == nil || l.resumes(a) != nil {
			t.Errorf("after %s the pause is over, and its timer runs on", element)
		}
		if element == "application/survey" {
			l.press(d)
			l.state(a, "paused")
			if again := l.resumes(a); again == nil || again == first {
				t.Error("the second pause has no time of its own")
			}
		}
		a.Hangup("")
	}
}

// TestAutoResumeUnderALock: a pause that outlasts never does not end in speech.
func TestAutoResumeUnderALock(t *testing.T) {
	l, a, _ := resuming(t, 300*time.Millisecond, true)
	l.element(a, "application/vault")
	l.until("the pause is over", func() bool { return a.Get("tapedeck_state") != "paused" })
	l.settle()
	l.state(a, "off")
	a.Hangup("")
}

// maskFails lets FreeSWITCH refuse to mask the call's recording, not the markers
// of the record key.
func (l *lab) maskFails() {
	l.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Cannot mask recording session!\n", command == "uuid_record" && strings.Contains(args, " mask ") && !strings.Contains(args, markerPrefix)
	})
}
