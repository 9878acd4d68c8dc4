package call

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/recording"
	"tapedeck/store/calls"
)

// readOften is an Archive that counts how often it is read.
type readOften struct {
	unwritten
	reads *atomic.Int32
}

func (r readOften) Drafts() ([]recording.Sidecar, error) {
	r.reads.Add(1)
	return nil, nil
}

// survivor is the Calls of the instance that is left.
type survivor struct {
	nowhere
	mu   *sync.Mutex
	mine map[string]bool
}

func (survivor) Alone() bool { return false }

func (s survivor) Claim(ctx context.Context, c calls.Call) (calls.Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.mine[c.ID] = true
	}
	return c, ctx.Err()
}

func (s survivor) has() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mine)
}

// TestTakeOverOfMany: all calls of an instance that has died are taken over when
// they are first told of. What lies beside all the files is read once for them.
func TestTakeOverOfMany(t *testing.T) {
	const many = 400
	l := newLab(t)
	reads, left := &atomic.Int32{}, survivor{mu: &sync.Mutex{}, mine: map[string]bool{}}
	l.stop()
	l.ctl, _ = l.start(l.address, Config{Policy: l.ctl.cfg.Policy, Calls: left, Index: noIndex{}, Archive: readOften{reads: reads}})
	orphans := make([]calls.Call, many)
	for i := range orphans {
		id := fmt.Sprintf("c0ffee00-0000-4000-8000-%012d", i)
		orphans[i] = calls.Call{ID: id, Organisation: "acme", Switch: "fs1", Leg: id, Anchor: id, Owner: "dead", Token: 1}
	}
	before, began := reads.Load(), time.Now()
	l.ctl.Orphans(orphans)
	l.until("all calls are taken over", func() bool { return left.has() == many })
	t.Logf("taken over in %s", time.Since(began))
	if n := reads.Load() - before; n > 3 { // the reaper, and the look after the link's beginning, read too
		t.Errorf("the drafts were read %d times", n)
	}
}
