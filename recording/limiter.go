package recording

import (
	"context"
	"sync"
)

// limiter lets only so many goroutines work at once, and never two on the same
// thing.
type limiter struct {
	slots chan struct{} // holds one value for each goroutine that works
	mu    sync.Mutex
	busy  map[string]chan struct{} // by name; closed when nobody works on it any more
}

func newLimiter(atOnce int) *limiter {
	return &limiter{slots: make(chan struct{}, atOnce), busy: map[string]chan struct{}{}}
}

// acquire waits until the caller may work on what has this name. The caller then
// has to call done. An error is that of ctx.
func (l *limiter) acquire(ctx context.Context, name string) (done func(), err error) {
	for !l.claim(name) {
		l.mu.Lock()
		other := l.busy[name]
		l.mu.Unlock()
		if other == nil {
			continue
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots; l.unclaim(name) }, nil
	case <-ctx.Done():
		l.unclaim(name)
		return nil, ctx.Err()
	}
}

// claim reserves a name, unless somebody has it.
func (l *limiter) claim(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[name] != nil {
		return false
	}
	l.busy[name] = make(chan struct{})
	return true
}

func (l *limiter) unclaim(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.busy[name])
	delete(l.busy, name)
}
