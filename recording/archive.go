package recording

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	draftDir = ".live"

	examiners = 2 // finished recordings that are looked at at once

	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	// maxListens is how often a file is tried that cannot be read, before its
	// sidecar says so: after 15 s.
	maxListens = 5
	// rest is how long an unfinished file has been left alone before it is
	// repaired: until then FreeSWITCH may be writing it.
	rest = 2 * time.Second

	defaultGrace = 5 * time.Second
)

// ArchiveConfig is what an Archive needs.
type ArchiveConfig struct {
	Dir Dir
	Log *slog.Logger
	// OnError is told once for each recording and cause that something of it
	// could not be written; it is tried again. It must not block. May be nil.
	OnError func(id string, err error)
	// Grace is how long Run goes on after the end of its context, for a last
	// attempt of everything. 0 is 5 s.
	Grace time.Duration
}

// Archive keeps what is known of recordings beside them: drafts of live ones in
// <dir>/.live, sidecars of finished ones beside the file. Draft, Finish and
// Discard only queue, however the disk is; what waits is bounded by the number of
// live recordings and of finished ones that could not be written yet.
//
// A draft is what is known if Tapedeck is killed; a power cut may take it along.
// A sidecar, once written, stays.
type Archive struct {
	cfg ArchiveConfig

	mu      sync.Mutex
	entries map[string]*entry // by id: whatever is to be done
	drafts  queue
	done    queue
	working int             // entries that are being worked on
	changed chan struct{}   // closed, and replaced, when there is something new
	causes  map[string]bool // of failures, told to the log since something last succeeded
}

// NewArchive makes an Archive; Run is what writes.
func NewArchive(cfg ArchiveConfig) *Archive {
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	return &Archive{
		cfg: cfg, entries: map[string]*entry{}, drafts: newQueue(), done: newQueue(),
		changed: make(chan struct{}), causes: map[string]bool{},
	}
}

// Run writes what is queued until ctx ends. Then it tries once what is left, for
// as long as the grace, and returns an error if that was not enough: the drafts
// stay, and tell the next Tapedeck. A disk that hangs holds the goroutine that
// waits for it, even after Run.
func (a *Archive) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var workers sync.WaitGroup
	workers.Go(func() { a.work(ctx, &a.drafts, a.writeDraft) })
	for range examiners {
		workers.Go(func() { a.work(ctx, &a.done, func(e *entry) { a.finish(work, e) }) })
	}
	ended := make(chan struct{})
	go func() { workers.Wait(); close(ended) }()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(a.cfg.Grace):
	}
	if drafts, finished := a.backlog(); drafts+finished > 0 {
		return fmt.Errorf("recording: archive: %d drafts and %d sidecars are not written: what is in %s/%s is taken up at the next start",
			drafts, finished, a.cfg.Dir, draftDir)
	}
	return nil
}

// Draft queues what is known of a live recording; of several of one recording
// the last is written. Of one that is being finished nothing is written any more;
// a draft after that has the recording taken for live again.
func (a *Archive) Draft(s Sidecar) {
	s = s.clone()
	a.change(s.ID(), func(e *entry) {
		if e.finish == nil {
			e.draft, e.discard = &s, false
		}
	})
}

// Discard queues that a draft is removed whose recording there never was.
func (a *Archive) Discard(id string) {
	a.change(id, func(e *entry) {
		if e.finish == nil {
			e.draft, e.discard = nil, true
		}
	})
}

// Finish queues a recording that is over: its file is examined, its sidecar
// written, its draft removed. Then a worker calls then, which may be nil, with
// what was written; with an error if there is no place where this sidecar could
// be. As long as the disk does not let it be written it is tried again and again.
func (a *Archive) Finish(s Sidecar, then func(Sidecar, error)) {
	s = s.clone()
	a.change(s.ID(), func(e *entry) {
		e.draft, e.discard, e.finish = nil, false, &s
		e.listens, e.delay, e.backoff = 0, 0, 0
		if then != nil {
			e.then = append(e.then, then)
		}
	})
}

// backlog is how many live and how many finished recordings wait to be written.
func (a *Archive) backlog() (drafts, finished int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.finish != nil {
			finished++
		} else {
			drafts++
		}
	}
	return drafts, finished
}

// Probe is how long a file is now. It may block as long as the disk does.
func (a *Archive) Probe(path string) (size int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("recording: probe: %w", err)
	}
	return info.Size(), nil
}

// failed tells of something that could not be written: OnError once for each
// recording and cause, the log once for each cause.
func (a *Archive) failed(e *entry, err error) {
	cause := reason(err)
	a.mu.Lock()
	again, known := e.told == cause, a.causes[cause]
	e.told, a.causes[cause] = cause, true
	a.mu.Unlock()
	if !known {
		a.cfg.Log.Error("what is known of recordings cannot be written, is tried again", "recording", e.id, "error", err)
	}
	if !again && a.cfg.OnError != nil {
		a.cfg.OnError(e.id, err)
	}
}

// succeeded has causes that come again be told again.
func (a *Archive) succeeded() {
	a.mu.Lock()
	recovered := len(a.causes) > 0
	clear(a.causes)
	a.mu.Unlock()
	if recovered {
		a.cfg.Log.Info("what is known of recordings is written again")
	}
}

// reason is the first cause of an error, without the path that it happened on.
func reason(err error) string {
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
