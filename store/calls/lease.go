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
	grace          time.Duration // it must have been absent that long, while Redis answered all the time
	tellEvery      time.Duration // Follower.Orphans is told again
	strangersEvery time.Duration // live calls are looked through for owners that nobody knows
}

func defaultTimes() leaseTimes {
	return leaseTimes{
		beatEvery: 250 * time.Millisecond, ttl: time.Second, grace: time.Second,
		tellEvery: time.Second, strangersEvery: 5 * time.Second,
	}
}

// pulseTTL is how long the pulse of an instance stays in Redis that is dead, or cut
// off.
const pulseTTL = 24 * time.Hour

// lease is this instance's ownership of its calls, which expires: it lasts as long
// as the sign of life in Redis does. The moments are Unix times in ns.
type lease struct {
	conn  *store.Conn
	times leaseTimes

	ticked atomic.Int64 // when a sign of life was last tried
	beaten atomic.Int64 // when the last one was given
	unsure atomic.Int64 // since when our calls may be others'; 0: they are not
}

// keep keeps this instance's sign of life in Redis until ctx ends. It has a
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
			l.conn.Lost()
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

// beat gives one sign of life. It reports whether there was none before it, and
// which pulse Redis had: a lower one than it has confirmed means that it has lost
// data.
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

// leave takes the sign of life out of Redis, so that the others need not wait for
// its end. ctx may have ended.
func (l *lease) leave(ctx context.Context) {
	if l.conn.Alone() || !l.conn.Up() {
		return
	}
	_ = l.conn.Try(context.WithoutCancel(ctx), "beat", l.conn.Timeout(), func(ctx context.Context) error {
		return l.conn.Client().Del(ctx, beatKey(l.conn.Instance())).Err()
	})
}

// doubt notes that our calls may be others'. Writing them again tells.
func (l *lease) doubt() {
	l.unsure.Store(time.Now().UnixNano())
	l.conn.Doubt()
	l.conn.Wake()
}

// sure notes that Redis has said of every call of ours whose it is, after the
// doubt that began at unsure; one that came later stays.
func (l *lease) sure(unsure int64) { l.unsure.CompareAndSwap(unsure, 0) }

// Holds reports whether it is certain that our calls are ours. It is not when
// this process stood still for longer than its sign of life lasts: another
// instance may have taken them, and until Redis has said which (Follower.Lost)
// nothing should be done for any. While Redis is away nobody can take a call, as
// far as that can be known here, and we go on; but of a Redis that does not answer
// just after a standstill that is known only when it has not for a while. It never
// blocks.
func (s *Store) Holds() bool { return s.conn.Alone() || s.lease.holds(s.conn.Up()) }

// holds is what Holds says where there may be other instances; up says whether
// Redis answers.
func (l *lease) holds(up bool) bool {
	if since(l.ticked.Load()) > l.times.ttl { // this process has just come back
		return false
	}
	if unsure := l.unsure.Load(); unsure != 0 {
		return !up && since(unsure) > l.times.ttl
	}
	return !up || since(l.beaten.Load()) < l.times.ttl
}

// Alive reports whether an instance gives signs of life. One that does not may
// have died just now, or be cut off from Redis for a moment: whoever takes its
// calls for orphans waits longer than one look (see Follower.Orphans).
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
