// Package policy keeps the policy in Redis, with what each element inherits,
// and a copy in memory that follows every change, from which calls are decided.
//
// A policy that Apply has put into Redis survives a crash of Tapedeck. If Redis
// loses it, or comes back with an older one, an instance that knows the newest
// writes it again. What Apply could not write is lost in a crash.
package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tapedeck/flow"
	"tapedeck/store"
)

// Store is the policy in memory and in Redis. Its methods may be called by any
// number of goroutines.
type Store struct {
	conn    *store.Conn
	seal    *store.Seal        // of the manifest, which has the hash of the whole policy
	changed func(*flow.Policy) // see Follow; may be nil

	view     atomic.Pointer[view]
	mu       sync.Mutex
	pending  *view      // in memory, not yet known to be in Redis
	outdated []outdated // in Redis, to be given an expiry
	bad      string     // the generation that was last found corrupt
	writing  sync.Mutex // held while a policy is written
	restored time.Time  // when a policy in Redis that is not believed was last replaced; Run's own
}

// New adds the policy to what a Conn does and reads the one that is in Redis, if
// Redis is there.
func New(ctx context.Context, conn *store.Conn) (*Store, error) {
	empty, err := newView(&flow.Policy{Version: flow.Version})
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	s := &Store{conn: conn, seal: conn.NewSeal("policy")}
	s.view.Store(empty)
	conn.Add(store.Subject{Sync: s.syncIfDue, Serve: s.listen})
	if conn.Up() {
		if _, err := s.follow(ctx); !errors.Is(err, errNone) {
			conn.Complain("policy in redis not taken", err)
		}
		s.sealAnew(ctx)
	}
	return s, nil
}

// sealAnew has the policy written again if the key that sealed it does not sign any
// more. Only the start does so: instances with their keys in another order would do it
// again and again.
func (s *Store) sealAnew(ctx context.Context) {
	if !s.seal.KeyChanges() {
		return
	}
	m, _, err := s.current(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.view.Load(); err == nil && m.sealedBy > 0 && m.Generation == now.generation {
		s.pending = now
	}
}

// Follow sets who is told of each policy that another Tapedeck has put into Redis,
// after Policy returns it. It has to be called before the Conn's Run, which makes
// one call at a time.
func (s *Store) Follow(changed func(*flow.Policy)) { s.changed = changed }

// Policy returns the policy that counts now. It is never nil: until one is applied
// or read, it has no organisations. It belongs to the Store and must not be
// changed. A new policy replaces it as a whole, so a decision asks for it only
// once.
func (s *Store) Policy() *flow.Policy { return s.view.Load().policy }

// Inheritance returns the cached inheritance of one element of an organisation,
// from memory. It reports false if the policy has no such element.
func (s *Store) Inheritance(organisation string, e flow.Element) (in flow.Inheritance, ok bool) {
	in, ok = s.view.Load().inheritances[organisation][e]
	return in, ok
}

// listen asks for a look after each switch-over, and after each new subscription:
// messages before it were not heard, and Redis may be another one now.
func (s *Store) listen(ctx context.Context) {
	before := false
	s.conn.Subscribe(ctx, switchedChannel, store.Subscriber{
		Begun: func() {
			if before {
				s.conn.Doubt()
			}
			before = true
			s.conn.Look()
		},
		Heard: func(string) { s.conn.Look() },
	})
}

func (s *Store) syncIfDue(ctx context.Context, look bool) {
	if look || s.hasPending() {
		s.sync(ctx)
	}
}

// sync writes the policy that was applied here and is not in Redis yet. If there
// is none, it follows the policy in Redis.
func (s *Store) sync(ctx context.Context) {
	if s.hasPending() {
		s.conn.Complain("policy not written to redis", s.writePending(ctx))
		return
	}
	before := s.view.Load()
	changed, err := s.follow(ctx)
	switch {
	case errors.Is(err, errNone), errors.Is(err, errOlder):
		s.restore(ctx, before)
	case errors.Is(err, store.ErrForged):
		s.conn.Complain("policy in redis not taken", err)
		if now := time.Now(); now.Sub(s.restored) >= restoreEvery {
			s.restored = now
			s.writeAgain(ctx, before)
		}
	case err != nil:
		s.conn.Complain("policy in redis not taken", err)
	case changed:
		s.conn.Complain("", nil)
		p := s.Policy()
		s.conn.Log().Info("policy changed in redis", "revision", p.Revision)
		if s.changed != nil {
			s.changed(p)
		}
	}
}

// restoreEvery is how often a policy that is not believed is replaced at most: it may be
// that of an instance without the key, which writes its own again, too.
const restoreEvery = time.Minute

// restore writes the policy in memory again, because Redis has none, or an older
// one.
func (s *Store) restore(ctx context.Context, before *view) {
	if before.generation != "" && !before.empty() {
		s.conn.Doubt() // Redis has lost the calls, too
		s.conn.Log().Warn("redis has lost the policy: writing it again", "revision", before.policy.Revision)
	}
	s.writeAgain(ctx, before)
}

// writeAgain writes the policy in memory again, unless another one was applied meanwhile.
func (s *Store) writeAgain(ctx context.Context, before *view) {
	s.mu.Lock()
	stale := before.empty() || s.pending != nil || s.view.Load() != before
	if !stale {
		s.pending = before
	}
	s.mu.Unlock()
	if !stale {
		s.conn.Complain("policy not written to redis", s.writePending(ctx))
	}
}
