package maintenance

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"tapedeck/call"
	"tapedeck/recording"
	"tapedeck/recording/evidence"
)

// UndescribedAge is how long nobody has written to a file without a sidecar before it is
// described. FreeSWITCH may still be writing to a younger one.
const UndescribedAge = 10 * time.Minute

// describeAll makes sidecars for files that have none and that no call is about, and
// reports whether it got through. It hands the archive one file at a time, so that the
// files of calls that end do not wait.
func (m *Maintenance) describeAll(ctx context.Context, now time.Time) bool {
	todo, err := undescribed(ctx, m.dir, m.archive, now)
	if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Error("files without a call not all described", "error", err)
	}
	for _, s := range todo {
		if !m.describe(ctx, s) {
			return false
		}
	}
	return ctx.Err() == nil
}

// describe lets the archive describe one file, and reports whether the archive came to it
// in time.
func (m *Maintenance) describe(ctx context.Context, s recording.Sidecar) bool {
	ctx, cancel := context.WithTimeout(ctx, describePatience)
	defer cancel()
	done := make(chan struct{})
	m.archive.Finish(s, func(s recording.Sidecar, err error) {
		defer close(done)
		if err != nil { // the archive has logged it
			return
		}
		m.index.Save(call.Index(m.dir, s, nil))
		m.meter.Recording("problem")
		m.meter.Problem(recording.StateUnknown)
		m.log.Warn("file without a call described: who talked on it is not known", "recording", s.ID(), "organisation", s.Organisation)
	})
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Describe makes sidecars for the files below d that have none and that no call is about.
// Each is an entry of the evidence log, unless that is nil. Describe returns how many it
// made. At the first file that the archive cannot describe it stops.
func Describe(ctx context.Context, d recording.Dir, ev *evidence.Log) (made int, err error) {
	failed := make(chan error, 1)
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: d, Evidence: ev, Log: slog.New(slog.DiscardHandler), Grace: time.Millisecond,
		OnError: func(_ string, err error) {
			select {
			case failed <- err:
			default: // one cause is enough
			}
		}})
	todo, err := undescribed(ctx, d, archive, time.Now())
	work, cancel := context.WithCancel(ctx)
	var run sync.WaitGroup
	run.Go(func() { _ = archive.Run(work) }) // each error is returned below
	defer run.Wait()
	defer cancel()
	for _, s := range todo {
		done := make(chan error, 1)
		archive.Finish(s, func(_ recording.Sidecar, err error) { done <- err })
		var broken error
		select {
		case broken = <-done:
		case broken = <-failed:
		case <-ctx.Done():
			broken = ctx.Err()
		}
		if broken != nil {
			return made, errors.Join(err, broken)
		}
		made++
	}
	return made, err
}

// undescribed returns what is known of the files that have no sidecar and that no call is
// about. With an error the list may lack some.
func undescribed(ctx context.Context, d recording.Dir, a *recording.Archive, now time.Time) (all []recording.Sidecar, err error) {
	limit := now.Add(-UndescribedAge)
	all, err = interrupted(a, limit)
	paths, unread := recording.Undescribed(ctx, d, limit)
	err = errors.Join(err, unread)
	for _, path := range paths {
		s, bad := recording.Describe(d, path)
		if bad != nil {
			err = errors.Join(err, bad)
			continue
		}
		all = append(all, s)
	}
	return all, err
}

// interrupted returns the drafts of files that an earlier process had begun to describe
// when it was killed. They name no switch, because nobody knew it: so no call is asked for
// them.
func interrupted(a *recording.Archive, limit time.Time) (left []recording.Sidecar, err error) {
	drafts, err := a.Drafts()
	for _, s := range drafts {
		if s.Switch == "" && s.HasProblem(recording.StateUnknown) && s.Ended.Before(limit) {
			left = append(left, s)
		}
	}
	return left, err
}
