package recording

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"tapedeck/recording/evidence"
)

const (
	draftDir = ".live"

	examiners    = 2 // finished recordings that are examined at once
	defaultGrace = 5 * time.Second
)

// ArchiveConfig is what an Archive needs.
type ArchiveConfig struct {
	Dir Dir
	Log *slog.Logger
	// OnError is called once for each recording and cause when something of the
	// recording cannot be written, by one goroutine at a time. The Archive tries
	// again. OnError must not block; it may be nil.
	OnError func(id string, err error)
	// Evidence has an entry for each sidecar before it is written; nil: there is none.
	Evidence *evidence.Log
	// Workshop examines the sounds and makes their waveforms; nil: this process does.
	Workshop Workshop
	// Grace is how long Run continues after the end of its context, to try
	// everything once more. 0 means 5 s.
	Grace time.Duration
}

// Archive writes what is known of recordings: drafts of live ones into <dir>/.live,
// sidecars of finished ones beside their files. Draft, Finish and Discard only
// queue and never wait for the disk. The queue is bounded by the number of live
// recordings and of finished ones that could not be written yet.
//
// A draft survives the end of Tapedeck, though perhaps not a power cut. A sidecar
// survives both.
type Archive struct {
	cfg      ArchiveConfig
	jobs     *jobs
	failures failures
	private  private
}

// NewArchive returns an Archive, which writes nothing until Run.
func NewArchive(cfg ArchiveConfig) *Archive {
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.Workshop == nil {
		cfg.Workshop = InProcess{}
	}
	return &Archive{cfg: cfg, jobs: newJobs(), failures: failures{log: cfg.Log, onError: cfg.OnError, causes: map[string]bool{}}, private: private{log: cfg.Log}}
}

// Run writes what is queued until ctx ends. Then it tries once to write what is
// left, for at most the grace, and returns an error if something remains: its
// drafts stay, and the next Tapedeck reads them. A disk that hangs keeps the
// goroutine that waits for it, even after Run has returned.
func (a *Archive) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var workers sync.WaitGroup
	workers.Go(func() { a.jobs.work(ctx, &a.jobs.drafts, a.writeDraft) })
	for range examiners {
		workers.Go(func() { a.jobs.work(ctx, &a.jobs.finished, func(j *job) { a.finish(work, j) }) })
	}
	ended := make(chan struct{})
	go func() { workers.Wait(); close(ended) }()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(a.cfg.Grace):
	}
	if drafts, finished := a.jobs.waiting(); drafts+finished > 0 {
		return fmt.Errorf("recording: archive: %d drafts and %d sidecars are not written: the next start continues with what is in %s/%s",
			drafts, finished, a.cfg.Dir, draftDir)
	}
	return nil
}

// Draft queues what is known of a live recording. Of several drafts of one
// recording the last is written; none while the recording is being finished. A
// draft that comes after that makes the recording live again.
func (a *Archive) Draft(s Sidecar) {
	s = s.clone()
	a.jobs.update(s.ID(), func(j *job) {
		if j.finish == nil {
			j.draft, j.discard = &s, false
		}
	})
}

// Discard queues the removal of the draft of a recording that never came to be.
func (a *Archive) Discard(id string) {
	a.jobs.update(id, func(j *job) {
		if j.finish == nil {
			j.draft, j.discard = nil, true
		}
	})
}

// Finish queues a recording that is over: the Archive examines its file, writes its
// sidecar and removes its draft. Then a worker calls then, which may be nil, with
// the sidecar that was written, with ErrUnwanted if the file was removed because
// nobody wanted it, or with another error if this sidecar has no place where it could
// be written. While the disk refuses, the Archive tries again and again.
func (a *Archive) Finish(s Sidecar, then func(Sidecar, error)) {
	s = s.clone()
	a.jobs.update(s.ID(), func(j *job) {
		j.draft, j.discard, j.finish = nil, false, &s
		j.readFailures, j.delay, j.backoff = 0, 0, 0
		if then != nil {
			j.callbacks = append(j.callbacks, then)
		}
	})
}

// Probe returns the size of a file, in bytes. It may block as long as the disk does.
func (a *Archive) Probe(path string) (size int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("recording: probe: %w", err)
	}
	return info.Size(), nil
}

// LastWrite returns when a file was last written to. It may block as long as the
// disk does.
func (a *Archive) LastWrite(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("recording: last write: %w", err)
	}
	return info.ModTime(), nil
}
