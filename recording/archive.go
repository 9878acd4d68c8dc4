package recording

import (
	"context"
	"log/slog"
)

// ArchiveConfig is what an Archive needs.
type ArchiveConfig struct {
	Dir Dir
	Log *slog.Logger
	// OnError is told once for each recording and cause that something of it
	// could not be written; it is tried again. It must not block. May be nil.
	OnError func(stem string, err error)
}

// Archive keeps what is known of recordings beside them: drafts of live ones in
// <dir>/.live, sidecars of finished ones beside the file. Its methods but Run,
// Drafts and Probe only queue, however the disk is.
type Archive struct {
	cfg ArchiveConfig
}

// NewArchive makes an Archive; Run is what writes.
func NewArchive(cfg ArchiveConfig) *Archive { return &Archive{cfg: cfg} }

// Run writes what is queued until ctx ends, and then tries once more what is
// left. It returns an error if something still could not be written.
func (a *Archive) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Draft queues what is known of a live recording; of several of one recording
// the last is written.
func (a *Archive) Draft(s Sidecar) {}

// Finish queues a recording that is over.
func (a *Archive) Finish(s Sidecar, then func(Sidecar, error)) {}

// Discard queues that a draft is removed whose recording there never was.
func (a *Archive) Discard(stem string) {}

// Drafts are what is known of recordings that were live.
func (a *Archive) Drafts() ([]Sidecar, error) { return nil, nil }

// Probe is how long a file is now. It may block as long as the disk does.
func (a *Archive) Probe(path string) (size int64, err error) { return 0, nil }
