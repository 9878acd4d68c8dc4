package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
)

func call(organisation string, n int, state State) Call {
	return Call{
		ID: fmt.Sprintf("call-%d", n), Organisation: organisation, Direction: flow.Inbound, Switch: "fs1",
		Leg: "leg", Anchor: "anchor", File: "/var/spool/tapedeck/x.wav", State: state,
		Chain:   flow.Chain{{Element: flow.Element{Kind: flow.User, ID: "alice"}, Setting: flow.Yes}},
		Users:   []string{"alice"},
		Started: time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC),
	}
}

func mustCalls(t *testing.T, s *Store, want ...Call) {
	t.Helper()
	got, err := s.Calls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal := slices.EqualFunc(got, want, func(a, b Call) bool {
		b.Version = callVersion
		if b.Owner == "" { // whoever it is
			b.Owner, b.Token = a.Owner, a.Token
		}
		return fmt.Sprint(a) == fmt.Sprint(b)
	})
	if !equal {
		t.Fatalf("live calls\n%v\nwant\n%v", got, want)
	}
}

// recorder is a go-redis hook that notes the calls that are written, in order.
type recorder struct {
	mu     sync.Mutex
	writes []string
}

func (*recorder) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (r *recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range cmds {
			var hash string
			switch c.Name() {
			case "evalsha":
				hash = c.Args()[1].(string)
			case "eval":
				hash = redis.NewScript(c.Args()[1].(string)).Hash()
			}
			names := map[string]string{saveScript.Hash(): "save", endScript.Hash(): "end"}
			if err == nil && names[hash] != "" {
				r.writes = append(r.writes, names[hash]+" "+fmt.Sprint(c.Args()[3]))
			}
		}
		return err
	}
}

func TestRedisGoneAndBack(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tell := newSpy()
		a := runOn(t, srv, tell)
		writes := &recorder{}
		a.client.AddHook(writes)
		first := policy(t, 1, 2, 3)
		apply(t, a, first)
		a.SaveCall(call("org-0", 1, On))
		a.SaveCall(call("org-0", 2, On))
		tell.await(t, "two calls to be written", func() bool { return a.Queued() == 0 })

		srv.stop()
		tell.await(t, "Redis to be missed", func() bool { return !a.Up() })
		mustHave(t, a, first)
		writes.writes = nil
		begin := time.Now()
		for i := range 2000 {
			a.SaveCall(call("org-1", 3, On))
			a.SaveCall(call("org-0", 1, []State{Paused, On}[i%2]))
			a.SaveCall(call("org-0", 4, Off)) // begins and ends meanwhile: Redis need not know
			a.EndCall("org-0", "call-4")
		}
		a.EndCall("org-0", "call-2")
		a.SaveCall(call("org-0", 5, Paused))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("8002 states took %s", took)
		}
		if n := a.Queued(); n != 4 {
			t.Errorf("%d calls queued, want 4", n)
		}
		second := policy(t, 2, 2, 3)
		mustAway(t, a.Apply(t.Context(), second))
		mustHave(t, a, second)
		if _, err := a.Calls(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("live calls while Redis is away: %v", err)
		}

		if err := srv.start(); err != nil {
			t.Fatal(err)
		}
		tell.await(t, "everything to be written", func() bool { return a.Up() && a.Queued() == 0 && !a.hasPending() })
		b := openOn(t, srv, newSpy())
		mustHave(t, b, second)
		mustCalls(t, b, call("org-0", 1, On), call("org-1", 3, On), call("org-0", 5, Paused))
		order := []string{
			"save " + callKey("org-1", "call-3"), "save " + callKey("org-0", "call-1"),
			"end " + callKey("org-0", "call-2"), "save " + callKey("org-0", "call-5"),
		}
		writes.mu.Lock()
		defer writes.mu.Unlock()
		// What follows is the same again: a new subscription may mean a new Redis.
		if len(writes.writes) < 4 || !slices.Equal(writes.writes[:4], order) {
			t.Errorf("written %q, want %q", writes.writes, order)
		}
		if ups := fmt.Sprint(tell.ups); ups != "[true false true]" {
			t.Errorf("OnUp said %s", ups)
		}
	})
}

// A Redis that comes back empty is told again what it should know.
func TestRedisLosesItsData(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tell := newSpy()
		a := runOn(t, srv, tell)
		p := policy(t, 1, 2, 3)
		apply(t, a, p)
		a.SaveCall(call("org-0", 1, On))
		tell.await(t, "the call to be written", func() bool { return a.Queued() == 0 })
		before := a.view.Load().generation

		srv.stop()
		tell.await(t, "Redis to be missed", func() bool { return !a.Up() })
		if e, ok := srv.(*embedded); ok {
			e.server.FlushAll()
		} else {
			srv.(*realRedis).dir = t.TempDir()
		}
		if err := srv.start(); err != nil {
			t.Fatal(err)
		}
		tell.await(t, "everything to be written", func() bool { return a.view.Load().generation != before && a.Queued() == 0 })
		b := openOn(t, srv, newSpy())
		mustHave(t, b, p)
		mustCalls(t, b, call("org-0", 1, On))
	})
}

// A Redis that was emptied without ever being away is found out by its policy
// or by the subscription that it ended.
func TestRedisIsEmptied(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tell := newSpy()
		a := runOn(t, srv, tell)
		p := policy(t, 1, 2, 3)
		apply(t, a, p)
		a.SaveCall(call("org-0", 1, On))
		tell.await(t, "the call to be written", func() bool { return a.Queued() == 0 })
		raw := rawClient(t, srv)
		raw.FlushAll(t.Context())
		tell.await(t, "everything to be written", func() bool {
			return raw.Exists(t.Context(), currentKey).Val() == 1 && raw.Exists(t.Context(), callKey("org-0", "call-1")).Val() == 1
		})
		b := openOn(t, srv, newSpy())
		mustHave(t, b, p)
		mustCalls(t, b, call("org-0", 1, On))
	})
}

// A Redis that is not there at the start is no error, and is found later.
func TestRedisComesLater(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		srv.stop()
		tell := newSpy()
		a := openOn(t, srv, tell)
		if a.Up() || fmt.Sprint(tell.ups) != "[false]" {
			t.Fatalf("up %v, OnUp said %v", a.Up(), tell.ups)
		}
		p := policy(t, 1, 2, 3)
		mustAway(t, a.Apply(t.Context(), p))
		a.SaveCall(call("org-0", 1, On))
		run(t, a)
		if err := srv.start(); err != nil {
			t.Fatal(err)
		}
		tell.await(t, "everything to be written", func() bool { return a.Queued() == 0 && !a.hasPending() })
		b := openOn(t, srv, newSpy())
		mustHave(t, b, p)
		mustCalls(t, b, call("org-0", 1, On))
	})
}

// within fails the test if f takes longer.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	took := time.Since(begin)
	t.Logf("%s took %s", what, took)
	if took > limit {
		t.Errorf("%s took %s, want at most %s", what, took, limit)
	}
}

// A Redis that accepts and never answers is away, and costs nobody more than
// its time.
func TestRedisSwallows(t *testing.T) {
	leakFree(t)
	tell := newSpy()
	cfg := tell.config()
	cfg.Redis, cfg.Timeout = swallower(t), DefaultTimeout
	var s *Store
	within(t, 3*time.Second, "Open", func() {
		var err error
		if s, err = Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	})
	if s.Up() {
		t.Error("it is up")
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	p := policy(t, 1, 2, 3)
	within(t, 3*time.Second, "Apply", func() { mustAway(t, s.Apply(t.Context(), p)) })
	mustHave(t, s, p)
	within(t, time.Second, "1000 SaveCall", func() {
		for i := range 1000 {
			s.SaveCall(call("org-0", i, On))
		}
	})
	tries := tell.count("connect")
	tell.await(t, "more attempts", func() bool { return tell.count("connect") > tries+1 })
	if s.Queued() != 1000 {
		t.Errorf("%d calls queued", s.Queued())
	}
	within(t, 5*time.Second, "Close", func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := tell.logged("going on without it"); n != 1 {
		t.Errorf("logged %d times that Redis is away", n)
	}
}

// A Redis that stops answering in the middle is away until it answers again.
func TestRedisFreezes(t *testing.T) {
	leakFree(t)
	r := startRedis(t)
	tell := newSpy()
	cfg := tell.config()
	cfg.Timeout = 500 * time.Millisecond
	a, err := newStore(t.Context(), cfg, r.client(cfg.limits()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	run(t, a)
	p := policy(t, 1, 2, 3)
	apply(t, a, p)
	freeze := func(signal syscall.Signal) {
		if err := r.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	freeze(syscall.SIGSTOP)
	defer freeze(syscall.SIGCONT)
	a.SaveCall(call("org-0", 1, On))
	tell.await(t, "Redis to be missed", func() bool { return !a.Up() })
	second := policy(t, 2, 2, 3)
	within(t, 10*time.Second, "Apply", func() { mustAway(t, a.Apply(t.Context(), second)) })
	a.SaveCall(call("org-0", 1, Paused))
	mustHave(t, a, second)
	freeze(syscall.SIGCONT)
	tell.await(t, "everything to be written", func() bool { return a.Up() && a.Queued() == 0 && !a.hasPending() })
	b := openOn(t, r, newSpy())
	mustHave(t, b, second)
	mustCalls(t, b, call("org-0", 1, Paused))
}

func TestNobodyListens(t *testing.T) {
	leakFree(t)
	s, err := Open(t.Context(), Config{Redis: fmt.Sprintf("redis://127.0.0.1:%d", freePort(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Up() {
		t.Error("it is up")
	}
	mustAway(t, s.Apply(t.Context(), policy(t, 1, 1, 1)))
}

func TestRunOnce(t *testing.T) {
	leakFree(t)
	tell := newSpy()
	s, err := Open(t.Context(), tell.config())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	tell.await(t, "Run to look", func() bool { return tell.count("policy_current") > 1 })
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
		t.Error("a closed Store runs")
	}
	mustAway(t, s.Apply(t.Context(), policy(t, 1, 1, 1)))
	s.SaveCall(call("org-0", 1, On)) // and nothing happens
}

// What is queued when Run is ended is written before it returns.
func TestLastWords(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		a := openOn(t, srv, newSpy())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 200 {
			a.SaveCall(call("org-0", i, On))
		}
		if err := a.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if calls, err := a.Calls(t.Context()); err != nil || len(calls) != 200 || a.Queued() != 0 {
			t.Errorf("%d calls in Redis, %d queued: %v", len(calls), a.Queued(), err)
		}
	})
}
