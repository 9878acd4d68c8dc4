package calls

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// leaseTimes are the times after which an instance without a sign of life is dead.
// It takes at most ttl + beatEvery + grace and a few round trips until another
// instance knows.
type leaseTimes struct {
	beatEvery      time.Duration // the sign of life is renewed, and those of the others are looked at
	ttl            time.Duration // of the sign of life
	grace          time.Duration // how long it must have been absent, while Redis answered all the time
	tellEvery      time.Duration // Follower.Orphans is called again
	strangersEvery time.Duration // all live calls are searched for owners that are not known instances
}

func defaultTimes() leaseTimes {
	return leaseTimes{
		beatEvery: 250 * time.Millisecond, ttl: time.Second, grace: time.Second,
		tellEvery: time.Second, strangersEvery: 5 * time.Second,
	}
}

// pulseTTL is how long the pulse of an instance stays in Redis when it is dead or
// cut off.
const pulseTTL = 24 * time.Hour

// lease is this instance's ownership of its calls, which expires: it lasts as long
// as the sign of life in Redis does. The moments are Unix times in ns.
type lease struct {
	conn  *store.Conn
	times leaseTimes

	ticked atomic.Int64 // when a sign of life was last tried
	beaten atomic.Int64 // when the last one was given
	unsure atomic.Int64 // since when our calls may belong to others; 0: they do not
}

// keep keeps this instance's sign of life in Redis until ctx ends. It runs in a
// goroutine of its own, so that nothing that takes long can delay it.
func (l *lease) keep(ctx context.Context) {
	tick := time.NewTicker(l.times.beatEvery)
	defer tick.Stop()
	l.ticked.Store(time.Now().UnixNano())
	pulse := int64(0) // the last that Redis has confirmed
	for alive := false; ; {
		begin := time.Now()
		if since(l.ticked.Load()) > l.times.ttl { // this process stood still
			l.doubt()
		}
		l.ticked.Store(begin.UnixNano())
		lapsed, was, err := l.beat(ctx, pulse+1)
		if err == nil && was < pulse {
			l.conn.DataLost()
		}
		switch {
		case err != nil:
		case lapsed && alive:
			// Redis was emptied, or this process was not there for a while and
			// others may have taken its calls: writing them again tells.
			l.doubt()
			l.beaten.Store(begin.UnixNano())
		default:
			alive = true
			l.beaten.Store(begin.UnixNano())
		}
		if err == nil {
			pulse++
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// beat gives one sign of life. It reports whether there was none before, and
// returns the pulse that Redis had. If that is lower than the one that Redis has
// confirmed, Redis has lost data.
func (l *lease) beat(ctx context.Context, pulse int64) (lapsed bool, was int64, err error) {
	var there *redis.IntCmd
	var before *redis.StringCmd
	instance := l.conn.Instance()
	err = l.conn.Try(ctx, "beat", l.conn.Timeout(), func(ctx context.Context) error {
		_, err := l.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			there = pipe.Exists(ctx, beatKey(instance))
			pipe.Set(ctx, beatKey(instance), "1", l.times.ttl)
			pipe.SAdd(ctx, instancesKey, instance)
			before = pipe.GetRange(ctx, pulseKey(instance), 0, -1) // empty if there is none
			pipe.Set(ctx, pulseKey(instance), pulse, pulseTTL)
			return nil
		})
		return err
	})
	if err != nil {
		return false, 0, err
	}
	was, _ = strconv.ParseInt(before.Val(), 10, 64)
	return there.Val() == 0, was, nil
}

// leave removes the sign of life from Redis, so that the other instances need not
// wait for it to expire. ctx may have ended.
func (l *lease) leave(ctx context.Context) {
	if l.conn.Alone() || !l.conn.Up() {
		return
	}
	_ = l.conn.Try(context.WithoutCancel(ctx), "beat", l.conn.Timeout(), func(ctx context.Context) error {
		return l.conn.Client().Del(ctx, beatKey(l.conn.Instance())).Err()
	})
}

// doubt notes that our calls may belong to others. Writing them again shows which
// do.
func (l *lease) doubt() {
	l.unsure.Store(time.Now().UnixNano())
	l.conn.Doubt()
	l.conn.Wake()
}

// sure ends the doubt that began at unsure: Redis has said of each of our calls
// whose it is. A later doubt stays.
func (l *lease) sure(unsure int64) { l.unsure.CompareAndSwap(unsure, 0) }

// Holds reports whether our calls are certainly ours. They are not if this process
// stood still for longer than its sign of life lasts: another instance may have
// taken them, and nothing should be done for any of them until Redis has said
// which (Follower.Lost). While Redis is away no instance can take a call, as far
// as is known here, so our calls stay ours. But if Redis does not answer just
// after a standstill, it counts as away only when it has not answered for a while.
// Holds never blocks.
func (s *Store) Holds() bool { return s.conn.Alone() || s.lease.holds(s.conn.Up()) }

// holds is Holds for a Redis that other instances may use. up says whether Redis
// answers.
func (l *lease) holds(up bool) bool {
	if since(l.ticked.Load()) > l.times.ttl { // this process has just come back
		return false
	}
	if unsure := l.unsure.Load(); unsure != 0 {
		return !up && since(unsure) > l.times.ttl
	}
	return !up || since(l.beaten.Load()) < l.times.ttl
}

// Alive reports whether an instance gives signs of life. An instance that gives
// none may have died just now, or be cut off from Redis for a moment. So before
// its calls count as orphans, more than one look is needed (see Follower.Orphans).
func (s *Store) Alive(ctx context.Context, instance string) (bool, error) {
	if s.conn.Alone() {
		return instance == s.conn.Instance(), nil
	}
	alive := false
	err := s.conn.Try(ctx, "beats_read", s.conn.Timeout(), func(ctx context.Context) error {
		n, err := s.conn.Client().Exists(ctx, beatKey(instance)).Result()
		alive = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store: ask for an instance: %w", err)
	}
	return alive, nil
}

func since(ns int64) time.Duration { return time.Since(time.Unix(0, ns)) }
