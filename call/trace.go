package call

import (
	"time"

	"tapedeck/recording"
)

// maxTrace is how many notes a call's trace may have.
const maxTrace = 500

// trace holds every decision of a call, in order, for the sidecar.
type trace []recording.Note

// add adds a note with the time now. A full trace drops it.
func (t *trace) add(n recording.Note, now time.Time) {
	if len(*t) < maxTrace {
		n.At = now.UTC()
		*t = append(*t, n)
	}
}
