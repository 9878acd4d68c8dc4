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
	made, err := describeOrphans(ctx, cfg.dir)
	fmt.Fprintf(stdout, "files without a call described: %d\n", made)
	if err == nil {
		unreadable := 0
		kept, removed, failed := s.Reindex(ctx, described(ctx, cfg.dir, func(err error) {
			unreadable++
			fmt.Fprintf(stderr, "tapedeck recordings reindex: left out: %s\n", recording.Clean(err.Error(), maxLine))
		}))
		fmt.Fprintf(stdout, "in the index: %s; taken out of it: %d\n", plural(kept, "recording"), removed)
		if err = failed; err == nil && unreadable > 0 {
			err = fmt.Errorf("sidecars that are not in the index: %d: mend or remove them and run this again", unreadable)
		}
	}
	return errors.Join(err, s.Close())
}

// describeOrphans makes sidecars for the files that have none, and reports how
// many.
func describeOrphans(ctx context.Context, d recording.Dir) (made int, err error) {
	paths, err := recording.Orphans(ctx, d, time.Now().Add(-orphanAge))
	if err != nil || len(paths) == 0 {
		return 0, err
	}
	failed := make(chan error, 1)
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: d, Log: slog.New(slog.DiscardHandler), Grace: time.Millisecond,
		OnError: func(_ string, err error) {
			select {
			case failed <- err:
			default: // one cause is enough
			}
		}})
	work, cancel := context.WithCancel(ctx)
	var run sync.WaitGroup
	run.Go(func() { _ = archive.Run(work) }) // what is left is told of below
	defer run.Wait()
	defer cancel()
	for _, path := range paths {
		s, err := recording.Orphan(d, path)
		if err != nil {
			return made, err
		}
		done := make(chan error, 1)
		archive.Finish(s, func(_ recording.Sidecar, err error) { done <- err })
		select {
		case err = <-done:
		case err = <-failed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}
