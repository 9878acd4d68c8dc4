package files

import (
	"slices"
	"time"

	"tapedeck/recording"
	"tapedeck/toggle"
)

// lateStart is what is known of a file that the answer should have started masked, and
// that nobody said was started. It is started again then, and unmasked (call/line.go,
// recordingCommands): if the answer had started it, it was silent until then.
type lateStart struct {
	state string    // what such a silence is: recording.StateWaiting or StatePaused; "": there is none
	asked time.Time // when the start was sent; zero: it has not been
}

// follow takes a change of the recording's state.
func (l *lateStart) follow(before, after toggle.State, now time.Time) {
	is := Assumed(before)
	if after.File == toggle.NoFile && (is == toggle.ArmedMasked || is == toggle.ArmedUnsure) && after.Problems&toggle.NotStarted != 0 {
		l.state = silence(before)
	}
	if l.state != "" && after.Pending == toggle.Start && before.Pending != toggle.Start {
		l.asked = now
	}
}

// before reports whether a file that began at a time was begun before the start was sent:
// by the answer.
func (l lateStart) before(began time.Time) bool { return l.asked.Sub(began) > clockSlack }

// split parts the first edge of a file with speech, if the answer had begun it: until
// heard, when the unmask had its reply, the file may be silent. Only the sound can tell.
func (p *Part) split(heard time.Time) {
	first := p.Edges[0]
	if !p.late.before(first.At) || first.State != recording.StateRecording || !heard.After(first.At) {
		return
	}
	silent := first
	silent.State = p.late.state
	first.At, first.Since = heard, LongAgo
	p.Edges, p.late = slices.Concat([]Edge{silent, first}, p.Edges[1:]), lateStart{}
}

// Speech notes that RECORD_START says that the answer did not mask the file.
func (p *Part) Speech() { p.late = lateStart{} }
