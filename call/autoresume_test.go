package call

import (
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

// TestAutoResume: a pause ends by itself, and the user hears that it is being
// recorded again.
func TestAutoResume(t *testing.T) {
	p := pressPolicy(t)
	p.Organisations["acme"].OnDemand.AutoResume = 300 * time.Millisecond
	fx := newFixtureWith(t, p)
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.pressCode(d)
	fx.wantState(a, "paused")
	fx.until("the pause ends", func() bool { return a.Get("tapedeck_state") == "on" })
	fx.settle()
	fx.wantPrompt(d, "is-being-recorded.wav")
	if n := fx.meter.get("toggle auto_resume ok"); n != 1 {
		t.Errorf("%d pauses ended by themselves", n)
	}
}

// newPausedCall is a fixture in which pauses end by themselves, with an application
// that is never recorded, and a call that dave has paused.
func newPausedCall(t *testing.T, after time.Duration, sticky bool) (fx *fixture, anchor, dave *esltest.Channel) {
	t.Helper()
	p := pressPolicy(t)
	acme := p.Organisations["acme"]
	acme.OnDemand.AutoResume, acme.OnDemand.StickyPause = after, sticky
	acme.Applications["vault"] = &flow.ApplicationEntry{Record: flow.Settings{flow.Never, flow.Never, flow.Never}}
	fx = newFixtureWith(t, p)
	anchor = fx.inbound("+442079460001")
	dave = fx.ring(anchor, "1004")
	fx.answer(dave)
	fx.pressCode(dave)
	fx.wantState(anchor, "paused")
	return fx, anchor, dave
}

// resumeTimer is the running timer that ends the pause of a call by itself; nil if
// there is none.
func (fx *fixture) resumeTimer(anchor *esltest.Channel) (timer *time.Timer) {
	fx.Helper()
	if !fx.ctl.ask(fx.Context(), func(now time.Time) { timer = fx.ctl.calls[anchor.UUID()].timers.resume.t }) {
		fx.Fatal("the controller is gone")
	}
	return timer
}

// TestAutoResumeEndsWithItsPause: when the chain ends a pause, the pause's timer
// ends, too. It neither starts a recording nor shortens the next pause.
func TestAutoResumeEndsWithItsPause(t *testing.T) {
	for _, element := range []string{"application/vault", "application/survey"} { // never, yes
		fx, a, d := newPausedCall(t, time.Hour, false)
		first := fx.resumeTimer(a)
		fx.element(a, element)
		fx.settle()
		if first == nil || fx.resumeTimer(a) != nil {
			t.Errorf("after %s the pause is over, and its timer runs on", element)
		}
		if element == "application/survey" {
			fx.pressCode(d)
			fx.wantState(a, "paused")
			if again := fx.resumeTimer(a); again == nil || again == first {
				t.Error("the second pause has no time of its own")
			}
		}
		a.Hangup("")
	}
}

// TestAutoResumeUnderALock: a pause that ends by itself under a "never" does not end
// in speech.
func TestAutoResumeUnderALock(t *testing.T) {
	fx, a, _ := newPausedCall(t, 300*time.Millisecond, true)
	fx.element(a, "application/vault")
	fx.until("the pause is over", func() bool { return a.Get("tapedeck_state") != "paused" })
	fx.settle()
	fx.wantState(a, "off")
	a.Hangup("")
}
