package policy

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// outdated is a generation that does not count any more, or never will.
type outdated struct {
	manifest
	base string // the value of current that it was to replace; empty: none, or it was current itself
}

// outdatedMax is how many generations may wait for their expiry while Redis comes
// and goes. A generation that is forgotten only costs Redis memory.
const outdatedMax = 64

func (s *Store) remember(list ...outdated) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range list {
		known := slices.ContainsFunc(s.outdated, func(k outdated) bool { return k.Generation == o.Generation })
		if o.Generation != "" && !known {
			s.outdated = append(s.outdated, o)
		}
	}
	if over := len(s.outdated) - outdatedMax; over > 0 {
		s.outdated = slices.Delete(s.outdated, 0, over)
	}
}

// expireOutdated gives an expiry to the generations that do not count any more;
// current is known to be raw. A generation whose switch-over got no answer may
// still become current, as long as current is the value that it was to replace.
func (s *Store) expireOutdated(ctx context.Context, generation, raw string) {
	s.mu.Lock()
	var due, rest []outdated
	for _, o := range s.outdated {
		switch {
		case o.Generation == generation:
			// It counts. The instance that replaces it remembers it.
		case o.base == raw:
			rest = append(rest, o)
		default:
			due = append(due, o)
		}
	}
	s.outdated = rest
	s.mu.Unlock()
	if len(due) == 0 {
		return
	}
	if err := s.expire(ctx, due); err != nil {
		s.remember(due...)
	}
}

func (s *Store) expire(ctx context.Context, due []outdated) error {
	return s.conn.Do(ctx, "policy_expire", s.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, old := range due {
				for _, o := range old.Organisations {
					pipe.Expire(ctx, policyKey(o.ID, old.Generation), replacedTTL)
				}
			}
			return nil
		})
		return err
	})
}
