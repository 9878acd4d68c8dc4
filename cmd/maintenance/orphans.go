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
)

// OrphanAge is how long nobody has written to a file before it is described without
// its call.
const OrphanAge = 10 * time.Minute

// describe makes sidecars for files that have none and that no call is about,
// one at a time, so that those of calls do not wait; false: not of all.
func (m *Maintenance) describe(ctx context.Context, now time.Time) bool {
	todo, err := undescribed(ctx, m.dir, m.archive, now)
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
func (m *Maintenance) finish(ctx context.Context, s recording.Sidecar) bool {
	ctx, cancel := context.WithTimeout(ctx, describePatience)
	defer cancel()
	done := make(chan struct{})
	m.archive.Finish(s, func(s recording.Sidecar, err error) {
		defer close(done)
		if err != nil { // the archive has told
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

// DescribeOrphans makes sidecars for the files that have none and that no call is
// about. It returns how many it made, and the first thing that went wrong.
func DescribeOrphans(ctx context.Context, d recording.Dir) (made int, err error) {
	failed := make(chan error, 1)
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: d, Log: slog.New(slog.DiscardHandler), Grace: time.Millisecond,
		OnError: func(_ string, err error) {
			select {
			case failed <- err:
			default: // one cause is enough
			}
		}})
	todo, err := undescribed(ctx, d, archive, time.Now())
	work, cancel := context.WithCancel(ctx)
	var run sync.WaitGroup
	run.Go(func() { _ = archive.Run(work) }) // what is left is told of below
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

// undescribed is what is known of the files that have no sidecar and that no call
// is about. If there is an error it is not of all of them.
func undescribed(ctx context.Context, d recording.Dir, a *recording.Archive, now time.Time) (all []recording.Sidecar, err error) {
	limit := now.Add(-OrphanAge)
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

// interrupted are the files without a call whose description a Tapedeck began
// before it was killed: a draft is left, in which there is no FreeSWITCH that
// could be asked.
func interrupted(a *recording.Archive, limit time.Time) (left []recording.Sidecar, err error) {
	drafts, err := a.Drafts()
	for _, s := range drafts {
		if s.Switch == "" && s.HasProblem(recording.StateUnknown) && s.Ended.Before(limit) {
			left = append(left, s)
		}
	}
	return left, err
}
