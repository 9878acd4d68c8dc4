package calls

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// asChild is the variable that makes this test's program an instance of its
// own: the address of its Redis.
const asChild = "TAPEDECK_STORE_TEST_CHILD"

// TestChild is no test: it is the instance that TestKilledOwner kills.
func TestChild(t *testing.T) {
	address := os.Getenv(asChild)
	if address == "" {
		t.Skip("only run by TestKilledOwner")
	}
	conn, err := store.Open(t.Context(), store.Config{Redis: address, Timeout: 5 * time.Second, Instance: "child", Keys: []string{storetest.Key}})
	if err != nil {
		t.Fatal(err)
	}
	s := New(conn)
	for i := range 3 {
		s.Save(call("org-0", i, On))
	}
	_ = conn.Run(context.Background())
}

// From kill -9 of an owner until another instance is told of its orphans it takes
// at most ttl, beatEvery and grace.
func TestKilledOwner(t *testing.T) {
	t.Parallel()
	r := storetest.NewRedis(t)
	b, c := join(t, r, "b", defaultTimes()), join(t, r, "c", defaultTimes())
	b.run(t)
	c.run(t)
	b.Save(call("org-1", 9, On))
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), asChild+"="+r.URL())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer func() { _ = child.Process.Kill() }()
	raw := storetest.Client(t, r)
	b.tell.Await(t, "the child's calls", func() bool {
		return raw.ZCard(t.Context(), callsKey("org-0")).Val() == 3 && raw.Exists(t.Context(), beatKey("child")).Val() == 1
	})
	if b.tellings()+c.tellings() != 0 {
		t.Fatalf("calls of the living are orphans: %v %v", b.orphans, c.orphans)
	}
	killed := time.Now()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	orphans := b.awaitOrphans(t)
	took := b.at[0].Sub(killed)
	t.Logf("from kill -9 to Orphans: %s", took)
	if took < b.lease.times.grace || took > 2600*time.Millisecond && os.Getenv("TAPEDECK_QUIET") != "" || took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(orphans) != 3 || orphans[0].Owner != "child" || orphans[0].ID != "call-0" || orphans[0].Chain == nil {
		t.Errorf("orphans %v", orphans)
	}
	// They are told again, to everybody, as long as they are there.
	claim(t, b.Store, orphans[0])
	c.awaitOrphans(t)
	for len(c.awaitOrphans(t)) != 2 {
	}
	claim(t, c.Store, orphans[1])
	claim(t, b.Store, orphans[2])
	b.tell.Await(t, "the dead instance to be forgotten", func() bool {
		return !raw.SIsMember(t.Context(), instancesKey, "child").Val()
	})
	if !raw.SIsMember(t.Context(), instancesKey, "b").Val() {
		t.Error("a living instance is not known")
	}
}

// An instance that ends removes its sign of life.
func TestEndedOwner(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		l := quick()
		l.ttl = time.Hour
		a, b := join(t, srv, "a", l), join(t, srv, "b", l)
		b.run(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.conn.Run(ctx) }()
		a.Save(call("org-0", 1, On))
		a.written(t)
		raw := storetest.Client(t, srv)
		a.tell.Await(t, "a sign of life", func() bool { return raw.Exists(t.Context(), beatKey("a")).Val() == 1 })
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := b.awaitOrphans(t); len(got) != 1 || got[0].Owner != "a" {
			t.Errorf("orphans %v", got)
		}
		// The process that takes its place is another instance, and gets them.
		again := join(t, srv, "a2", l)
		again.run(t)
		orphans := again.awaitOrphans(t)
		mine := claim(t, again.Store, orphans[0])
		mustCalls(t, b.Store, mine)
	})
}

// An owner that is in no set of instances is found by its calls.
func TestOrphansOfStrangers(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		stranger := join(t, srv, "stranger", quick())
		stranger.Save(call("org-0", 1, On))
		stranger.write(t.Context())
		b := join(t, srv, "b", quick())
		b.run(t)
		if got := b.awaitOrphans(t); len(got) != 1 || got[0].Owner != "stranger" {
			t.Errorf("orphans %v", got)
		}
	})
}

// When Redis was away, the signs of life of all instances have expired when it
// comes back. No instance counts as dead because of that.
func TestNobodyDiesWithRedis(t *testing.T) {
	for name, hit := range map[string]func(t *testing.T, r storetest.Redis, wait func(time.Duration)){
		"killed": func(t *testing.T, r storetest.Redis, wait func(time.Duration)) {
			r.Stop()
			wait(2 * time.Second)
			if err := r.Start(); err != nil {
				t.Fatal(err)
			}
		},
		"frozen": func(t *testing.T, r storetest.Redis, wait func(time.Duration)) {
			r.Signal(t, syscall.SIGSTOP)
			wait(2 * time.Second)
			r.Signal(t, syscall.SIGCONT)
		},
		"flushed": func(t *testing.T, r storetest.Redis, wait func(time.Duration)) {
			storetest.Client(t, r).FlushAll(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := storetest.NewRedis(t)
			// The grace is long enough for a busy machine.
			l := leaseTimes{beatEvery: 50 * time.Millisecond, ttl: time.Second, grace: time.Second,
				tellEvery: 100 * time.Millisecond, strangersEvery: 100 * time.Millisecond}
			var parties []*party
			for i := range 3 {
				p := join(t, r, fmt.Sprint("p", i), l)
				p.run(t)
				p.Save(call("org-0", i, On))
				p.written(t)
				parties = append(parties, p)
			}
			hit(t, r, func(d time.Duration) { <-time.After(d) }) // the fault lasts that long
			for i, p := range parties {
				p.Save(call("org-0", i, Paused))
				p.tell.Await(t, "Redis to be back", func() bool { return p.conn.Up() && p.Queued() == 0 })
			}
			// A call that really is an orphan is found; when it is, the others
			// have been looked at as long.
			dead := join(t, r, "dead", l)
			dead.Save(call("org-0", 3, On))
			dead.write(t.Context())
			for _, p := range parties {
				if got := p.awaitOrphans(t); len(got) != 1 || got[0].Owner != "dead" {
					t.Errorf("orphans %v", got)
				}
				if len(p.lost) != 0 {
					t.Errorf("lost %v", p.lost)
				}
			}
			parties[0].tell.Await(t, "the calls to be there", func() bool {
				calls, err := parties[0].List(t.Context())
				return err == nil && len(calls) == 4 && calls[0].State == Paused && calls[2].State == Paused
			})
		})
	}
}

func TestAlone(t *testing.T) {
	testkit.NoLeaks(t)
	tell := storetest.NewSpy()
	s := New(storetest.OpenWith(t, tell.Config()))
	p := &party{Store: s, tell: tell}
	s.Follow(p)
	p.run(t)
	if !s.Alone() || len(s.Instance()) != 16 {
		t.Errorf("alone %v, instance %q", s.Alone(), s.Instance())
	}
	s.Save(call("org-0", 1, On))
	tell.Await(t, "the call to be written", func() bool { return s.Queued() == 0 && tell.Count("connect") > 3 })
	s.End("org-0", "call-1")
	tell.Await(t, "the end to be written", func() bool { return s.Queued() == 0 })
	if n := tell.Count("beat") + tell.Count("beats_read"); n != 0 || p.tellings() != 0 {
		t.Errorf("%d signs of life that nobody needs, %d tellings of orphans", n, p.tellings())
	}
	if keys := s.conn.Client().Keys(t.Context(), "*:live*").Val(); len(keys) != 0 {
		t.Errorf("left behind %v", keys)
	}
}

// The grace begins again if Redis was not seen to answer all the time.
func TestGrace(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		dead := join(t, srv, "dead", defaultTimes())
		dead.Save(call("org-0", 1, On))
		dead.write(t.Context())
		b := join(t, srv, "b", defaultTimes())
		storetest.Client(t, srv).SAdd(t.Context(), instancesKey, "dead")
		for name, c := range map[string]struct {
			since, answered time.Duration
			told            int
		}{
			"all the time":          {-1200 * time.Millisecond, -time.Millisecond, 1},
			"late once":             {-1200 * time.Millisecond, -600 * time.Millisecond, 1},
			"away for a while":      {-1200 * time.Millisecond, -1100 * time.Millisecond, 0},
			"dead before that":      {-3 * time.Second, -1100 * time.Millisecond, 1},
			"not for a whole grace": {-300 * time.Millisecond, -time.Millisecond, 0},
		} {
			b.orphans = nil
			now := time.Now()
			w := &orphanWatch{s: b.Store, strangers: map[string]bool{}, absent: map[string]time.Time{"dead": now.Add(c.since)}, answered: now.Add(c.answered)}
			w.look(t.Context())
			if len(b.orphans) != c.told {
				t.Errorf("%s: told %d times", name, len(b.orphans))
			}
		}
	})
}
