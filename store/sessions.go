package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	maxSessionSize = 4096 // bytes of one in JSON
	// maxSessions is how many sessions an account may have; those that would
	// expire first make room for a new one.
	maxSessions = 100
	// droppedTTL is how long Redis knows that a session was dropped, so that a
	// request that read it before and writes it after does not bring it back.
	droppedTTL = 10 * time.Minute
	// dropKeep is how long we know it ourselves: longer than any session lasts,
	// should Redis forget it. maxDropped is of how many.
	dropKeep   = 24 * time.Hour
	maxDropped = 10_000
)

// Session is somebody's stay in the console. All instances on one Redis share
// the sessions, and a restart keeps them, unless Redis is the embedded one.
type Session struct {
	ID      string    `json:"id"`      // hex of the SHA-256 of the secret in the cookie; the secret itself is nowhere
	Account string    `json:"account"` // name
	Stamp   string    `json:"stamp"`   // of the account when it began
	CSRF    string    `json:"csrf"`
	From    string    `json:"from"` // address
	Began   time.Time `json:"began"`
	Seen    time.Time `json:"seen"`
}

// A session that was dropped is an empty string for droppedTTL. The scripts may
// run twice.
var (
	// KEYS: the session, the set of its account's. ARGV: body, id, ttl in ms.
	// It returns how many sessions the account has; -1: this one was dropped.
	putSession = redis.NewScript(`
if redis.call('GET', KEYS[1]) == '' then return -1 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[2])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return redis.call('ZCARD', KEYS[2])`)

	// KEYS: the set of an account's, some of its sessions. ARGV: droppedTTL in
	// ms, their ids. It returns how many there were.
	dropSession = redis.NewScript(`
local n = 0
for i = 2, #ARGV do
	local body = redis.call('GET', KEYS[i])
	if body and body ~= '' then n = n + 1 end
	redis.call('SET', KEYS[i], '', 'PX', ARGV[1])
	redis.call('ZREM', KEYS[1], ARGV[i])
end
return n`)
)

// SaveSession writes a session, new or known, and lets it expire after ttl. One
// that was dropped stays so: the error is ErrUnknown. The other errors are
// ErrAway, and that it cannot be kept (no id, no account, more than 4 KB).
func (s *Store) SaveSession(ctx context.Context, session Session, ttl time.Duration) error {
	if err := s.saveSession(ctx, session, ttl); err != nil {
		return fmt.Errorf("store: save a session: %w", err)
	}
	return nil
}

func (s *Store) saveSession(ctx context.Context, session Session, ttl time.Duration) error {
	if reason := (callID{session.Account, session.ID}).unfit(); reason != "" {
		return errors.New(reason)
	}
	text, err := json.Marshal(session)
	if err != nil {
		return err
	}
	if len(text) > maxSessionSize {
		return errors.New("too large")
	}
	if _, dropped := s.signedOut.get(session.ID); dropped {
		return ErrUnknown
	}
	if ttl < time.Millisecond {
		return errors.New("it would expire at once")
	}
	var there int
	err = s.trySessions(ctx, func(ctx context.Context) (err error) {
		there, err = s.script(ctx, putSession, []string{sessionKey(session.ID), sessionsKey(session.Account)},
			text, session.ID, ttl.Milliseconds())
		return err
	})
	switch {
	case err != nil:
		return err
	case there < 0:
		return ErrUnknown
	case there > maxSessions:
		_, err = s.dropOldest(ctx, session.Account, there-maxSessions)
	}
	return err
}

// Session reads a session. The errors are ErrUnknown, also when it has expired
// or was dropped, and ErrAway.
func (s *Store) Session(ctx context.Context, id string) (Session, error) {
	var session Session
	if _, dropped := s.signedOut.get(id); dropped {
		return session, fmt.Errorf("store: read a session: %w", ErrUnknown)
	}
	err := s.trySessions(ctx, func(ctx context.Context) error {
		text, err := s.client.Get(ctx, sessionKey(id)).Bytes()
		if err != nil {
			return err
		}
		if len(text) == 0 {
			return redis.Nil
		}
		if err := json.Unmarshal(text, &session); err != nil || session.ID != id {
			s.log.Error("session in redis not read", "error", err)
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

// DropSession ends a session. That there is none is no error.
func (s *Store) DropSession(ctx context.Context, id string) error {
	session, err := s.Session(ctx, id)
	if errors.Is(err, ErrUnknown) {
		return nil
	}
	if err == nil {
		_, err = s.drop(ctx, session.Account, []string{id})
	}
	if err != nil {
		return fmt.Errorf("store: end a session: %w", err)
	}
	return nil
}

// DropSessions ends all sessions of an account and says how many there were.
func (s *Store) DropSessions(ctx context.Context, account string) (n int, err error) {
	for {
		more, err := s.dropOldest(ctx, account, maxSessions)
		n += more.ended
		if err != nil {
			return n, fmt.Errorf("store: end the sessions of an account: %w", err)
		}
		if more.seen == 0 {
			return n, nil
		}
	}
}

// dropped is what dropOldest did.
type dropped struct{ seen, ended int }

// dropOldest ends the sessions of an account that would expire first.
func (s *Store) dropOldest(ctx context.Context, account string, limit int) (dropped, error) {
	var ids []string
	err := s.trySessions(ctx, func(ctx context.Context) (err error) {
		ids, err = s.client.ZRange(ctx, sessionsKey(account), 0, int64(limit-1)).Result()
		return err
	})
	if err != nil || len(ids) == 0 {
		return dropped{}, err
	}
	n, err := s.drop(ctx, account, ids)
	return dropped{seen: len(ids), ended: n}, err
}

func (s *Store) drop(ctx context.Context, account string, ids []string) (n int, err error) {
	keys, args := []string{sessionsKey(account)}, []any{droppedTTL.Milliseconds()}
	for _, id := range ids {
		keys, args = append(keys, sessionKey(id)), append(args, id)
	}
	err = s.trySessions(ctx, func(ctx context.Context) (err error) {
		n, err = s.script(ctx, dropSession, keys, args...)
		return err
	})
	if err == nil {
		for _, id := range ids {
			s.signedOut.put(id, account)
		}
	}
	return n, err
}

// dropAgain ends what was ended here, of which Redis may have lost that.
func (s *Store) dropAgain(ctx context.Context) error {
	byAccount := map[string][]string{}
	for id, account := range s.signedOut.all() {
		byAccount[account] = append(byAccount[account], id)
	}
	for account, ids := range byAccount {
		for part := range slices.Chunk(ids, maxSessions) {
			if _, err := s.drop(ctx, account, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// trySessions runs an operation that a person waits for, and no call: it may
// take longer than one that a call's state waits for, and says nothing about
// whether Redis is there.
func (s *Store) trySessions(ctx context.Context, f func(context.Context) error) error {
	return s.try(ctx, "sessions", connectFactor*s.cfg.Timeout, f)
}

// script runs one script whose answer is a number.
func (s *Store) script(ctx context.Context, script *redis.Script, keys []string, args ...any) (int, error) {
	var reply *redis.Cmd
	err := s.scripts(ctx, func(run runScript) { reply = run(script, keys, args...) })
	if err != nil {
		return 0, err
	}
	return reply.Int()
}
