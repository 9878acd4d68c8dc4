package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// quietFor is how long a subscription may be silent before it is asked
	// whether it lives.
	quietFor = 10 * time.Second
	// subscribeSoon and subscribeAgain are the shortest and the longest wait
	// before a subscription is tried again.
	subscribeSoon  = 50 * time.Millisecond
	subscribeAgain = time.Second
)

// subscriber is told, by one goroutine, what a subscription hears, and when it
// is there. What is published while there is none is never heard.
type subscriber struct {
	begun func()
	heard func(message string)
	lost  func() // may be nil
}

// subscribe keeps a subscription to a channel until ctx ends.
func (s *Store) subscribe(ctx context.Context, channel string, who subscriber) {
	for wait := time.Duration(0); ctx.Err() == nil; {
		if s.subscribeOnce(ctx, channel, who) {
			wait = 0
		}
		wait = min(max(2*wait, subscribeSoon), subscribeAgain)
		pause := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// subscribeOnce reports whether the subscription was made before it ended.
func (s *Store) subscribeOnce(ctx context.Context, channel string, who subscriber) (begun bool) {
	dial, cancel := context.WithTimeout(ctx, connectFactor*s.cfg.Timeout)
	defer cancel()
	sub := s.client.Subscribe(dial, channel)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	defer func() {
		if begun && who.lost != nil {
			who.lost()
		}
	}()
	limit, asked := connectFactor*s.cfg.Timeout, false
	for {
		message, err := sub.ReceiveTimeout(ctx, limit)
		if err != nil {
			if !begun || asked || ctx.Err() != nil || !isTimeout(err) || sub.Ping(ctx) != nil {
				return begun
			}
			limit, asked = connectFactor*s.cfg.Timeout, true
			continue
		}
		limit, asked = quietFor, false
		switch message := message.(type) {
		case *redis.Subscription:
			begun = true
			who.begun()
		case *redis.Message:
			who.heard(message.Payload)
		}
	}
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
