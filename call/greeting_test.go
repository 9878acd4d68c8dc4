package call

import (
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestGreetingLost: FreeSWITCH is so slow that the leg leaves the socket after the first of
// its commands, and the others are lost. They are sent again over the link, so that the
// code is bound.
func TestGreetingLost(t *testing.T) {
	for _, tc := range []struct {
		name  string
		begin func(*fixture) (*esltest.Channel, error)
		talk  func(fx *fixture, first *esltest.Channel) (anchor, phone *esltest.Channel)
	}{
		{"inbound", func(fx *fixture) (*esltest.Channel, error) {
			fx.sw.FailNext("app/bind_digit_action", "+OK") // the first command is lost, too
			return fx.office().Inbound(fx.Context(), "+442079460001")
		},
			func(fx *fixture, first *esltest.Channel) (anchor, phone *esltest.Channel) {
				return first, fx.ring(first, "1004")
			}},
		{"outbound", func(fx *fixture) (*esltest.Channel, error) {
			return fx.office().From(fx.Context(), "1001", "02079460900", nil)
		},
			func(fx *fixture, first *esltest.Channel) (anchor, phone *esltest.Channel) {
				return fx.out(first), first
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			fx := newFixtureWith(t, pressPolicy(t))
			fx.hurry()
			fx.settle()
			fx.sw.DelayReplies(entryDeadline + 100*time.Millisecond)
			first, err := tc.begin(fx)
			if err == nil {
				t.Fatal("the leg's commands were not lost")
			}
			fx.sw.DelayReplies(0)
			fx.settle()
			anchor, phone := tc.talk(fx, first)
			if anchor == first {
				fx.answer(phone)
			} else {
				fx.answer(anchor)
			}
			fx.waitState(anchor, "on") // an outgoing call whose exports were lost begins to be recorded late
			fx.pressCode(phone)
			fx.wantState(anchor, "paused")
			anchor.Hangup("")
			fx.settle()
		})
	}
}
