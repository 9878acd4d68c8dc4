package calls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// ErrTaken: the call has ended, or has another owner than the one that was seen.
var ErrTaken = errors.New("the call belongs to another instance")

// Claim makes this instance the owner of a call and writes c, if the owner of the
// call is still the one that c names (Owner and Token, as List or Follower.Orphans
// gave them). A call that Redis does not know, or knows only with a lower token,
// is created. The result is c with its new Owner and Token; pass it on to Save.
//
// The errors are ErrTaken, store.ErrAway (it may have been claimed all the same:
// claim it again), and that c cannot be kept. Claim waits no longer than the
// Conn's Timeout, and not at all if Redis is away.
func (s *Store) Claim(ctx context.Context, c Call) (Call, error) {
	mine, err := s.claim(ctx, c)
	if err != nil {
		return Call{}, fmt.Errorf("store: claim a call: %w", err)
	}
	return mine, nil
}

func (s *Store) claim(ctx context.Context, c Call) (Call, error) {
	if reason := unfit(c); reason != "" {
		return Call{}, errors.New(reason)
	}
	seen := c.Owner
	c.Version, c.Owner, c.Token = Version, s.conn.Instance(), c.Token+1
	c.Chain, c.Users, c.Draft = slices.Clone(c.Chain), slices.Clone(c.Users), slices.Clone(c.Draft)
	if len(c.Draft) > maxDraftSize {
		c.Draft = nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return Call{}, err
	}
	if !s.conn.Up() {
		return Call{}, store.ErrAway
	}
	won, err := s.runClaim(ctx, c, s.sealed(c, text), seen)
	if err == nil && !won && s.discardForged(ctx, idOf(c.Organisation, c.ID)) {
		won, err = s.runClaim(ctx, c, s.sealed(c, text), seen)
	}
	if err != nil {
		return Call{}, err
	}
	if !won {
		return Call{}, ErrTaken
	}
	s.queue.claimed(c)
	s.announced.add(c.Organisation)
	s.conn.Wake()
	return c, nil
}

// runClaim claims a call from the owner that was seen, and reports whether it is ours.
func (s *Store) runClaim(ctx context.Context, c Call, text []byte, seen string) (won bool, err error) {
	keys := []string{callKey(c.Organisation, c.ID), callsKey(c.Organisation)}
	var reply *redis.Cmd
	err = s.conn.Do(ctx, "call_claim", s.conn.Timeout(), func(ctx context.Context) error {
		// After a flush the set does not have the organisation.
		if err := s.conn.Client().SAdd(ctx, organisationsKey, c.Organisation).Err(); err != nil {
			return err
		}
		return s.conn.Scripts(ctx, func(run store.RunScript) {
			reply = run(claimScript, keys, append(putArguments(c, text), seen)...)
		})
	})
	if err != nil {
		return false, err
	}
	n, _ := reply.Int()
	return n != 0, nil
}
