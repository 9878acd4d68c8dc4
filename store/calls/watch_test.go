package calls

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// ear records what Watch tells.
type ear struct {
	tell  *storetest.Spy
	heard map[string]int
}

func watchCalls(t *testing.T, s *Store) *ear {
	t.Helper()
	w := &ear{tell: storetest.NewSpy(), heard: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, func(o string) { w.tell.Note(func() { w.heard[o]++ }) })
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
	w.tell.Await(t, fmt.Sprintf("changes of %q", want), func() (all bool) {
		w.tell.Note(func() {
			all = !slices.ContainsFunc(want, func(o string) bool { return w.heard[o] == 0 })
			if all {
				clear(w.heard)
			}
		})
		return all
	})
}

func TestWatch(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := open(t, srv).run(t), open(t, srv).run(t)
		tellA, tellB := a.tell, b.tell
		w := watchCalls(t, b.Store)
		w.await(t, "")
		for i := range 300 {
			a.Save(call([]string{"org-0", "org-1"}[i%2], i, On))
		}
		tellA.Await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
		a.Save(call("org-9", 1, On))
		w.await(t, "org-0", "org-1", "org-9")
		// What is heard is in Redis already.
		a.End("org-9", "call-1")
		w.await(t, "org-9")
		if calls, err := b.List(t.Context()); err != nil || len(calls) != 300 {
			t.Errorf("%d calls: %v", len(calls), err)
		}
		claim(t, b.Store, call("org-2", 1, On))
		w.await(t, "org-2")

		srv.Stop()
		tellB.Await(t, "Redis to be missed", func() bool { return !b.conn.Up() })
		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		w.await(t, "")
	})
}

func TestWatchEndsWithTheConn(t *testing.T) {
	testkit.NoLeaks(t)
	s := New(storetest.OpenWith(t, store.Config{}))
	w := watchCalls(t, s)
	w.await(t, "")
	ended := make(chan error, 1)
	begun := make(chan struct{}, 1)
	go func() { ended <- s.Watch(t.Context(), func(string) { begun <- struct{}{} }) }()
	<-begun
	if err := s.conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if s.Watch(t.Context(), func(string) {}) == nil {
		t.Error("a closed Conn is watched")
	}
}

// What could not be announced is announced later.
func TestChangesAreKept(t *testing.T) {
	srv := storetest.NewRedis(t)
	a := open(t, srv)
	srv.Stop()
	a.announced.add("x", "y", "x")
	a.announce(t.Context())
	got := a.announced.take()
	slices.Sort(got)
	if !slices.Equal(got, []string{"x", "y"}) || len(a.announced.take()) != 0 {
		t.Errorf("kept %q", got)
	}
}
