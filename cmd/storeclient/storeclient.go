// Package storeclient opens the Redis of the daemon file for a command that a person waits
// for.
package storeclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/words"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/store/policy"
)

// timeout is how long one operation on Redis may take. A person waits, not a call.
const timeout = time.Second

// failure is an error of any type, for an atomic.Value.
type failure struct{ error }

// Open opens a Redis that has to be there. The caller closes it. Only what is read and
// what is written at once works: nothing runs in the background.
func Open(ctx context.Context, cfg *config.Config) (*store.Conn, error) {
	conn, up, err := open(ctx, cfg)
	if err == nil {
		err = up()
	}
	return conn, orClose(err, conn)
}

// OpenPolicy is Open for a command that reads the policy in that Redis. A policy that
// Redis did not deliver is an error: a command must not take it for an empty one.
func OpenPolicy(ctx context.Context, cfg *config.Config) (*store.Conn, *policy.Store, error) {
	conn, up, err := open(ctx, cfg)
	if err == nil {
		err = up()
	}
	var p *policy.Store
	if err == nil {
		p, err = policy.New(ctx, conn)
	}
	if err == nil {
		err = up() // reading the policy may have failed
	}
	return conn, p, orClose(err, conn)
}

// open opens Redis. up says why Redis is not there, nil if it is.
func open(ctx context.Context, cfg *config.Config) (conn *store.Conn, up func() error, err error) {
	keys, _, err := cfg.Store.Keys()
	if err != nil {
		return nil, nil, err
	}
	var last atomic.Value // failure of the last operation that failed
	conn, err = store.Open(ctx, store.Config{Redis: cfg.Store.Redis.Reveal(), Timeout: timeout, Keys: keys,
		Logger: slog.New(slog.DiscardHandler),
		Observe: func(_ string, _ time.Duration, err error) {
			if err != nil {
				last.Store(failure{err})
			}
		}})
	return conn, func() error {
		if conn.Up() {
			return nil
		}
		cause, _ := last.Load().(failure)
		return fmt.Errorf("%w: start Redis, or mend store.redis in the daemon file", cause.error)
	}, err
}

// orClose closes conn if there is an error, and returns that error.
func orClose(err error, conn *store.Conn) error {
	if err == nil || conn == nil {
		return err
	}
	return errors.Join(err, conn.Close())
}

// Index is the index in a Redis, for a command that changes it. Changes are written in
// the background.
type Index struct {
	*index.Index
	Policy *policy.Store // the policy in that Redis
	Calls  *calls.Store  // the live calls
	conn   *store.Conn
	cancel context.CancelFunc
	run    sync.WaitGroup
}

// OpenIndex is Open for a command that changes the index. The caller has to Close it.
func OpenIndex(ctx context.Context, cfg *config.Config) (*Index, error) {
	conn, p, err := OpenPolicy(ctx, cfg)
	if err != nil {
		return nil, err
	}
	x := &Index{Index: index.New(conn), Policy: p, Calls: calls.New(conn), conn: conn}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	x.cancel = cancel
	x.run.Go(func() { _ = conn.Run(running) }) // it returns nil
	return x, nil
}

// patience is how long Close waits for Redis.
const patience = 10 * time.Second

// Close waits until every change is in the index, 10 s at most, and says how many are
// not.
func (x *Index) Close(ctx context.Context) error {
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for x.Queued() > 0 && ctx.Err() == nil && x.conn.Up() {
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
	if n := x.Queued() + int(x.Dropped()); n > 0 {
		err = fmt.Errorf("the index does not know of %s yet: run `tapedeck recordings reindex` when Redis is back", words.Count(n, "change"))
	}
	return errors.Join(err, x.conn.Close())
}
