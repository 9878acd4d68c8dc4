package call

import (
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// vanillaKeys are the keys that the sample dialplan's Local_Extension binds.
const vanillaKeys = "1 b s execute_extension::dx XML features"

// TestCodeIsFreed: the dialplan takes the code after Tapedeck has bound it, and it
// arrives all the same: in a first call, after a transfer, and on an outgoing call.
func TestCodeIsFreed(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	fx.must(a.Execute("bind_meta_app", vanillaKeys))
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.waitState(a, "on")
	fx.pressCode(d)
	fx.wantState(a, "paused")
	a = d.BlindTransfer("1005")
	fx.enter(a)
	fx.must(a.Execute("bind_meta_app", vanillaKeys))
	fx.must(a.Execute("bind_digit_action", "local,*2,exec[i]:event,'Event-Name=CUSTOM,Event-Subclass=other::x',peer,peer"))
	fx.must(a.Execute("digit_action_set_realm", "local,peer"))
	f := fx.ring(a, "1005")
	fx.answer(f)
	fx.pressCode(f)
	fx.waitState(a, "on")
	a.Hangup("")

	u := fx.from("1001", "07700900123")
	fx.must(u.Execute("bind_meta_app", "1 ab s execute_extension::dx XML features"))
	b := fx.out(u)
	fx.answer(b)
	fx.waitState(b, "on")
	fx.pressCode(u)
	fx.wantState(b, "paused")
	fx.wantSwallowed(0)
}

// TestKeysAreLeft: keys that do not take the code stay.
func TestKeysAreLeft(t *testing.T) {
	for name, tc := range map[string]struct{ code, metaKey string }{
		"another first digit":          {"#1", ""},
		"the dialplan has another key": {"*1", "#"},
		"no code":                      {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pressPolicy(t)
			p.Organisations["acme"].OnDemand.DTMF = tc.code
			fx := newFixtureWith(t, p)
			a := fx.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001", Variables: map[string]string{"bind_meta_key": tc.metaKey}})
			fx.enter(a)
			if got := a.Get(freeOnBridge[0]); got == unbindKeys {
				t.Error("the dialplan's keys are unbound")
			}
		})
	}
}

// TestSwallowed: a code that the dialplan's keys take is noticed, once, and no digit is
// kept.
func TestSwallowed(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.waitState(a, "on")
	fx.must(a.Execute("bind_meta_app", vanillaKeys)) // during the talk: it stays bound
	d.PressDigits("*1")
	fx.until("the swallowed code to be counted", func() bool { return fx.meter.get("toggle dtmf swallowed") == 1 })
	fx.settle()
	fx.wantSwallowed(1)
	if notes := fx.notes(a, recording.NotePressed); len(notes) != 1 || notes[0].User != "dave" || notes[0].Result != recording.ResultSwallowed {
		t.Errorf("trace: %+v", notes)
	}
	fx.wantState(a, "on")
	fx.must(a.Execute("unbind_meta_app", ""))
	d.PressDigits("4929123456781234")
	fx.pressCode(d)
	fx.wantState(a, "paused")
	fx.awaitChecks(d.UUID())
	fx.wantSwallowed(1)
	if log := fx.log.String(); strings.Contains(log, "49291234") || strings.Contains(log, "*1 ") {
		t.Error("digits are in the log")
	}
}

// TestNotSwallowed: who presses something else, or may not press, is not told of.
func TestNotSwallowed(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.waitState(a, "on")
	a.PressDigits("*1") // the outside party
	d.PressDigits("**1")
	d.PressDigits("1*")
	fx.pressCode(d)
	fx.wantState(a, "paused")
	fx.awaitChecks(d.UUID())
	fx.wantSwallowed(0)
}

// awaitChecks waits until no code of a leg is due.
func (fx *fixture) awaitChecks(uuid string) {
	fx.Helper()
	fx.until("the codes to be checked", func() (done bool) {
		fx.ctl.ask(fx.Context(), func(time.Time) { done = fx.ctl.legs.get(uuid).spelled.due == 0 })
		return done
	})
}

func (fx *fixture) wantSwallowed(want int) {
	fx.Helper()
	lines := fx.log.Lines("a code was pressed and did not arrive")
	if n := fx.meter.get("toggle dtmf swallowed"); n != want || len(lines) != want {
		fx.Errorf("%d counted, %d logged, want %d", n, len(lines), want)
	}
}

// TestSpelling: a code is spelled as FreeSWITCH reads it, whatever comes before it.
func TestSpelling(t *testing.T) {
	const ms = time.Millisecond
	for _, tc := range []struct {
		code, digits string
		gap          time.Duration
		want         int
	}{
		{"*1", "*1", 100 * ms, 1},
		{"*1", "9*1", 100 * ms, 1},
		{"*1", "*1*1", 100 * ms, 2},
		{"*1", "**1", 100 * ms, 0},
		{"*1", "***1", 100 * ms, 1},
		{"*1", "*2", 100 * ms, 0},
		{"*1", "*1", 2000 * ms, 0},
		{"*11", "*11", 1000 * ms, 1},
		{"", "*1", 100 * ms, 0},
		{"4", "4929", 100 * ms, 1},
	} {
		var s spelling
		got, now := 0, time.Unix(1000, 0)
		for _, digit := range strings.Split(tc.digits, "") {
			if now = now.Add(tc.gap); s.next(tc.code, digit, now) {
				got++
			}
		}
		if got != tc.want {
			t.Errorf("code %q, digits %q every %v: %d times, want %d", tc.code, tc.digits, tc.gap, got, tc.want)
		}
	}
}
