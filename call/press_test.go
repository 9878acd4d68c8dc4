package call

import (
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

// pressPolicy is testPolicy with every method granted.
func pressPolicy(t *testing.T) *flow.Policy {
	p := testPolicy(t)
	p.Organisations["acme"].OnDemand = flow.OnDemand{DTMF: "*1", RecordKey: true, BlindTransfer: "*1", API: true}
	return p
}

// pressCode presses the code on a phone. The digits take 0.1 s.
func (fx *fixture) pressCode(phone *esltest.Channel) {
	fx.Helper()
	phone.PressDigits("*1")
	fx.settle()
}

// pressKey presses the Record key of a phone.
func (fx *fixture) pressKey(phone *esltest.Channel, on bool) {
	fx.Helper()
	if !phone.RecordKey(on) {
		fx.Error("the record key is refused")
	}
	fx.settle()
}

// refusedTransfer sends the call by blind transfer to a code, which is refused: the
// other leg passes the dialplan, and the two legs are bridged again.
func (fx *fixture) refusedTransfer(phone, other *esltest.Channel, code string) {
	fx.Helper()
	if phone.ConfirmedTransfer(code) != other {
		fx.Fatal("the phone's leg does not wait for its transfer")
	}
	other.Set("sip_disable_recording", "true") // as the dialplan does before every socket
	fx.enter(other)
	phone.Refuse(other)
	fx.settle()
}

// TestPresses: what is recorded and which state the legs have when people press.
func TestPresses(t *testing.T) {
	for _, tc := range []struct {
		name            string
		play            func(*fixture)
		tones           []float64 // of the talk that is to be heard
		speech, silence float64
		counts          map[string]int
	}{
		{"pause and resume, again and again", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			for range 3 {
				fx.talk(second)
				fx.pressCode(d)
				fx.wantState(a, "paused")
				fx.talk(second)
				fx.pressCode(d)
				fx.wantState(a, "on")
			}
			fx.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 4, 3, map[string]int{"toggle dtmf ok": 6}},
		{"start where the policy says no", func(fx *fixture) {
			a := fx.inbound("+442079460003")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.talk(second)
			fx.pressCode(d)
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 1}},
		{"start where the policy says nothing, pause, start", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			fx.talk(second)
			fx.pressCode(d)
			fx.talk(second)
			fx.pressCode(d)
			fx.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 1, map[string]int{"toggle dtmf ok": 3}},
		{"two presses in a row", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			d.PressDigits("*1*1")
			fx.settle()
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 2}},
		{"the outside party presses", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			fx.answer(fx.ring(a, "1004"))
			fx.pressCode(a)
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 0}},
		{"by the new user after a blind transfer", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			a = d.BlindTransfer("1005")
			fx.enter(a)
			f := fx.ring(a, "1005")
			fx.answer(f)
			fx.pressCode(f)
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, frank}, 0, 2, map[string]int{"toggle dtmf ok": 1}},
		{"outgoing", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			fx.answer(fx.out(a))
			fx.pressCode(a)
			fx.talk(2 * second)
			fx.pressCode(a)
			fx.talk(second)
			a.Hangup("")
		}, []float64{outside, alice}, 1, 2, map[string]int{"toggle dtmf ok": 2}},
		{"outgoing, after a blind transfer of the outside party", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			b := fx.out(a)
			fx.answer(b)
			b = a.BlindTransfer("1004")
			fx.settle()
			fx.enter(b)
			d := fx.ring(b, "1004")
			fx.answer(d)
			fx.pressCode(d)
			fx.talk(2 * second)
			b.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf ok": 1}},
		{"internal, by both", func(fx *fixture) {
			a := fx.from("1001", "1004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			fx.wantState(a, "paused")
			fx.talk(2 * second)
			fx.pressCode(a)
			fx.wantState(a, "on")
			fx.talk(second)
			a.Hangup("")
		}, []float64{alice, dave}, 1, 2, map[string]int{"toggle dtmf ok": 2}},
		{"the record key: off, on, off", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.talk(second)
			fx.pressKey(d, false)
			fx.wantState(a, "paused")
			fx.talk(second)
			fx.pressKey(d, true)
			fx.wantState(a, "on")
			fx.talk(second)
			fx.pressKey(d, false)
			fx.pressKey(d, false)
			fx.wantState(a, "paused")
			fx.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 2, map[string]int{"toggle record_key ok": 3}},
		{"the record key and the code in turn", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressKey(d, true)
			fx.talk(second)
			fx.pressCode(d)
			fx.wantState(a, "paused")
			fx.pressKey(d, true)
			fx.wantState(a, "on")
			fx.pressCode(d)
			fx.pressCode(d)
			fx.wantState(a, "on")
			fx.pressKey(d, false)
			fx.wantState(a, "paused")
			fx.talk(second)
			a.Hangup("")
		}, []float64{outside, dave}, 1, 1, map[string]int{"toggle record_key ok": 3, "toggle dtmf ok": 3}},
		{"the record key against a lock", func(fx *fixture) {
			a := fx.inbound("+442079460005")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressKey(d, false)
			fx.wantState(a, "on")
			fx.wantPrompt(d, "not-permitted.wav")
			fx.pressKey(d, false)
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle record_key locked": 2}},
		{"the record key on an outgoing call, after a transfer", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			b := fx.out(a)
			fx.answer(b)
			fx.pressKey(a, false)
			fx.wantState(b, "paused")
			b = a.BlindTransfer("1004")
			fx.settle()
			fx.enter(b)
			d := fx.ring(b, "1004")
			fx.answer(d)
			fx.pressKey(d, true)
			fx.wantState(b, "on")
			fx.talk(2 * second)
			b.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle record_key ok": 2}},
		{"refused blind transfers", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			for range 2 {
				fx.talk(second)
				fx.refusedTransfer(d, a, "*1")
				fx.wantState(a, "paused")
				fx.talk(second)
				fx.refusedTransfer(d, a, "*1")
				fx.wantState(a, "on")
			}
			a.Hangup("")
		}, []float64{outside, dave}, 2, 2, map[string]int{"toggle blind_transfer ok": 4}},
		{"refused blind transfer, of a user whose own yes has it recorded", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			c := fx.ring(a, "1003")
			fx.answer(c)
			fx.talk(second)
			fx.refusedTransfer(c, a, "*1")
			fx.wantState(a, "paused")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, carol}, 1, 2, map[string]int{"toggle blind_transfer ok": 1}},
		{"refused blind transfer, of a user who may not", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			g := fx.ring(a, "1006")
			fx.answer(g)
			fx.refusedTransfer(g, a, "*1")
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, grace}, 2, 0, map[string]int{"toggle blind_transfer user_disabled": 1}},
		{"refused blind transfer, outgoing", func(fx *fixture) {
			a := fx.from("1001", "07700900123")
			b := fx.out(a)
			fx.answer(b)
			fx.refusedTransfer(a, b, "*1")
			fx.wantState(b, "paused")
			fx.talk(2 * second)
			b.Hangup("")
		}, []float64{outside, alice}, 0, 2, map[string]int{"toggle blind_transfer ok": 1}},
		{"refused blind transfer, internal, by the caller", func(fx *fixture) {
			a := fx.from("1001", "1004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.refusedTransfer(a, d, "*1")
			fx.wantState(a, "paused")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{alice, dave}, 0, 2, map[string]int{"toggle blind_transfer ok": 1}},
		{"record keys after refused blind transfers, internal", func(fx *fixture) {
			a := fx.from("1001", "1004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			for _, from := range []*esltest.Channel{a, d} {
				to := d
				if from == d {
					to = a
				}
				fx.refusedTransfer(from, to, "*1")
				fx.pressKey(to, true)
				fx.wantState(a, "on")
			}
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{alice, dave}, 2, 0, map[string]int{"toggle record_key ok": 2, "toggle blind_transfer ok": 2}},
		{"a forced number is not paused", func(fx *fixture) {
			a := fx.inbound("+442079460005")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, dave}, 2, 0, map[string]int{"toggle dtmf locked": 1, "toggle dtmf ok": 0}},
		{"a forced number is paused by one who may override", func(fx *fixture) {
			a := fx.inbound("+442079460005")
			f := fx.ring(a, "1005")
			fx.answer(f)
			fx.pressCode(f)
			fx.wantState(a, "paused")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, frank}, 0, 2, map[string]int{"toggle dtmf ok": 1}},
		{"a user who may not", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			g := fx.ring(a, "1006")
			fx.answer(g)
			fx.pressCode(g)
			fx.wantState(a, "on")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, grace}, 2, 0, map[string]int{"toggle dtmf user_disabled": 1}},
		{"a pause lasts over a transfer to one who says nothing, and ends with one who says yes", func(fx *fixture) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			a = d.BlindTransfer("1005")
			fx.enter(a)
			f := fx.ring(a, "1005")
			fx.answer(f)
			fx.wantState(a, "paused")
			fx.talk(2 * second)
			a = f.BlindTransfer("1003")
			fx.enter(a)
			fx.answer(fx.ring(a, "1003"))
			fx.wantState(a, "on")
			fx.talk(second)
			a.Hangup("")
		}, []float64{outside, carol}, 1, 2, map[string]int{"toggle dtmf ok": 1}},
		{"what a person started ends with one who says no", func(fx *fixture) {
			a := fx.inbound("+442079460004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			a = d.BlindTransfer("1002")
			fx.enter(a)
			fx.answer(fx.ring(a, "1002"))
			fx.wantState(a, "off")
			fx.talk(2 * second)
			a.Hangup("")
		}, []float64{outside, bob}, 0, 2, map[string]int{"toggle dtmf ok": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixtureWith(t, pressPolicy(t))
			tc.play(fx)
			fx.settle()
			fx.wantSeconds(tc.speech, tc.tones...)
			fx.wantSeconds(tc.silence)
			for name, want := range tc.counts {
				if got := fx.meter.get(name); got != want {
					t.Errorf("%s: %d, want %d", name, got, want)
				}
			}
			if n := len(fx.log.Lines("level=WARN")); n != 0 {
				t.Errorf("%d warnings", n)
			}
		})
	}
}

// wantSeconds checks for how many seconds exactly these tones are heard, but for the
// third of a second that it takes to press a code.
func (fx *fixture) wantSeconds(seconds float64, these ...float64) {
	fx.Helper()
	files := fx.files()
	if len(files) != 1 {
		fx.Fatalf("files: %v", files)
	}
	heard, err := esltest.Listen(files[0], 20*time.Millisecond, tones...)
	if err != nil {
		fx.Fatal(err)
	}
	got := esltest.Total(heard, these...).Seconds()
	presses := 0.35 * float64(fx.meter.get("toggle dtmf ok")+fx.meter.get("toggle dtmf locked")+fx.meter.get("toggle dtmf user_disabled")+1)
	if got < seconds-0.001 || got > seconds+presses {
		fx.Errorf("tones %v are heard for %.2f s, want %.2f s: %v", these, got, seconds, heard)
	}
}

// TestStickyPause: with sticky_pause a pause outlasts a transfer to a user who
// says yes.
func TestStickyPause(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].OnDemand.StickyPause = true
	fx := newFixtureWith(t, p)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.pressCode(d)
	a = d.BlindTransfer("1003")
	fx.enter(a)
	c := fx.ring(a, "1003")
	fx.answer(c)
	fx.wantState(a, "paused")
	fx.talk(second)
	fx.pressCode(c)
	fx.wantState(a, "on")
	a.Hangup("")
}
