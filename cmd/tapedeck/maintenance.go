package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"tapedeck/call"
	"tapedeck/metrics"
	"tapedeck/recording"
	"tapedeck/store"
)

// maintenance looks after the recordings that no call is about any more: the index
// is made anew, files without a call are described, and what is
// older than its organisation keeps it is deleted.
type maintenance struct {
	dir     recording.Dir
	store   *store.Store
	archive *recording.Archive
	calls   interface {
		Live(ctx context.Context, calls []string) (map[string]bool, error)
	}
	meter *metrics.Metrics
	log   *slog.Logger
}

const (
	// maintenanceGrace is how long the end waits for a disk.
	maintenanceGrace = 500 * time.Millisecond
	// describePatience is how long one file may take; then the disk is in trouble.
	describePatience = time.Minute
)

// run works until ctx ends.
func (m *maintenance) run(ctx context.Context) error {
	ended := untilEnd(ctx, func(ctx context.Context) {
		var helper sync.WaitGroup
		defer helper.Wait()
		if !m.store.Alone() {
			helper.Go(func() { m.keepIndex(ctx, rand.N(indexEvery)) })
		}
		m.begin(ctx, time.Now())
		everyDay(ctx, time.Hour+rand.N[time.Duration](60)*time.Minute, m.daily)
	})
	if !ended {
		m.log.Warn("maintenance of recordings waits for the disk: it is left alone")
	}
	return nil
}

// untilEnd does work until ctx ends, and reports whether the work ended then,
// too. A disk that hangs holds the goroutine that waits for it, even after that.
func untilEnd(ctx context.Context, work func(context.Context)) bool {
	ended := make(chan struct{})
	go func() { defer close(ended); work(ctx) }()
	<-ctx.Done()
	select {
	case <-ended:
		return true
	case <-time.After(maintenanceGrace):
		return false
	}
}

// everyDay does something after a while, and then every day, or an hour later if
// it says that it could not.
func everyDay(ctx context.Context, first time.Duration, do func(context.Context, time.Time) bool) {
	for wait := first; ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = time.Hour
		if do(ctx, time.Now()) {
			wait = 24 * time.Hour
		}
	}
}

// begin is what is done at the start.
func (m *maintenance) begin(ctx context.Context, now time.Time) {
	if m.store.Alone() {
		m.reindex(ctx)
	}
	m.describe(ctx, now)
	m.describeYoung(ctx, now)
}

// daily is what is done once a day; false: not everything could be done.
func (m *maintenance) daily(ctx context.Context, now time.Time) bool {
	purged := m.purge(ctx, now)
	described := m.describe(ctx, now)
	if m.store.Alone() { // for what a command line has changed on the disk; else keepIndex does it
		m.reindex(ctx)
	}
	return purged && described
}

// describe makes sidecars for files that have none and that no call is about,
// one at a time, so that those of calls do not wait; false: not of all.
func (m *maintenance) describe(ctx context.Context, now time.Time) bool {
	todo, err := forgotten(ctx, m.dir, m.archive, now)
	if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Error("files without a call not all described", "error", err)
	}
	for _, s := range todo {
		if !m.finish(ctx, s) {
			return false
		}
	}
	return ctx.Err() == nil
}

// finish has the archive describe a file; false: it does not come to that.
func (m *maintenance) finish(ctx context.Context, s recording.Sidecar) bool {
	ctx, cancel := context.WithTimeout(ctx, describePatience)
	defer cancel()
	done := make(chan struct{})
	m.archive.Finish(s, func(s recording.Sidecar, err error) {
		defer close(done)
		if err != nil { // the archive has told
			return
		}
		m.store.SaveRecording(call.Index(m.dir, s, nil))
		m.meter.Recording("problem")
		m.meter.Problem(recording.StateUnknown)
		m.log.Warn("file without a call described: who talked on it is not known", "recording", s.Stem(), "organisation", s.Organisation)
	})
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// purge deletes what is older than the policy keeps it.
func (m *maintenance) purge(ctx context.Context, now time.Time) bool {
	live, err := liveCalls(ctx, m.store)
	if err != nil {
		m.log.Warn("recordings not purged", "error", err)
		return false
	}
	var unread error // of those that are kept because something is wrong, one
	done, err := recording.Purge(ctx, recording.PurgeConfig{
		Dir: m.dir, Now: now, Retention: retention(m.store.Policy()), Live: live,
		Audit: recording.NewAudit(m.dir), By: recording.Actor{Who: "tapedeck serve", From: "retention"},
		Deleted: func(s recording.Sidecar) { m.store.DeleteRecording(s.Organisation, s.Stem()) },
		Kept: func(_, _ string, _ recording.KeptWhy, err error) {
			if err != nil {
				unread = err
			}
		},
	})
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		m.log.Error("recordings not purged everywhere", "error", err)
	case unread != nil:
		m.log.Error("recordings kept that are too old: `tapedeck recordings verify` says what is wrong",
			"failed", done.Kept[recording.KeptFailed], "unknown", done.Kept[recording.KeptUnknown], "one", unread)
	}
	m.meter.Purged(done.Deleted)
	m.log.Info("recordings purged", "deleted", done.Deleted, "bytes", done.Bytes,
		"held", done.Kept[recording.KeptHeld], "live", done.Kept[recording.KeptLive])
	return true
}
