package call

import (
	"testing"
	"time"

	"tapedeck/toggle"
)

// TestAnswerBeforeTheReply: a call is answered, and its file begins, before the
// reply to the command that armed it has been taken. What the file begins with is
// what was armed.
func TestAnswerBeforeTheReply(t *testing.T) {
	for _, tc := range []struct {
		name    string
		before  toggle.State
		state   string
		certain bool
	}{
		{"armed", toggle.State{On: true, Pending: toggle.Arm}, spanRecording, true},
		{"armed masked", toggle.State{On: true, Guard: true, Pending: toggle.ArmMasked}, spanPaused, true},
		{"armed, being armed masked", toggle.State{On: true, Guard: true, File: toggle.Armed, Pending: toggle.ArmMasked}, spanPaused, false},
		{"armed masked, being armed", toggle.State{On: true, File: toggle.ArmedMasked, Pending: toggle.Arm}, spanPaused, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLabWith(t, pressPolicy(t))
			a := l.inbound("+442079460004")
			l.desk.ask(t.Context(), func() {
				c := l.desk.calls[a.UUID()]
				c.rec = tc.before
				foretold := l.desk.sidecars(c, time.Now())
				if len(foretold) != 1 || foretold[0].Spans[0].State != tc.state && tc.certain {
					t.Errorf("the draft says %+v; want %s", foretold, tc.state)
				}
				l.desk.fact(c, toggle.Fact{What: toggle.Answered})
				l.desk.fact(c, toggle.Fact{What: toggle.Started})
				edges := c.file().edges
				if len(edges) != 1 || edges[0].state != tc.state || c.touched.Equal(longAgo) == tc.certain {
					t.Errorf("edges %+v, in doubt since %v; want %s, certain: %t", edges, c.touched, tc.state, tc.certain)
				}
			})
			a.Hangup("")
		})
	}
}
