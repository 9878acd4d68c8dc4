package store

import (
	"context"
	"fmt"
)

// Alive reports whether an instance gives signs of life. One that does not may
// have died just now, or be cut off from Redis for a moment: whoever takes its
// calls for orphans waits longer than one look (see OnOrphans).
func (s *Store) Alive(ctx context.Context, instance string) (bool, error) {
	if s.Alone() {
		return instance == s.cfg.Instance, nil
	}
	alive := false
	err := s.try(ctx, "beats_read", s.cfg.Timeout, func(ctx context.Context) error {
		n, err := s.client.Exists(ctx, beatKey(instance)).Result()
		alive = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store: ask for an instance: %w", err)
	}
	return alive, nil
}
