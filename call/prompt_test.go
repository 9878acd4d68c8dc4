package call

import (
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

// wantPrompt checks which prompt a leg hears now; "" for none.
func (fx *fixture) wantPrompt(leg *esltest.Channel, want string) {
	fx.Helper()
	got := ""
	for _, path := range leg.Hears() {
		got += filepath.Base(path)
	}
	if got != want {
		fx.Errorf("hears %q, want %q", got, want)
	}
}

// TestPrompts: the person who pressed hears the result, and nobody else does.
func TestPrompts(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantPrompt(d, "")
	fx.pressCode(d)
	fx.wantPrompt(d, "recorded.wav")
	fx.pressCode(d) // cuts the prompt before it
	fx.wantPrompt(d, "is-being-recorded.wav")
	fx.wantPrompt(a, "")
	fx.talk(3 * second)
	fx.wantPrompt(d, "")
	fx.maskFails()
	fx.pressCode(d)
	fx.wantPrompt(d, "recorded.wav") // the recording was stopped: nothing is written
	fx.wantState(a, "off")
	a.Hangup("")
}

func TestPromptOfARefusedPress(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460005")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.pressCode(d)
	fx.wantPrompt(d, "not-permitted.wav")
	fx.pressCode(a)
	fx.wantPrompt(a, "")
}

// TestPauseRefused: mask and stop fail. Nobody hears that it is paused, and the stop
// is repeated until it works.
func TestPauseRefused(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	failing := true
	fx.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Broken\n", failing && command == "uuid_record"
	})
	fx.pressCode(d)
	fx.wantPrompt(d, "not-permitted.wav")
	fx.wantState(a, "on")
	fx.sw.Fail(func(command, args string) (string, bool) { return "", false })
	fx.until("the recording is stopped", func() bool { return a.Get("tapedeck_state") == "off" })
}

func TestDisclaimer(t *testing.T) {
	const file = "this-call-is-recorded.wav"
	for _, tc := range []struct {
		name          string
		to            flow.Parties
		play          func(fx *fixture) (outside, user *esltest.Channel)
		outside, user string
	}{
		{"to the outside party", flow.External, func(fx *fixture) (_, _ *esltest.Channel) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			return a, d
		}, file, ""},
		{"to both", flow.Both, func(fx *fixture) (_, _ *esltest.Channel) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			return a, d
		}, file, file},
		{"an internal call has no outside party", flow.External, func(fx *fixture) (_, _ *esltest.Channel) {
			a := fx.from("1001", "1004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			return a, d
		}, "", ""},
		{"not recorded", flow.Both, func(fx *fixture) (_, _ *esltest.Channel) {
			a := fx.inbound("+442079460004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			return a, d
		}, "", ""},
		{"started by a person", flow.External, func(fx *fixture) (_, _ *esltest.Channel) {
			a := fx.inbound("+442079460004")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.pressCode(d)
			return a, d
		}, "", "is-being-recorded.wav"},
		{"once per call", flow.External, func(fx *fixture) (_, _ *esltest.Channel) {
			a := fx.inbound("+442079460001")
			d := fx.ring(a, "1004")
			fx.answer(d)
			fx.talk(3 * second)
			fx.pressCode(d)
			fx.pressCode(d)
			return a, d
		}, "", "is-being-recorded.wav"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := pressPolicy(t)
			p.Organisations["acme"].Disclaimer = &flow.Disclaimer{Play: file, To: tc.to}
			fx := newFixtureWith(t, p)
			outside, user := tc.play(fx)
			fx.wantPrompt(outside, tc.outside)
			fx.wantPrompt(user, tc.user)
		})
	}
}

// maskFails makes FreeSWITCH refuse to mask the call's recording, but not the
// markers of the Record key.
func (fx *fixture) maskFails() {
	fx.sw.Fail(func(command, args string) (string, bool) {
		return "-ERR Cannot mask recording session!\n", command == "uuid_record" && strings.Contains(args, " mask ") && !aboutMarker(args)
	})
}

// TestDisclaimerInTheTrace: the trace says whether the disclaimer was heard to its
// end.
func TestDisclaimerInTheTrace(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].Disclaimer = &flow.Disclaimer{Play: "this-call-is-recorded.wav", To: flow.Both}
	fx := newFixtureWith(t, p)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.pressCode(d) // its prompt cuts what dave hears
	fx.talk(3 * second)
	fx.settle()
	results := map[string]string{}
	for _, n := range fx.notes(a, "disclaimer") {
		results[n.User] = n.Result
	}
	if results["outside party"] != "heard" || results["user"] != "cut" {
		t.Errorf("the trace has %v", results)
	}
}
