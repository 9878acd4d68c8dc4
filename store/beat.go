package store

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// lease is the times after which an instance without a sign of life is dead. It
// takes at most ttl + beatEvery + grace and a few round trips until another
// knows.
type lease struct {
	beatEvery      time.Duration // the sign of life is renewed, and those of the others are looked at
	ttl            time.Duration // of the sign of life
	grace          time.Duration // it must have been absent that long, while Redis answered all the time
	tellEvery      time.Duration // OnOrphans is told again
	strangersEvery time.Duration // live calls are looked through for owners that nobody knows
}

// pulseTTL is how long the pulse of an instance stays in Redis that is dead, or cut
// off.
const pulseTTL = 24 * time.Hour

func defaultLease() lease {
	return lease{
		beatEvery: 250 * time.Millisecond, ttl: time.Second, grace: time.Second,
		tellEvery: time.Second, strangersEvery: 5 * time.Second,
	}
}

// beat keeps this instance's sign of life in Redis until ctx is ended. It has a
// goroutine of its own, so that nothing that takes long can delay it.
func (s *Store) beat(ctx context.Context) {
	tick := time.NewTicker(s.lease.beatEvery)
	defer tick.Stop()
	s.ticked.Store(time.Now().UnixNano())
	pulse := int64(0) // the last that Redis has confirmed
	for alive := false; ; {
		begin := time.Now()
		if since(s.ticked.Load()) > s.lease.ttl { // we stood still
			s.doubtOwn()
		}
		s.ticked.Store(begin.UnixNano())
		lapsed, was, err := s.beatOnce(ctx, pulse+1)
		if err == nil && was < pulse {
			s.log.Warn("redis has lost data: what it should know is written again")
			s.lost.Store(true)
			s.doubt.Store(true)
			s.wakeRun()
		}
		switch {
		case err != nil:
		case lapsed && alive:
			// Redis was emptied, or we were not there for a while and others may
			// have taken our calls: writing them again tells.
			s.doubtOwn()
			s.beaten.Store(begin.UnixNano())
		default:
			alive = true
			s.beaten.Store(begin.UnixNano())
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

// beatOnce reports whether there was no sign of life before this one, and which
// pulse Redis had: a lower one than it has confirmed means that it has lost data.
func (s *Store) beatOnce(ctx context.Context, pulse int64) (lapsed bool, was int64, err error) {
	var there *redis.IntCmd
	var before *redis.StringCmd
	err = s.try(ctx, "beat", s.cfg.Timeout, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			there = pipe.Exists(ctx, beatKey(s.cfg.Instance))
			pipe.Set(ctx, beatKey(s.cfg.Instance), "1", s.lease.ttl)
			pipe.SAdd(ctx, instancesKey, s.cfg.Instance)
			before = pipe.GetRange(ctx, pulseKey(s.cfg.Instance), 0, -1) // empty if there is none
			pipe.Set(ctx, pulseKey(s.cfg.Instance), pulse, pulseTTL)
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

// leave takes the sign of life out of Redis, so that the others need not wait
// for its end. It may be called after the end of ctx.
func (s *Store) leave(ctx context.Context) {
	if s.Alone() || !s.Up() {
		return
	}
	_ = s.try(context.WithoutCancel(ctx), "beat", s.cfg.Timeout, func(ctx context.Context) error {
		return s.client.Del(ctx, beatKey(s.cfg.Instance)).Err()
	})
}
