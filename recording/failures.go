package recording

import (
	"errors"
	"log/slog"
	"sync"
)

// failures reports what an Archive could not write: to onError once for each
// recording and cause, to the log once for each cause.
type failures struct {
	log     *slog.Logger
	onError func(id string, err error) // may be nil

	mu     sync.Mutex      // also held while onError runs
	causes map[string]bool // those that were logged since something was last written
}

// report reports that a job failed.
func (f *failures) report(j *job, err error) {
	cause := rootCause(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	again, known := j.reported == cause, f.causes[cause]
	j.reported, f.causes[cause] = cause, true
	if !known {
		f.log.Error("cannot write what is known of recordings; trying again", "recording", j.id, "error", err)
	}
	if !again && f.onError != nil {
		f.onError(j.id, err)
	}
}

// recovered says that something was written: from now on a cause that returns is
// logged again.
func (f *failures) recovered() {
	f.mu.Lock()
	failed := len(f.causes) > 0
	clear(f.causes)
	f.mu.Unlock()
	if failed {
		f.log.Info("what is known of recordings is written again")
	}
}

// rootCause returns the text of the innermost error, which has no path in it.
func rootCause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			inner = several.Unwrap()[0]
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
