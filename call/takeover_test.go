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

// countingArchive is an Archive that counts how often it is read.
type countingArchive struct {
	noArchive
	reads *atomic.Int32
}

func (r countingArchive) Drafts() ([]recording.Sidecar, error) {
	r.reads.Add(1)
	return nil, nil
}

// claimingStore is the Calls of the instance that takes over.
type claimingStore struct {
	noStore
	mu   *sync.Mutex
	mine map[string]bool
}

func (claimingStore) Alone() bool { return false }

func (s claimingStore) Claim(ctx context.Context, c calls.Call) (calls.Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.mine[c.ID] = true
	}
	return c, ctx.Err()
}

func (s claimingStore) has() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mine)
}

// TestTakeoverOfMany: all calls of a dead instance are taken over at the store's
// first report. The drafts on the disk are read once for all of them.
func TestTakeoverOfMany(t *testing.T) {
	const many = 400
	fx := newFixture(t)
	reads, left := &atomic.Int32{}, claimingStore{mu: &sync.Mutex{}, mine: map[string]bool{}}
	fx.stop()
	fx.ctl, _ = fx.start(fx.address, Config{Policy: fx.ctl.cfg.Policy, Calls: left, Archive: countingArchive{reads: reads}})
	orphans := make([]calls.Call, many)
	for i := range orphans {
		id := fmt.Sprintf("c0ffee00-0000-4000-8000-%012d", i)
		orphans[i] = calls.Call{ID: id, Organisation: "acme", Switch: "fs1", Leg: id, Anchor: id, Owner: "dead", Token: 1}
	}
	before, began := reads.Load(), time.Now()
	fx.ctl.Orphans(orphans, nil)
	fx.until("all calls are taken over", func() bool { return left.has() == many })
	t.Logf("taken over in %s", time.Since(began))
	if n := reads.Load() - before; n > 3 { // the reaper and the new link read them, too
		t.Errorf("the drafts were read %d times", n)
	}
}
