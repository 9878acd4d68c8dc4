package respond

import (
	"net/http"
	"time"

	"tapedeck/console/ops"
)

// BeatEvery is how often a stream is looked after: whether its visitor may stay,
// and whether the policy has changed. Something is sent each time, so that proxies
// see that the stream lives.
const BeatEvery = 5 * time.Second

// Events sends a stream of the live calls, as Server-Sent Events, and closes it.
// It returns when the visitor leaves, or when still reports that he may not stay.
func Events(w http.ResponseWriter, r *http.Request, stream *ops.Stream, beatEvery time.Duration, still func() bool) error {
	defer stream.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // for nginx
	control := http.NewResponseController(w)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	text := []byte("retry: 2000\n\n")
	for {
		if _, err := w.Write(text); err != nil {
			return nil // the visitor has left, or does not read
		}
		if control.Flush() != nil {
			return nil
		}
		text = text[:0]
		select {
		case <-r.Context().Done():
			return nil
		case <-stream.Ended():
			return nil
		case <-stream.Wake():
		case <-beat.C:
			if !still() {
				return nil
			}
			text = append(text, ":\n\n"...)
		}
		text = stream.Append(text)
	}
}
