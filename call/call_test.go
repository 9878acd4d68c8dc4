package call

import (
	"testing"
	"time"

	"tapedeck/call/files"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// TestAnswerBeforeTheReply: a call is answered, and its file begins, before the
// reply to the command that armed it has come. The file begins as it was armed.
func TestAnswerBeforeTheReply(t *testing.T) {
	for _, tc := range []struct {
		name    string
		before  toggle.State
		state   string
		certain bool
	}{
		{"armed", toggle.State{On: true, Pending: toggle.Arm}, recording.StateRecording, true},
		{"armed masked", toggle.State{On: true, Guard: true, Pending: toggle.ArmMasked}, recording.StateWaiting, true},
		{"armed, being armed masked", toggle.State{On: true, Guard: true, File: toggle.Armed, Pending: toggle.ArmMasked}, recording.StateWaiting, false},
		{"armed masked, being armed", toggle.State{On: true, File: toggle.ArmedMasked, Pending: toggle.Arm}, recording.StateWaiting, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fx := newFixtureWith(t, pressPolicy(t))
			a := fx.inbound("+442079460004")
			fx.ctl.ask(t.Context(), func(now time.Time) {
				c := fx.ctl.calls[a.UUID()]
				c.rec.State = tc.before
				drafts := c.sidecars(now)
				if len(drafts) != 1 || drafts[0].Spans[0].State != tc.state && tc.certain {
					t.Errorf("the draft says %+v; want %s", drafts, tc.state)
				}
				c.fact(toggle.Fact{What: toggle.Answered}, now)
				c.fact(toggle.Fact{What: toggle.Started}, now)
				edges := c.files.Last().Edges
				if len(edges) != 1 || edges[0].State != tc.state || c.files.UnsureSince().Equal(files.LongAgo) == tc.certain {
					t.Errorf("edges %+v, in doubt since %v; want %s, certain: %t", edges, c.files.UnsureSince(), tc.state, tc.certain)
				}
			})
			a.Hangup("")
		})
	}
}
