package store_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/store/storetest"
)

// When a Redis comes back empty, it is told again what it should know.
func TestRedisLosesItsData(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		p := storetest.Policy(t, 1, 2, 3)
		apply(t, a, p)
		a.calls.Save(call("org-0", 1, calls.On))
		tell.Await(t, "the call to be written", func() bool { return a.calls.Queued() == 0 })
		srv.Stop()
		tell.Await(t, "Redis to be missed", func() bool { return !a.Up() })
		srv.Empty(t)
		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		a.inRedis(t, p)
		a.written(t)
		b := open(t, srv)
		mustHave(t, b, p)
		mustList(t, b, call("org-0", 1, calls.On))
	})
}

// A Redis that was emptied without being away is noticed by the missing policy, or
// by the subscription that ended.
func TestRedisIsEmptied(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		p := storetest.Policy(t, 1, 2, 3)
		apply(t, a, p)
		a.calls.Save(call("org-0", 1, calls.On))
		tell.Await(t, "the call to be written", func() bool { return a.calls.Queued() == 0 })
		raw := storetest.Client(t, srv)
		raw.FlushAll(t.Context())
		tell.Await(t, "everything to be written", func() bool {
			return raw.Exists(t.Context(), "tapedeck:{policy}:current", "tapedeck:{org-0}:live:call-1").Val() == 2
		})
		b := open(t, srv)
		mustHave(t, b, p)
		mustList(t, b, call("org-0", 1, calls.On))
	})
}

// A Redis that is not there at the start is no error, and is found later.
func TestRedisComesLater(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		srv.Stop()
		a := open(t, srv)
		if a.Up() || a.tell.Ups() != "[false]" {
			t.Fatalf("up %v, OnUp said %v", a.Up(), a.tell.Ups())
		}
		p := storetest.Policy(t, 1, 2, 3)
		storetest.MustAway(t, a.policy.Apply(t.Context(), p))
		a.calls.Save(call("org-0", 1, calls.On))
		a.run(t)
		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		a.written(t)
		a.inRedis(t, p)
		b := open(t, srv)
		mustHave(t, b, p)
		mustList(t, b, call("org-0", 1, calls.On))
	})
}

// A Redis that accepts connections and never answers counts as away. No operation
// takes longer than its timeout.
func TestRedisSwallows(t *testing.T) {
	testkit.NoLeaks(t)
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Redis, cfg.Timeout = storetest.Swallower(t), store.DefaultTimeout
	var s *party
	within(t, 3*time.Second, "Open", func() { s = openWith(t, cfg, tell) })
	if s.Up() {
		t.Error("it is up")
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	p := storetest.Policy(t, 1, 2, 3)
	within(t, 3*time.Second, "Apply", func() { storetest.MustAway(t, s.policy.Apply(t.Context(), p)) })
	mustHave(t, s, p)
	within(t, time.Second, "1000 Save", func() {
		for i := range 1000 {
			s.calls.Save(call("org-0", i, calls.On))
		}
	})
	tries := tell.Count("connect")
	tell.Await(t, "more attempts", func() bool { return tell.Count("connect") > tries+1 })
	if s.calls.Queued() != 1000 {
		t.Errorf("%d calls queued", s.calls.Queued())
	}
	within(t, 5*time.Second, "Close", func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := tell.Logged("going on without it"); n != 1 {
		t.Errorf("logged %d times that Redis is away", n)
	}
}

// A Redis that stops answering in the middle is away until it answers again.
func TestRedisFreezes(t *testing.T) {
	testkit.NoLeaks(t)
	r := storetest.NewRedis(t)
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Redis, cfg.Timeout = r.URL(), 500*time.Millisecond
	a := openWith(t, cfg, tell).run(t)
	p := storetest.Policy(t, 1, 2, 3)
	apply(t, a, p)
	r.Signal(t, syscall.SIGSTOP)
	defer r.Signal(t, syscall.SIGCONT)
	a.calls.Save(call("org-0", 1, calls.On))
	tell.Await(t, "Redis to be missed", func() bool { return !a.Up() })
	second := storetest.Policy(t, 2, 2, 3)
	within(t, 10*time.Second, "Apply", func() { storetest.MustAway(t, a.policy.Apply(t.Context(), second)) })
	a.calls.Save(call("org-0", 1, calls.Paused))
	mustHave(t, a, second)
	r.Signal(t, syscall.SIGCONT)
	a.written(t)
	a.inRedis(t, second)
	b := open(t, r)
	mustHave(t, b, second)
	mustList(t, b, call("org-0", 1, calls.Paused))
}

func TestNobodyListens(t *testing.T) {
	testkit.NoLeaks(t)
	s := openAt(t, fmt.Sprintf("redis://127.0.0.1:%d", testkit.FreePort(t)), "")
	if s.Up() {
		t.Error("it is up")
	}
	storetest.MustAway(t, s.policy.Apply(t.Context(), storetest.Policy(t, 1, 1, 1)))
}

func TestRunOnce(t *testing.T) {
	testkit.NoLeaks(t)
	tell := storetest.NewSpy()
	s := openWith(t, tell.Config(), tell)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	tell.Await(t, "Run to look", func() bool { return tell.Count("policy_current") > 1 })
	if err := s.Run(t.Context()); err == nil {
		t.Error("a second Run went on beside the first")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("a closed Conn runs")
	}
	storetest.MustAway(t, s.policy.Apply(t.Context(), storetest.Policy(t, 1, 1, 1)))
	s.calls.Save(call("org-0", 1, calls.On)) // and nothing happens
}

// What is queued when Run is ended is written before Run returns.
func TestLastWords(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 200 {
			a.calls.Save(call("org-0", i, calls.On))
		}
		if err := a.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if list, err := a.calls.List(t.Context()); err != nil || len(list) != 200 || a.calls.Queued() != 0 {
			t.Errorf("%d calls in Redis, %d queued: %v", len(list), a.calls.Queued(), err)
		}
	})
}
