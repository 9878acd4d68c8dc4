package lab

import (
	"context"
	"errors"
	"sync"
)

// inbox keeps the events that one program tells, in the order in which they came. The
// zero value is empty.
type inbox[E any] struct {
	mu     sync.Mutex
	events []E
	more   chan struct{} // closed at the next event; nil if nobody waits for it
}

// add takes the next event.
func (in *inbox[E]) add(e E) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.events = append(in.events, e)
	if in.more != nil {
		close(in.more)
		in.more = nil
	}
}

// seen is how many events have come so far.
func (in *inbox[E]) seen() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.events)
}

// since returns the events without the first seen ones, and a channel that the next
// event closes.
func (in *inbox[E]) since(seen int) (fresh []E, more <-chan struct{}) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.more == nil {
		in.more = make(chan struct{})
	}
	return in.events[seen:], in.more
}

// errEnded is why no event comes any more: the program has ended.
var errEnded = errors.New("it has ended")

// wait returns the first event that matches, without the first seen ones, of those that
// have come already or come within patience. It fails at once when ended is closed; nil
// is never.
func (in *inbox[E]) wait(ctx context.Context, seen int, ended <-chan struct{}, match func(E) bool) (E, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var none E
	for {
		fresh, more := in.since(seen)
		for _, e := range fresh {
			if match(e) {
				return e, nil
			}
		}
		seen += len(fresh)
		select {
		case <-more:
		case <-ended:
			return none, errEnded
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}
