package call

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/store"
)

// mortalStore is the Calls of an instance that does not own any call, beside an owner
// that may die.
type mortalStore struct {
	claimingStore
	alive bool
	asked int // how often it was asked whether the owner lives
}

func (*mortalStore) Instance() string { return "survivor" }

func (s *mortalStore) Alive(context.Context, string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.alive, nil
}

func (s *mortalStore) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// TestUnproved: a call whose entry in Redis is not believed is taken over when its owner
// is dead, from what FreeSWITCH knows of it.
func TestUnproved(t *testing.T) {
	policy := pressPolicy(t)
	fx := newFixtureWith(t, policy)
	fx.sw.ExcuseTold(true) // nobody is there for a while
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1004")
	fx.answer(b)
	fx.waitState(a, "on")
	fx.stop()
	s := &mortalStore{claimingStore: claimingStore{mu: &sync.Mutex{}, mine: map[string]bool{}}, alive: true}
	fx.serve(Config{Policy: testPolicyOf(policy), Calls: s})
	ids := []store.ID{{Organisation: "acme", ID: a.UUID()}, {Organisation: "acme", ID: "invented"}}
	var left atomic.Bool
	fx.until("the call is left to its owner, which lives", func() bool {
		fx.ctl.ask(t.Context(), func(time.Time) { left.Store(len(fx.ctl.takeover.strays) == 0) })
		return left.Load()
	})
	s.note(func() {
		if s.alive = false; s.asked == 0 {
			t.Error("nobody has asked whether the owner lives")
		}
	})
	fx.ctl.Orphans(nil, ids)
	fx.until("the call is taken over", func() bool { return s.has() == 1 })
	fx.until("it is followed", func() bool { return fx.meter.get("adopted adopted") == 1 })
	fx.settle()
	fx.pressCode(b)
	fx.waitState(a, "paused")
}
