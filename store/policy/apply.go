package policy

import (
	"context"
	"errors"
	"fmt"

	"tapedeck/flow"
)

// Apply makes p the policy that counts: here at once, in Redis when Apply returns
// without an error, and in the other Tapedecks when they hear of it. The Store
// keeps p, which must be compiled (flow.Load does that) and must not be changed
// again.
//
// A policy that cannot be applied is refused and changes nothing. With an error of
// Redis (store.ErrAway, store.ErrCorrupt) p is in force here, and the Conn's Run
// tries to write it until it can. If Redis has a policy of the same revision,
// nothing is written.
func (s *Store) Apply(ctx context.Context, p *flow.Policy) error {
	if p == nil {
		return errors.New("store: apply policy: there is none")
	}
	v, err := newView(p)
	if err != nil {
		return fmt.Errorf("store: apply policy: %w", err)
	}
	s.mu.Lock()
	now := s.view.Load()
	if now.policy.Revision == p.Revision {
		v = now.under("", now.serial)
	}
	v.serial = now.serial
	s.view.Store(v)
	s.pending = v
	s.mu.Unlock()
	if err := s.writePending(ctx); err != nil {
		return fmt.Errorf("store: apply policy: %w", err)
	}
	return nil
}

// writePending writes the policy that is not yet known to be in Redis, if there
// is one.
func (s *Store) writePending(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	v := s.pending
	s.mu.Unlock()
	if v == nil {
		return nil
	}
	m, err := s.write(ctx, v)
	newer := errors.Is(err, errNewer)
	if err != nil && !newer {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == v {
		s.pending = nil
		if !newer {
			s.view.CompareAndSwap(v, v.under(m.Generation, m.Serial))
		}
	}
	return nil
}

func (s *Store) hasPending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending != nil
}
