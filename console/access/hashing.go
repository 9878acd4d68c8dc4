package access

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// Passwords are hashed one at a time, and no more of the time than these shares: both
// together are less than half a core. A hash takes 20 ms or more, so strangers have a
// dozen in a second.
const (
	strangersShare = 0.3
	knownShare     = 0.1 // of browsers in which the account has signed in before
)

const (
	// waiters is how many sign-ins may wait for each share.
	waiters = 50
	// patience is how long one of them waits.
	patience = 5 * time.Second
)

// hashing says when a password may be hashed.
type hashing struct {
	one              chan struct{} // holds a value while a password is hashed
	strangers, known *share
	spent            func() time.Duration // processor time of this process
}

func newHashing() *hashing {
	return &hashing{make(chan struct{}, 1), newShare(strangersShare), newShare(knownShare), processorTime}
}

// processorTime is what this process has used since its beginning.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// share is a part of the time in which passwords may be hashed.
type share struct {
	of      float64
	waiting atomic.Int32
	turn    chan struct{} // holds a value while somebody has the turn
	next    time.Time     // when the next hash may begin; for whoever has the turn
}

func newShare(of float64) *share { return &share{of: of, turn: make(chan struct{}, 1)} }

// do hashes when it may. It waits no longer than patience. The errors are ErrBusy
// and ctx's; then nothing was hashed.
func (h *hashing) do(ctx context.Context, s *share, hash func()) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > 1+waiters {
		return ErrBusy
	}
	patient, cancel := context.WithTimeoutCause(ctx, patience, ErrBusy)
	defer cancel()
	if !enter(patient, s.turn) {
		return gaveUp(patient)
	}
	defer func() { <-s.turn }()
	select {
	case <-time.After(time.Until(s.next)):
	case <-patient.Done():
		return gaveUp(patient)
	}
	if !enter(patient, h.one) {
		return gaveUp(patient)
	}
	defer func() { <-h.one }()
	began, before := time.Now(), h.spent()
	hash()
	cost := min(time.Since(began), h.spent()-before) // on a busy machine a hash takes longer, and costs no more
	s.next = time.Now().Add(time.Duration(float64(cost) * (1/s.of - 1)))
	return nil
}

// enter waits for a place that one at a time may have.
func enter(ctx context.Context, place chan struct{}) bool {
	select {
	case place <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func gaveUp(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ErrBusy {
		return fmt.Errorf("access: sign in: %w", cause)
	}
	return ErrBusy
}
