package call

import (
	"time"

	"tapedeck/recording"
)

// maxTrace is how many lines the trace of a call has at the most.
const maxTrace = 500

// trace is every decision of a call, in order, for the sidecar.
type trace []recording.Note

// add adds a line.
func (t *trace) add(n recording.Note, now time.Time) {
	if len(*t) < maxTrace {
		n.At = now.UTC()
		*t = append(*t, n)
	}
}
