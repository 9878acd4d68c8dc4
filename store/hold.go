package store

import "time"

// Holds reports whether it is certain that our calls are ours. It is not when
// this process stood still for longer than its sign of life lasts: another
// instance may have taken them, and until Redis has said which (OnLost) nothing
// should be done for any. While Redis is away nobody can take a call, as far as
// that can be known here, and we go on; but of one that does not answer just
// after a standstill that is known only when it has not for a while. It never
// blocks.
func (s *Store) Holds() bool {
	if s.Alone() {
		return true
	}
	if since(s.ticked.Load()) > s.lease.ttl { // we have just come back
		return false
	}
	if unsure := s.unsure.Load(); unsure != 0 {
		return !s.Up() && since(unsure) > s.lease.ttl
	}
	return !s.Up() || since(s.beaten.Load()) < s.lease.ttl
}

// doubtOwn notes that our calls may be others'. Writing them again tells.
func (s *Store) doubtOwn() {
	s.unsure.Store(time.Now().UnixNano())
	s.doubt.Store(true)
	s.wakeRun()
}

// sure notes that Redis has said of every call of ours whose it is, after the
// doubt that unsure stands for; one that came later stays.
func (s *Store) sure(unsure int64) { s.unsure.CompareAndSwap(unsure, 0) }

func since(ns int64) time.Duration { return time.Since(time.Unix(0, ns)) }
