package store

import "time"

// Holds reports whether it is certain that our calls are ours. It is not when
// this process stood still for longer than its sign of life lasts: another
// instance may have taken them, and until Redis has said which (OnLost) nothing
// should be done for any. While Redis is away nobody can take a call, as far as
// that can be known here, and we go on. It never blocks.
func (s *Store) Holds() bool {
	if s.Alone() || !s.Up() {
		return true
	}
	return time.Since(time.Unix(0, s.beaten.Load())) < s.lease.ttl && !s.unsure.Load()
}

// sure notes that Redis has said of every call of ours whose it is.
func (s *Store) sure() { s.unsure.Store(false) }
