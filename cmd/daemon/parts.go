package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// parts are what a daemon has begun and has to end, in the order of their beginning.
type parts struct {
	ends   []func()   // each ends one part and returns when it has ended
	failed chan error // why a part ended by itself; the first is enough
}

// errEndedEarly is why the daemon ends if a part has returned nil before it was
// stopped.
var errEndedEarly = errors.New("ended, although nobody stopped it")

func newParts() *parts { return &parts{failed: make(chan error, 1)} }

// start runs a part in its own goroutine until stop cancels its context. A part that
// returns before that has failed, also if its error is nil.
func (p *parts) start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	p.atStop(func() {
		cancel()
		<-ended
	})
	go func() {
		defer close(ended)
		if err := run(ctx); ctx.Err() == nil {
			select {
			case p.failed <- fmt.Errorf("%s: %w", name, cmp.Or(err, errEndedEarly)):
			default:
			}
		}
	}()
}

// atStop registers what has to be done after the parts that are started later have
// ended.
func (p *parts) atStop(end func()) { p.ends = append(p.ends, end) }

// stop ends the parts in reverse order, each before the next.
func (p *parts) stop() {
	for len(p.ends) > 0 {
		last := len(p.ends) - 1
		p.ends[last]()
		p.ends = p.ends[:last]
	}
}
