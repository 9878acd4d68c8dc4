package call

import (
	"context"
	"errors"
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/toggle"
)

// TestPressByAPI: a press by the API has the same rights and results as one on a phone.
func TestPressByAPI(t *testing.T) {
	fx := newFixtureWith(t, pressPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	var refused toggle.Refusal
	for _, tc := range []struct {
		id, user string
		ask      toggle.Ask
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
		status, err := fx.ctl.Toggle(context.Background(), tc.id, tc.user, "root", tc.ask)
		if tc.check == nil && err != nil || tc.check != nil && !tc.check(err) {
			t.Errorf("%s %s: %v", tc.user, tc.ask, err)
		}
		if status != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.user, tc.ask, status, tc.want)
		}
	}
	fx.settle()
	fx.wantPrompt(d, "is-being-recorded.wav")
	fx.maskFails()
	if status, err := fx.ctl.Toggle(context.Background(), a.UUID(), "dave", "", toggle.TurnOff); status == toggle.Paused {
		t.Errorf("got %s, %v: nothing was masked", status, err)
	}
}

// TestPressInTheNameOfSomebodyElsewhere: dave talks on a call that is locked, or
// must never be recorded; frank, who may override, is not on it.
func TestPressInTheNameOfSomebodyElsewhere(t *testing.T) {
	for record, ask := range map[string]toggle.Ask{"force": toggle.TurnOff, "never": toggle.TurnOn} {
		p := flowtest.Policy(t, strings.Replace(policyText, `"+442079460005": { record: force }`, `"+442079460005": { record: `+record+` }`, 1))
		p.Organisations["acme"].OnDemand = flow.OnDemand{API: true}
		fx := newFixtureWith(t, p)
		a := fx.inbound("+442079460005")
		fx.answer(fx.ring(a, "1004"))
		before := a.Get("tapedeck_state")
		for user, want := range map[string]toggle.Refusal{"": toggle.Locked, "dave": toggle.Locked, "frank": toggle.NotItsUser} {
			var refused toggle.Refusal
			if status, err := fx.ctl.Toggle(t.Context(), a.UUID(), user, "sue", ask); !errors.As(err, &refused) || refused != want {
				t.Errorf("%s, in the name of %q: %s, %v; want %s", record, user, status, err, want)
			}
		}
		fx.wantState(a, before)
		a.Hangup("")
	}
}
