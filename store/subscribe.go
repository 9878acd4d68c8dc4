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

// Subscriber is told, by one goroutine, when a subscription begins, what it hears,
// and when it is lost. What is published while there is none is never heard.
type Subscriber struct {
	Begun func()
	Heard func(message string)
	Lost  func() // may be nil
}

// Subscribe keeps a subscription to a channel until ctx ends.
func (c *Conn) Subscribe(ctx context.Context, channel string, who Subscriber) {
	for wait := time.Duration(0); ctx.Err() == nil; {
		if c.subscribeOnce(ctx, channel, who) {
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
func (c *Conn) subscribeOnce(ctx context.Context, channel string, who Subscriber) (begun bool) {
	dial, cancel := context.WithTimeout(ctx, c.ConnectTimeout())
	defer cancel()
	sub := c.client.Subscribe(dial, channel)
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	defer func() {
		if begun && who.Lost != nil {
			who.Lost()
		}
	}()
	limit, asked := c.ConnectTimeout(), false
	for {
		message, err := sub.ReceiveTimeout(ctx, limit)
		if err != nil {
			if !begun || asked || ctx.Err() != nil || !isTimeout(err) || sub.Ping(ctx) != nil {
				return begun
			}
			limit, asked = c.ConnectTimeout(), true
			continue
		}
		limit, asked = quietFor, false
		switch message := message.(type) {
		case *redis.Subscription:
			begun = true
			who.Begun()
		case *redis.Message:
			who.Heard(message.Payload)
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
