package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// ear is what a WatchCalls has told.
type ear struct {
	tell  *spy
	heard map[string]int
}

func watchCalls(t *testing.T, s *Store) *ear {
	t.Helper()
	w := &ear{tell: newSpy(), heard: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.WatchCalls(ctx, func(o string) { w.tell.note(func() { w.heard[o]++ }) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return w
}

// await waits until it has heard of each of these since the last await.
func (w *ear) await(t *testing.T, want ...string) {
	t.Helper()
	w.tell.await(t, fmt.Sprintf("changes of %q", want), func() bool {
		w.tell.mu.Lock()
		defer w.tell.mu.Unlock()
		missing := slices.ContainsFunc(want, func(o string) bool { return w.heard[o] == 0 })
		if !missing {
			clear(w.heard)
		}
		return !missing
	})
}

func TestWatchCalls(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tellA, tellB := newSpy(), newSpy()
		a, b := runOn(t, srv, tellA), runOn(t, srv, tellB)
		w := watchCalls(t, b)
		w.await(t, "")
		for i := range 300 {
			a.SaveCall(call([]string{"org-0", "org-1"}[i%2], i, On))
		}
		tellA.await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
		a.SaveCall(call("org-9", 1, On))
		w.await(t, "org-0", "org-1", "org-9")
		// What is heard is in Redis already.
		a.EndCall("org-9", "call-1")
		w.await(t, "org-9")
		if calls, err := b.Calls(t.Context()); err != nil || len(calls) != 300 {
			t.Errorf("%d calls: %v", len(calls), err)
		}
		claim(t, b, call("org-2", 1, On))
		w.await(t, "org-2")

		srv.stop()
		tellB.await(t, "Redis to be missed", func() bool { return !b.Up() })
		if err := srv.start(); err != nil {
			t.Fatal(err)
		}
		w.await(t, "")
	})
}

func TestWatchCallsEndsWithTheStore(t *testing.T) {
	leakFree(t)
	s, err := Open(t.Context(), newSpy().config())
	if err != nil {
		t.Fatal(err)
	}
	w := watchCalls(t, s)
	w.await(t, "")
	ended := make(chan error, 1)
	begun := make(chan struct{}, 1)
	go func() { ended <- s.WatchCalls(t.Context(), func(string) { begun <- struct{}{} }) }()
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s.WatchCalls(t.Context(), func(string) {}) == nil {
		t.Error("a closed Store is watched")
	}
}

// What could not be announced is announced later.
func TestChangesAreKept(t *testing.T) {
	srv := startRedis(t)
	a := openOn(t, srv, newSpy())
	srv.stop()
	a.changes.add("x", "y", "x")
	a.announce(t.Context())
	got := a.changes.take()
	slices.Sort(got)
	if !slices.Equal(got, []string{"x", "y"}) || len(a.changes.take()) != 0 {
		t.Errorf("kept %q", got)
	}
}
