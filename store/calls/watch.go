package calls

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// announcements are the organisations whose live calls have changed in Redis and
// that are not announced yet. Its methods never block.
type announcements struct {
	mu  sync.Mutex
	due map[string]bool
}

func (c *announcements) add(organisations ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due == nil {
		c.due = map[string]bool{}
	}
	for _, o := range organisations {
		c.due[o] = true
	}
}

func (c *announcements) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Collect(maps.Keys(c.due))
	clear(c.due)
	return list
}

// announce tells all instances which organisations' live calls have changed. What
// it could not tell is told after the next write.
func (s *Store) announce(ctx context.Context) {
	list := s.announced.take()
	if len(list) == 0 {
		return
	}
	err := s.conn.Do(ctx, "calls_changed", s.conn.Timeout(), func(ctx context.Context) error {
		_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, o := range list {
				pipe.Publish(ctx, changedChannel, o)
			}
			return nil
		})
		return err
	})
	if err != nil {
		s.announced.add(list...)
	}
}

// Watch calls changed with an organisation after its live calls have changed in
// Redis, by any instance. It calls changed with "" whenever changes may have been
// missed: at the beginning, and when Redis is back. One call may stand for several
// changes. changed is called by this goroutine and should be quick: if it is too
// slow, the subscription is lost, and a "" follows. Watch blocks until ctx or the
// Conn is ended, and then returns nil. The Conn's Run has to go on meanwhile.
func (s *Store) Watch(ctx context.Context, changed func(organisation string)) error {
	ctx, end, err := s.conn.WhileOpen(ctx)
	if err != nil {
		return fmt.Errorf("store: watch live calls: %w", err)
	}
	defer end()
	s.conn.Subscribe(ctx, changedChannel, store.Subscriber{Begun: func() { changed("") }, Heard: changed})
	return nil
}
