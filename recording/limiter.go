package recording

import (
	"context"
	"sync"
)

// turns lets few do something at once, and never two the same.
type turns struct {
	slots chan struct{} // as many as may be at work
	mu    sync.Mutex
	busy  map[string]chan struct{} // closed when it is nobody's any more
}

func newTurns(atOnce int) *turns {
	return &turns{slots: make(chan struct{}, atOnce), busy: map[string]chan struct{}{}}
}

// take waits until it is one's turn. Then done has to be called.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	for !t.begin(name) {
		t.mu.Lock()
		other := t.busy[name]
		t.mu.Unlock()
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
	case t.slots <- struct{}{}:
		return func() { <-t.slots; t.end(name) }, nil
	case <-ctx.Done():
		t.end(name)
		return nil, ctx.Err()
	}
}

func (t *turns) begin(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[name] != nil {
		return false
	}
	t.busy[name] = make(chan struct{})
	return true
}

func (t *turns) end(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy[name])
	delete(t.busy, name)
}
