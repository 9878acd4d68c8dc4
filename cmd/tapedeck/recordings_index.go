package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/store"
)

// openedIndex is the index in a Redis that other processes reach, for a command that
// changes it.
type openedIndex struct {
	*store.Store
	cancel context.CancelFunc
	run    sync.WaitGroup
}

// failure is an error of whatever type, for an atomic.Value.
type failure struct{ error }

// openIndex is openStore with everything going on that writes to the index.
func openIndex(ctx context.Context, cfg *config.Config) (*openedIndex, error) {
	var last atomic.Value // the error of the last operation that failed
	s, err := store.Open(ctx, store.Config{Redis: cfg.Store.Redis.Reveal(), Timeout: applyTimeout,
		Logger: slog.New(slog.DiscardHandler),
		Observe: func(_ string, _ time.Duration, err error) {
			if err != nil {
				last.Store(failure{err})
			}
		}})
	if err != nil {
		return nil, err
	}
	if !s.Up() {
		cause, _ := last.Load().(failure)
		return nil, errors.Join(fmt.Errorf("%w: start Redis, or mend store.redis in the daemon file", cause.error), s.Close())
	}
	x := &openedIndex{Store: s}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	x.cancel = cancel
	x.run.Go(func() { _ = s.Run(running) }) // it returns nil
	return x, nil
}

// indexPatience is how long a command waits at its end for Redis.
const indexPatience = 10 * time.Second

// close waits until everything is in the index, and says what is not.
func (x *openedIndex) close(ctx context.Context) error {
	limit := time.After(indexPatience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for x.QueuedRecordings() > 0 && ctx.Err() == nil && x.Up() {
		select {
		case <-tick.C:
			continue
		case <-limit:
		case <-ctx.Done():
		}
		break
	}
	x.cancel()
	x.run.Wait()
	var err error
	if n := x.QueuedRecordings() + int(x.DroppedRecordings()); n > 0 {
		err = fmt.Errorf("the index does not know of %s yet: run `tapedeck recordings reindex` when Redis is back", plural(n, "change"))
	}
	return errors.Join(err, x.Close())
}
