package index

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// markTTL is after how long without a sign a Reindex counts as dead.
	markTTL = 2 * time.Minute
	// markEvery is how often a Reindex gives a sign that it goes on.
	markEvery = 10 * time.Second
)

// errLost: Redis has lost its data during a Reindex.
var errLost = errors.New("redis has lost its data meanwhile: do it again")

// A Reindex keeps a mark in Redis while it goes on. If the mark is gone, Redis has
// lost data and perhaps a part of what the Reindex wrote, so it does not count.
//
// KEYS of both: the marks, indexedKey. They return 0 if the mark was lost.
var (
	// ARGV: the mark, markTTL in seconds, whether it is new.
	markScript = redis.NewScript(`
if ARGV[3] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`)

	// ARGV: the mark, when the Reindex began.
	markDoneScript = redis.NewScript(`
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1`)
)

// mark is the mark of one Reindex. It belongs to one goroutine.
type mark struct {
	x     *Index
	name  string
	begun time.Time
	left  time.Time // when it was last left
}

func (x *Index) newMark(ctx context.Context) (*mark, error) {
	name := make([]byte, 8)
	rand.Read(name) // never fails
	m := &mark{x: x, name: hex.EncodeToString(name), begun: time.Now()}
	return m, m.leave(ctx, 1)
}

// goOn keeps the mark alive. It fails if Redis has lost it.
func (m *mark) goOn(ctx context.Context) error {
	if time.Since(m.left) < markEvery {
		return nil
	}
	return m.leave(ctx, 0)
}

func (m *mark) leave(ctx context.Context, fresh int) error {
	m.left = time.Now()
	return m.run(ctx, markScript, m.name, int(markTTL/time.Second), fresh)
}

// done notes that the index is whole, as of the beginning of the Reindex.
func (m *mark) done(ctx context.Context) error {
	return m.run(ctx, markDoneScript, m.name, m.begun.UTC().Format(time.RFC3339Nano))
}

// abandon takes the mark away, because the Reindex has failed.
func (m *mark) abandon(ctx context.Context) {
	_ = m.x.conn.Try(context.WithoutCancel(ctx), "recordings_index", m.x.conn.Timeout(), func(ctx context.Context) error {
		return m.x.conn.Client().ZRem(ctx, indexingKey, m.name).Err()
	})
}

func (m *mark) run(ctx context.Context, script *redis.Script, args ...any) error {
	there := 0
	err := m.x.conn.Do(ctx, "recordings_index", m.x.conn.Timeout(), func(ctx context.Context) (err error) {
		there, err = m.x.conn.Script(ctx, script, []string{indexingKey, indexedKey}, args...)
		return err
	})
	if err == nil && there == 0 {
		return errLost
	}
	return err
}

// doubtWhole notes that the index is not whole, and that a Reindex that goes on
// does not count.
func (x *Index) doubtWhole(ctx context.Context) error {
	return x.conn.Do(ctx, "recordings_index", x.conn.Timeout(), func(ctx context.Context) error {
		return x.conn.Client().Del(ctx, indexedKey, indexingKey).Err()
	})
}

// WholeSince is the beginning of the last Reindex that was completed on this Redis. It is
// zero if none has, or if Redis has lost data since: then the index is not whole.
func (x *Index) WholeSince(ctx context.Context) (at time.Time, err error) {
	err = x.conn.Do(ctx, "recordings_index", x.conn.Timeout(), func(ctx context.Context) (err error) {
		at, err = x.conn.Client().Get(ctx, indexedKey).Time()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("store: read when the index was made: %w", err)
	}
	return at, nil
}

// BeingMade reports whether any instance runs a Reindex.
func (x *Index) BeingMade(ctx context.Context) (bool, error) {
	var n int64
	err := x.conn.Do(ctx, "recordings_index", x.conn.Timeout(), func(ctx context.Context) (err error) {
		n, err = x.conn.Client().ZCard(ctx, indexingKey).Result()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("store: ask whether the index is being made: %w", err)
	}
	return n > 0, nil
}
