package access

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestHashingShares: one password at a time is hashed, strangers get their share of the
// time and no more, and a known browser does not wait for them.
func TestHashingShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const takes = 20 * time.Millisecond
		h, start := newHashing(), time.Now()
		h.spent = func() time.Duration { return time.Since(start) }
		ctx, cancel := context.WithCancel(t.Context())
		working, hashed := 0, 0
		hash := func() {
			if working++; working > 1 {
				t.Error("two at once")
			}
			time.Sleep(takes)
			working--
			hashed++
		}
		for range 40 {
			go func() {
				for h.do(ctx, h.strangers, hash) == nil {
				}
			}()
		}
		began := time.Now()
		for range 10 {
			time.Sleep(time.Second)
			asked := time.Now()
			if err := h.do(ctx, h.known, hash); err != nil || time.Since(asked) > 2*takes {
				t.Errorf("a known browser waits %v: %v", time.Since(asked), err)
			}
		}
		elapsed := time.Since(began)
		cancel()
		synctest.Wait()
		if share := (time.Duration(hashed) * takes).Seconds() / elapsed.Seconds(); share > strangersShare+knownShare || share < strangersShare-0.05 {
			t.Errorf("hashed for %.2f of the time", share)
		}
		if n := h.strangers.waiting.Load() + h.known.waiting.Load(); n != 0 {
			t.Errorf("%d still count as waiting", n)
		}
	})
}

// TestHashingCrowd: so many wait, none longer than patience; one more is told at once to
// come back, and so is nobody who has left.
func TestHashingCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHashing()
		go func() { _ = h.do(t.Context(), h.strangers, func() { time.Sleep(time.Hour) }) }()
		synctest.Wait()
		leaves, leave := context.WithCancel(t.Context())
		ended := make(chan error, waiters)
		began := time.Now()
		for i := range waiters {
			ctx := t.Context()
			if i == 0 {
				ctx = leaves
			}
			go func() { ended <- h.do(ctx, h.strangers, func() { t.Error("it is hashed") }) }()
		}
		synctest.Wait()
		if err := h.do(t.Context(), h.strangers, func() {}); err != ErrBusy || time.Since(began) > 0 {
			t.Errorf("one too many, after %v: %v", time.Since(began), err)
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("who leaves: %v", err)
		}
		for range waiters - 1 {
			if err := <-ended; err != ErrBusy || time.Since(began) != patience {
				t.Errorf("who waits: after %v: %v", time.Since(began), err)
			}
		}
		time.Sleep(time.Hour)
	})
}

// TestSeal: a seal is of one account as it is now, and of nobody without a password.
func TestSeal(t *testing.T) {
	a, _, _ := opened(t, goodFile)
	seal := string(a.Seal("anna", "x"))
	if len(seal) != 32 || seal != string(a.Seal("anna", "x")) || seal == string(a.Seal("anna", "y")) {
		t.Errorf("%x", seal)
	}
	if a.Seal("north", "x") != nil || a.Seal("nobody", "x") != nil || a.Seal("", "x") != nil {
		t.Error("a seal of nobody")
	}
	other := func(hash, role string) string {
		b, _, _ := opened(t, "version: 1\naccounts: { anna: { "+role+", password: \""+hash+"\" } }")
		return string(b.Seal("anna", "x"))
	}
	operator := other(testHash, "role: operator")
	if operator == seal || operator == other(HashPassword(testPassword), "role: operator") || operator != other(testHash, "role: operator") {
		t.Error("the seal does not follow the account")
	}
}
