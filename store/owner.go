package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// ErrTaken: the call has another owner than the one that was seen, or has ended.
var ErrTaken = errors.New("the call is another's")

// Instance is the id of this Store: the Owner of its calls.
func (s *Store) Instance() string { return s.cfg.Instance }

// Alone reports whether there can be no other instance on this Redis, because
// it is the embedded one: no call ever has another owner.
func (s *Store) Alone() bool { return s.embedded != nil }

// Claim makes this instance the owner of a call, if its owner is still the one
// that c says (Owner and Token, as Calls or OnOrphans gave them), and writes c.
// A call that Redis does not know, or only with a lower token, is created. The
// result is c with its new Owner and Token, to go on with in SaveCall.
//
// The errors are ErrTaken, ErrAway (it may have been claimed all the same: claim
// it again), and that c cannot be kept. Claim waits no longer than
// Config.Timeout, and not at all for a Redis that is away.
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
	c.Version, c.Owner, c.Token = callVersion, s.cfg.Instance, c.Token+1
	c.Chain, c.Users, c.Draft = slices.Clone(c.Chain), slices.Clone(c.Users), slices.Clone(c.Draft)
	if len(c.Draft) > maxDraftSize {
		c.Draft = nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return Call{}, err
	}
	if !s.Up() {
		return Call{}, ErrAway
	}
	keys := []string{callKey(c.Organisation, c.ID), callsKey(c.Organisation)}
	var reply *redis.Cmd
	err = s.do(ctx, "call_claim", s.cfg.Timeout, func(ctx context.Context) error {
		// After a flush nobody knows that the organisation has calls.
		if err := s.client.SAdd(ctx, organisationsKey, c.Organisation).Err(); err != nil {
			return err
		}
		return s.scripts(ctx, func(run runScript) {
			reply = run(claimScript, keys, append(putArguments(c, text), seen)...)
		})
	})
	if err != nil {
		return Call{}, err
	}
	if won, _ := reply.Int(); won == 0 {
		return Call{}, ErrTaken
	}
	s.calls.claimed(c)
	s.changes.add(c.Organisation)
	s.wakeRun()
	return c, nil
}
