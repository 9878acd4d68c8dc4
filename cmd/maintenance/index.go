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
	// indexEvery is how soon it is found out that a Redis has no whole index: it is
	// new, or has lost data.
	indexEvery = time.Minute
	// indexAge is how old an index may be. The sidecars may know more: whoever
	// changed one may have been killed before Redis knew it.
	indexAge = 24 * time.Hour
	// indexAgain is the longest wait before it is tried again.
	indexAgain = time.Hour
)

// keepIndex makes the index in Redis anew: at the start, once a day, and when Redis
// has lost it. What another instance has made meanwhile counts, too.
func (m *Maintenance) keepIndex(ctx context.Context, wait time.Duration) {
	start := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if m.indexDue(ctx, start, time.Now()) && !m.reindex(ctx) {
			wait = min(max(2*wait, indexEvery), indexAgain)
		} else {
			wait = indexEvery
		}
	}
}

// indexDue reports whether the index is not whole, too old, or from before the
// start, and nobody is making it.
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

// reindex fills the index from the sidecars; false: it could not.
func (m *Maintenance) reindex(ctx context.Context) bool {
	all := Entries(ctx, m.dir, func(err error) { m.log.Warn("recording not indexed", "error", err) })
	if !m.alone {
		all = gently(ctx, all)
	}
	kept, removed, err := m.index.Reindex(ctx, all)
	switch {
	case ctx.Err() != nil, errors.Is(err, fs.ErrNotExist): // nothing was ever recorded
	case err != nil:
		m.log.Error("recordings not indexed", "error", err)
		return false
	default:
		m.log.Info("recordings indexed", "recordings", kept, "removed", removed)
	}
	return true
}

// gently yields what all does, and rests after every few as long as they took, so
// that the disk and Redis are free for calls.
func gently(ctx context.Context, all iter.Seq2[index.Recording, error]) iter.Seq2[index.Recording, error] {
	const few, longest = 100, time.Second
	return func(yield func(index.Recording, error) bool) {
		n, begin := 0, time.Now()
		for r, err := range all {
			if !yield(r, err) {
				return
			}
			if n++; n%few > 0 {
				continue
			}
			select {
			case <-time.After(min(time.Since(begin), longest)):
			case <-ctx.Done(): // which all notices
			}
			begin = time.Now()
		}
	}
}
