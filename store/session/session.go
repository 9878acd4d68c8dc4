// Package session keeps the console's sessions in Redis, for all instances on it.
// They survive a crash of Tapedeck, unless Redis is the embedded one. Each has a seal, so
// that nobody else who writes to Redis can make one. A session
// that was ended stays ended when Redis loses data: the instance that ended it
// ends it again. It does not if that instance is dead by then.
package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/internal/recent"
	"tapedeck/store"
)

const (
	maxSize = 4096 // bytes of one in JSON
	// maxPerAccount is how many sessions an account may have; those that would
	// expire first make room for a new one.
	maxPerAccount = 100
	// endedTTL is how long Redis knows that a session was ended, so that a
	// request that reads it before and writes it afterwards does not bring it back.
	endedTTL = 10 * time.Minute
	// keepEnded is how long this process knows it, should Redis forget it: longer
	// than any session lasts. maxEnded is of how many it knows.
	keepEnded = 24 * time.Hour
	maxEnded  = 10_000
)

// ErrUnknown: there is no such session, or not any more.
var ErrUnknown = errors.New("unknown session")

// Session is the time from a sign-in to the console until its end.
type Session struct {
	ID      string    `json:"id"`      // hex of the SHA-256 of the secret in the cookie; the secret itself is nowhere
	Account string    `json:"account"` // name
	Stamp   string    `json:"stamp"`   // of the account when it began
	CSRF    string    `json:"csrf"`
	From    string    `json:"from"` // address
	Began   time.Time `json:"began"`
	Seen    time.Time `json:"seen"`
}

// A session that was ended is an empty string for endedTTL. The scripts may
// run twice.
var (
	// KEYS: the session, the set of its account's. ARGV: body, id, ttl in ms.
	// It returns how many sessions the account has; -1: this one was ended.
	saveScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == '' then return -1 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[2])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return redis.call('ZCARD', KEYS[2])`)

	// KEYS: the set of an account's, some of its sessions. ARGV: endedTTL in
	// ms, their ids. It returns how many there were.
	endScript = redis.NewScript(`
local n = 0
for i = 2, #ARGV do
	local body = redis.call('GET', KEYS[i])
	if body and body ~= '' then n = n + 1 end
	redis.call('SET', KEYS[i], '', 'PX', ARGV[1])
	redis.call('ZREM', KEYS[1], ARGV[i])
end
return n`)
)

// Store keeps sessions. Its methods may be called by any number of goroutines.
type Store struct {
	conn  *store.Conn
	seal  *store.Seal
	ended recent.Map[string, string] // ids of the sessions that were ended here, and their accounts
}

// New adds the sessions to what a Conn does.
func New(conn *store.Conn) *Store {
	s := &Store{conn: conn, seal: conn.NewSeal("session"), ended: recent.Map[string, string]{Limit: maxEnded, Keep: keepEnded}}
	conn.Add(store.Subject{Repair: s.repair})
	return s
}

func sessionKey(id string) string { return "tapedeck:{sessions}:session:" + store.Escape(id) }

func sessionsKey(account string) string { return "tapedeck:{sessions}:of:" + store.Escape(account) }

// Save writes a new or a known session, which expires after ttl. A session that
// was ended stays ended: the error is ErrUnknown. The other errors are
// store.ErrAway, and that the session cannot be kept (no id, no account, more than
// 4 KB).
func (s *Store) Save(ctx context.Context, session Session, ttl time.Duration) error {
	if err := s.save(ctx, session, ttl); err != nil {
		return fmt.Errorf("store: save a session: %w", err)
	}
	return nil
}

func (s *Store) save(ctx context.Context, session Session, ttl time.Duration) error {
	if reason := (store.ID{Organisation: session.Account, ID: session.ID}).Unfit(); reason != "" {
		return errors.New(reason)
	}
	text, err := json.Marshal(session)
	if err != nil {
		return err
	}
	if len(text) > maxSize {
		return errors.New("too large")
	}
	if _, ended := s.ended.Get(session.ID); ended {
		return ErrUnknown
	}
	if ttl < time.Millisecond {
		return errors.New("it would expire at once")
	}
	var there int
	key := sessionKey(session.ID)
	err = s.try(ctx, func(ctx context.Context) (err error) {
		there, err = s.conn.Script(ctx, saveScript, []string{key, sessionsKey(session.Account)},
			s.seal.JSON(text, key), session.ID, ttl.Milliseconds())
		return err
	})
	switch {
	case err != nil:
		return err
	case there < 0:
		return ErrUnknown
	case there > maxPerAccount:
		_, err = s.endOldest(ctx, session.Account, there-maxPerAccount)
	}
	return err
}

// Find returns a session. The errors are ErrUnknown, also if it has expired, was
// ended or has no valid seal, and store.ErrAway.
func (s *Store) Find(ctx context.Context, id string) (Session, error) {
	var session Session
	if _, ended := s.ended.Get(id); ended {
		return session, fmt.Errorf("store: read a session: %w", ErrUnknown)
	}
	err := s.try(ctx, func(ctx context.Context) error {
		key := sessionKey(id)
		text, err := s.conn.Client().Get(ctx, key).Bytes()
		if err != nil {
			return err
		}
		if len(text) == 0 {
			return redis.Nil
		}
		if _, err := s.seal.CheckJSON(text, key); err != nil {
			return redis.Nil // it has been counted and logged
		}
		if err := json.Unmarshal(text, &session); err != nil || session.ID != id {
			s.conn.Log().Error("session in redis not read", "error", err)
			return redis.Nil
		}
		return nil
	})
	if errors.Is(err, redis.Nil) {
		err = ErrUnknown
	}
	if err != nil {
		return Session{}, fmt.Errorf("store: read a session: %w", err)
	}
	return session, nil
}

// End ends a session. It is no error that there is none.
func (s *Store) End(ctx context.Context, id string) error {
	session, err := s.Find(ctx, id)
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	if err == nil {
		_, err = s.end(ctx, session.Account, []string{id})
	}
	if err != nil {
		return fmt.Errorf("store: end a session: %w", err)
	}
	return nil
}

// EndAll ends all sessions of an account and returns how many there were.
func (s *Store) EndAll(ctx context.Context, account string) (n int, err error) {
	for {
		more, err := s.endOldest(ctx, account, maxPerAccount)
		n += more.ended
		if err != nil {
			return n, fmt.Errorf("store: end the sessions of an account: %w", err)
		}
		if more.seen == 0 {
			return n, nil
		}
	}
}

// ends says how many sessions endOldest has looked at, and how many of them it
// ended.
type ends struct{ seen, ended int }

// endOldest ends the sessions of an account that would expire first.
func (s *Store) endOldest(ctx context.Context, account string, limit int) (ends, error) {
	var ids []string
	err := s.try(ctx, func(ctx context.Context) (err error) {
		ids, err = s.conn.Client().ZRange(ctx, sessionsKey(account), 0, int64(limit-1)).Result()
		return err
	})
	if err != nil || len(ids) == 0 {
		return ends{}, err
	}
	n, err := s.end(ctx, account, ids)
	return ends{seen: len(ids), ended: n}, err
}

func (s *Store) end(ctx context.Context, account string, ids []string) (n int, err error) {
	keys, args := []string{sessionsKey(account)}, []any{endedTTL.Milliseconds()}
	for _, id := range ids {
		keys, args = append(keys, sessionKey(id)), append(args, id)
	}
	err = s.try(ctx, func(ctx context.Context) (err error) {
		n, err = s.conn.Script(ctx, endScript, keys, args...)
		return err
	})
	if err == nil {
		for _, id := range ids {
			s.ended.Put(id, account)
		}
	}
	return n, err
}

// repair ends again the sessions that were ended here: a Redis that has lost data
// may have lost that.
func (s *Store) repair(ctx context.Context) (done bool) {
	err := s.endAgain(ctx)
	if err != nil {
		s.conn.Complain("ended sessions may be valid again: redis has lost data", err)
	}
	return err == nil
}

func (s *Store) endAgain(ctx context.Context) error {
	byAccount := map[string][]string{}
	for id, account := range s.ended.All() {
		byAccount[account] = append(byAccount[account], id)
	}
	for account, ids := range byAccount {
		for part := range slices.Chunk(ids, maxPerAccount) {
			if _, err := s.end(ctx, account, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// try runs an operation that a person waits for, and no call. So it may take
// longer than the operations that calls need, and its failure does not mean that
// Redis is away.
func (s *Store) try(ctx context.Context, f func(context.Context) error) error {
	return s.conn.Try(ctx, "sessions", s.conn.ConnectTimeout(), f)
}
