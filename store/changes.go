package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// changes are the organisations whose live calls have changed in Redis and that
// are still to be announced. Its methods never block.
type changes struct {
	mu   sync.Mutex
	news map[string]bool
}

func (c *changes) add(organisations ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.news == nil {
		c.news = map[string]bool{}
	}
	for _, o := range organisations {
		c.news[o] = true
	}
}

func (c *changes) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Collect(maps.Keys(c.news))
	clear(c.news)
	return list
}

// announce tells all instances whose live calls have changed. What could not be
// told is told after the next write.
func (s *Store) announce(ctx context.Context) {
	list := s.changes.take()
	if len(list) == 0 {
		return
	}
	err := s.do(ctx, "calls_changed", s.cfg.Timeout, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, o := range list {
				pipe.Publish(ctx, changedChannel, o)
			}
			return nil
		})
		return err
	})
	if err != nil {
		s.changes.add(list...)
	}
}

// WatchCalls calls changed with an organisation after its live calls have
// changed in Redis, by whatever instance, and with "" whenever changes may have
// been missed: at the beginning, and when Redis is back. One call may stand for
// several changes. changed is called by this goroutine and should be quick: what
// it cannot keep up with becomes a "" in the end. WatchCalls blocks until ctx or
// the Store is ended, then it returns nil; Run has to go on meanwhile.
func (s *Store) WatchCalls(ctx context.Context, changed func(organisation string)) error {
	ctx, end, err := s.whileOpen(ctx)
	if err != nil {
		return err
	}
	defer end()
	s.subscribe(ctx, changedChannel, subscriber{begun: func() { changed("") }, heard: changed})
	return nil
}

// whileOpen is ctx as long as the Store is open.
func (s *Store) whileOpen(ctx context.Context) (open context.Context, end func(), err error) {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed {
		return nil, nil, errors.New("store: watch live calls: it is closed")
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }, nil
}
