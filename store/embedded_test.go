package store

import (
	"testing"
	"time"
)

func TestEmbedded(t *testing.T) {
	leakFree(t)
	tell := newSpy()
	s, err := Open(t.Context(), tell.config())
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	if !s.Up() {
		t.Fatal("it is not up")
	}
	if addr := s.embedded.server.Server().Addr(); addr != nil {
		t.Errorf("it listens on %s", addr)
	}
	// Long pipelines in both directions.
	p := policy(t, 1, 20, 500)
	apply(t, s, p)
	s2 := openOn(t, s.embedded, newSpy())
	mustHave(t, s2, p)
	for i := range 2000 {
		s.SaveCall(call("org-0", i, On))
	}
	tell.await(t, "the calls to be written", func() bool { return s.Queued() == 0 })
	if calls, err := s.Calls(t.Context()); err != nil || len(calls) != 2000 {
		t.Errorf("%d calls: %v", len(calls), err)
	}
	s2.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.embedded.dial(t.Context(), "", ""); err == nil {
		t.Error("it serves after Close")
	}
}

// The policy that was replaced goes away by itself, also on the embedded server.
func TestEmbeddedExpires(t *testing.T) {
	leakFree(t)
	e, err := newEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	s := openOn(t, e, newSpy())
	apply(t, s, policy(t, 1, 2, 2))
	old := policyKey("org-0", s.view.Load().generation)
	apply(t, s, policy(t, 2, 2, 2))
	now := policyKey("org-0", s.view.Load().generation)
	raw := rawClient(t, e)
	start := e.aged
	for _, step := range []struct {
		after time.Duration
		left  int64
	}{{replacedTTL / 2, 1}, {replacedTTL - 2*ageEvery, 1}, {replacedTTL - 2*ageEvery + ageEvery/2, 1}, {replacedTTL + ageEvery, 0}} {
		e.age(start.Add(step.after))
		if n := raw.Exists(t.Context(), old).Val(); n != step.left {
			t.Errorf("after %s: %d of the old policy's keys, want %d", step.after, n, step.left)
		}
	}
	if raw.Exists(t.Context(), now).Val() != 1 {
		t.Error("the policy that counts is gone")
	}
}

// Run is what lets time pass in it.
func TestRunAgesTheEmbedded(t *testing.T) {
	leakFree(t)
	tell := newSpy()
	s, err := Open(t.Context(), tell.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.client.Set(t.Context(), "x", "y", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	run(t, s)
	tell.await(t, "the key to expire", func() bool { return s.client.Exists(t.Context(), "x").Val() == 0 })
}
