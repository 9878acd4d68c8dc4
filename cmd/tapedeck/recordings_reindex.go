package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"tapedeck/recording"
)

// orphanAge is how long nobody has written to a file before it is described
// without its call.
const orphanAge = 10 * time.Minute

// recordingsReindex describes the files that nobody has described, and makes the
// index in Redis anew from all sidecars.
func recordingsReindex(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags, daemonFile := recordingsFlags("reindex")
	if _, err := parse(flags, args, stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile)
	if err != nil {
		return err
	}
	if cfg.isEmbedded() {
		return errors.New("store.redis is embedded, so the index is inside serve, which makes it anew at each start: restart it")
	}
	s, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	made, broken := describeOrphans(ctx, cfg.dir)
	fmt.Fprintf(stdout, "files without a call described: %d\n", made)
	unreadable := 0
	kept, removed, err := s.Reindex(ctx, described(ctx, cfg.dir, func(err error) {
		unreadable++
		fmt.Fprintf(stderr, "tapedeck recordings reindex: left out: %s\n", recording.Clean(err.Error(), maxLine))
	}))
	fmt.Fprintf(stdout, "in the index: %s; taken out of it: %d\n", plural(kept, "recording"), removed)
	if err == nil && unreadable > 0 {
		err = fmt.Errorf("sidecars that are not in the index: %d: mend or remove them and run this again", unreadable)
	}
	return errors.Join(broken, err, s.Close())
}

// describeOrphans makes sidecars for the files that have none, and reports how
// many.
func describeOrphans(ctx context.Context, d recording.Dir) (made int, err error) {
	failed := make(chan error, 1)
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: d, Log: slog.New(slog.DiscardHandler), Grace: time.Millisecond,
		OnError: func(_ string, err error) {
			select {
			case failed <- err:
			default: // one cause is enough
			}
		}})
	todo, err := forgotten(ctx, d, archive, time.Now())
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

// forgotten is what is known of the files that have no sidecar and that no call
// is about. If there is an error it is not of all of them.
func forgotten(ctx context.Context, d recording.Dir, a *recording.Archive, now time.Time) (all []recording.Sidecar, err error) {
	limit := now.Add(-orphanAge)
	all, err = interrupted(a, limit)
	paths, unread := recording.Orphans(ctx, d, limit)
	err = errors.Join(err, unread)
	for _, path := range paths {
		s, bad := recording.Orphan(d, path)
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
