package store

import (
	"context"
	"errors"
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
// result is c with its new Owner and Token, to go on with in SaveCall. The
// errors are ErrTaken, ErrAway (it may have been claimed: claim it again), and
// that c cannot be written. Claim waits no longer than Config.Timeout.
func (s *Store) Claim(ctx context.Context, c LiveCall) (LiveCall, error) {
	return LiveCall{}, errors.New("store: claim: not built yet")
}
