package maintenance

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"time"

	"tapedeck/store/index"
)

const (
	// indexEvery is how often Redis is asked whether its index is complete. It is not if
	// Redis is new or has lost data.
	indexEvery = time.Minute
	// indexAge is how old the index may become. It may lack what was changed in a sidecar
	// by a process that was killed before it wrote to Redis.
	indexAge = 24 * time.Hour
	// indexRetry is the longest wait after an attempt that failed.
	indexRetry = time.Hour
)

// keepIndex makes the index in Redis anew at the start, once a day, and when Redis has
// lost it, unless another instance has done so. It waits before it looks for the first
// time, so that instances which start together do not all begin at once.
func (m *Maintenance) keepIndex(ctx context.Context, wait time.Duration) {
	start := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if m.indexDue(ctx, start, time.Now()) && !m.reindex(ctx) {
			wait = min(max(2*wait, indexEvery), indexRetry)
		} else {
			wait = indexEvery
		}
	}
}

// indexDue reports whether the index is incomplete, too old, or older than the start of
// this process, and no instance is making it.
func (m *Maintenance) indexDue(ctx context.Context, start, now time.Time) bool {
	at, err := m.index.WholeSince(ctx)
	if err != nil || !at.Before(start) && now.Sub(at) < indexAge {
		return false
	}
	if busy, err := m.index.BeingMade(ctx); busy || err != nil {
		return false
	}
	if at.IsZero() {
		m.log.Info("redis has no whole index of recordings: it is made from the sidecars")
	}
	return true
}

// reindex makes the index from the sidecars, and reports whether that succeeded.
func (m *Maintenance) reindex(ctx context.Context) bool {
	all := Entries(ctx, m.dir, func(err error) { m.log.Warn("recording not indexed", "error", err) })
	if !m.alone {
		all = gently(ctx, all)
	}
	kept, removed, err := m.index.Reindex(ctx, all)
	switch {
	case ctx.Err() != nil, errors.Is(err, fs.ErrNotExist): // there is no folder: nothing was ever recorded
	case err != nil:
		m.log.Error("recordings not indexed", "error", err)
		return false
	default:
		m.log.Info("recordings indexed", "recordings", kept, "removed", removed)
	}
	return true
}

// gently yields what all yields. After every 100 entries it rests for as long as they
// took, 1 s at most, so that half of the time of disk and Redis is left to calls.
func gently(ctx context.Context, all iter.Seq2[index.Recording, error]) iter.Seq2[index.Recording, error] {
	const batch, longest = 100, time.Second
	return func(yield func(index.Recording, error) bool) {
		n, begin := 0, time.Now()
		for r, err := range all {
			if !yield(r, err) {
				return
			}
			if n++; n%batch > 0 {
				continue
			}
			select {
			case <-time.After(min(time.Since(begin), longest)):
			case <-ctx.Done(): // all ends then
			}
			begin = time.Now()
		}
	}
}
