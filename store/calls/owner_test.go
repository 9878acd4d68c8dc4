package calls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func claim(t *testing.T, s *Store, c Call) Call {
	t.Helper()
	mine, err := s.Claim(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return mine
}

func TestOwnersAreFenced(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := join(t, srv, "a", defaultTimes()), join(t, srv, "b", defaultTimes())
		a.run(t)
		b.run(t)
		full := call("org-0", 1, On)
		full.Snapshot, full.Draft = "opaque", []byte(`{"spans":[1]}`)
		a.Save(full)
		a.written(t)
		full.Owner, full.Token = "a", 1
		mustCalls(t, b.Store, full)

		// Who does not own it changes nothing, neither as a new call nor as an end.
		b.Save(call("org-0", 1, Paused))
		b.awaitLost(t, "org-0/call-1")
		b.End("org-0", "call-1")
		b.awaitLost(t, "org-0/call-1", "org-0/call-1")
		mustCalls(t, a.Store, full)

		// Whoever claims it, may; the owner before finds out, and writes nothing.
		seen, err := b.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mine := claim(t, b.Store, seen[0])
		if mine.Owner != "b" || mine.Token != 2 || mine.Snapshot != "opaque" || string(mine.Draft) != `{"spans":[1]}` {
			t.Errorf("claimed %+v", mine)
		}
		if _, err := a.Claim(t.Context(), seen[0]); !errors.Is(err, ErrTaken) {
			t.Errorf("what was claimed can be claimed from its owner before: %v", err)
		}
		a.Save(full)
		a.awaitLost(t, "org-0/call-1")
		a.Save(call("org-0", 2, On)) // its others go on
		a.written(t)
		mine.State = Paused
		b.Save(mine)
		b.written(t)
		mustCalls(t, a.Store, mine, call("org-0", 2, On))

		// What has ended stays ended.
		b.End("org-0", "call-1")
		b.written(t)
		a.Save(full)
		a.awaitLost(t, "org-0/call-1", "org-0/call-1")
		for _, owner := range []Call{seen[0], mine} {
			if _, err := a.Claim(t.Context(), owner); !errors.Is(err, ErrTaken) {
				t.Errorf("an ended call can be claimed from %s: %v", owner.Owner, err)
			}
		}
		mustCalls(t, a.Store, call("org-0", 2, On))
	})
}

// A call that Redis has lost, or of which it has an old owner, can be claimed
// with what FreeSWITCH knows of it.
func TestClaimOfWhatRedisDoesNotKnow(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := join(t, srv, "a", defaultTimes()), join(t, srv, "b", defaultTimes())
		a.run(t)
		flushed := call("org-0", 1, On)
		flushed.Owner, flushed.Token = "gone", 7
		mine := claim(t, b.Store, flushed)
		mustCalls(t, a.Store, mine)
		if again := claim(t, b.Store, flushed); again.Token != 8 { // whoever got no answer asks again
			t.Errorf("claimed twice: %+v", again)
		}
		if _, err := a.Claim(t.Context(), flushed); !errors.Is(err, ErrTaken) {
			t.Errorf("two claimed what was flushed: %v", err)
		}
		a.Save(call("org-0", 2, On))
		a.written(t)
		later := call("org-0", 2, On)
		later.Owner, later.Token = "gone", 5
		if mine := claim(t, b.Store, later); mine.Token != 6 || mine.Owner != "b" {
			t.Errorf("claimed %+v", mine)
		}
		a.Save(call("org-0", 2, Paused))
		a.awaitLost(t, "org-0/call-2")

		bad := call("org-0", 3, On)
		bad.Draft = []byte("{")
		for _, c := range []Call{{}, bad} {
			if _, err := b.Claim(t.Context(), c); err == nil || errors.Is(err, ErrTaken) || errors.Is(err, store.ErrAway) {
				t.Errorf("%+v claimed: %v", c, err)
			}
		}
	})
}

// Of all who claim at once, one wins, however often.
func TestClaimRace(t *testing.T) {
	testkit.NoLeaks(t)
	r := storetest.NewRedis(t)
	stores := []*Store{open(t, r).Store, open(t, r).Store}
	for round := range 20 {
		seen := call("org-0", round, On)
		seen.Owner, seen.Token = "dead", 3
		if round%2 == 0 { // known to Redis, or not
			dead := join(t, r, "dead", defaultTimes())
			dead.Save(seen)
			dead.write(t.Context())
		}
		var won, taken atomic.Int32
		var owner atomic.Value
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() {
				s := stores[i%2]
				switch mine, err := s.Claim(t.Context(), seen); {
				case err == nil:
					won.Add(1)
					owner.Store(mine.Owner)
				case errors.Is(err, ErrTaken):
					taken.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		group.Wait()
		// One instance asks 8 times: once it has won, it wins again.
		if won.Load() != 8 || taken.Load() != 8 {
			t.Fatalf("round %d: %d won, %d came late", round, won.Load(), taken.Load())
		}
		got, err := stores[0].List(t.Context())
		if err != nil || len(got) != round+1 || got[round].Owner != owner.Load() || got[round].Token != 4 {
			t.Fatalf("round %d: %v, %v", round, got, err)
		}
	}
}

func TestClaimWhileRedisIsAway(t *testing.T) {
	testkit.NoLeaks(t)
	r := storetest.NewRedis(t)
	a := join(t, r, "a", defaultTimes())
	a.run(t)
	r.Stop()
	a.tell.Await(t, "Redis to be missed", func() bool { return !a.conn.Up() })
	seen := call("org-0", 1, On)
	seen.Owner, seen.Token = "b", 1
	_, err := a.Claim(t.Context(), seen)
	storetest.MustAway(t, err)
}

// What is queued of a call from before it was claimed does not count any more.
func TestQueueAfterClaim(t *testing.T) {
	q := queue{limit: 10, owner: "me"}
	q.save(call("o", 1, On))
	q.save(call("o", 2, On))
	batch := q.take(1)
	mine := call("o", 1, Paused)
	mine.Token = 5
	q.claimed(mine)
	batch[0].refused = true
	if lost := q.settle(batch); len(lost) != 0 {
		t.Errorf("lost %v", lost)
	}
	mine.ID, mine.Token = "call-2", 3
	q.claimed(mine)
	if q.length() != 0 {
		t.Error("an older state is still queued")
	}
	q.end(idOf("o", "call-2"))
	c := call("o", 1, On) // without a token: the one that is known
	q.save(c)
	batch = q.take(9)
	if len(batch) != 2 || batch[0].token != 3 || !batch[0].ended || batch[1].call.Token != 5 || batch[1].call.Owner != "me" {
		t.Errorf("took %+v", batch)
	}
	for i := range batch {
		batch[i].refused = true
	}
	if lost := fmt.Sprint(q.settle(batch)); lost != "[{o call-2} {o call-1}]" || len(q.entries) != 0 {
		t.Errorf("lost %s, left %v", lost, q.entries)
	}
}

// A draft that is too large does not cost the call.
func TestQueueLeavesOutLargeDrafts(t *testing.T) {
	q := queue{limit: 10}
	c := call("o", 1, On)
	c.Draft = make([]byte, maxDraftSize+1)
	q.save(c)
	if got := q.take(1); len(got) != 1 || got[0].call.Draft != nil || q.dropped != 1 {
		t.Errorf("took %v, dropped %d", len(got), q.dropped)
	}
	c.Draft, c.Snapshot = nil, string(make([]byte, maxCallSize))
	q.save(c)
	if q.dropped != 2 {
		t.Error("a control snapshot of any size is kept")
	}
}

// asChild is the variable that makes this test's program an instance of its
// own: the address of its Redis.
const asChild = "TAPEDECK_STORE_TEST_CHILD"

// TestChild is no test: it is the instance that TestKilledOwner kills.
func TestChild(t *testing.T) {
	address := os.Getenv(asChild)
	if address == "" {
		t.Skip("only run by TestKilledOwner")
	}
	conn, err := store.Open(t.Context(), store.Config{Redis: address, Timeout: 5 * time.Second, Instance: "child"})
	if err != nil {
		t.Fatal(err)
	}
	s := New(conn)
	for i := range 3 {
		s.Save(call("org-0", i, On))
	}
	_ = conn.Run(context.Background())
}

// From kill -9 of an owner to OnOrphans of another instance it takes at most
// ttl, beatEvery and grace.
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
	t.Logf("from kill -9 to OnOrphans: %s", took)
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

// An instance that ends, leaves no sign of life behind.
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

// Owners that are in no set of instances are found by their calls.
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

// Nobody is dead because Redis was: the sign of life of everybody has run out
// when it comes back.
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

// An instance that was frozen finds out what it has lost meanwhile without
// writing anything new, and does not make ended calls again.
func TestOwnerComesBack(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := join(t, srv, "a", quick()), join(t, srv, "b", defaultTimes())
		a.run(t)
		b.run(t)
		for i := range 3 {
			a.Save(call("org-0", i, On))
		}
		a.written(t)
		seen, err := b.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		claim(t, b.Store, seen[0])
		claim(t, b.Store, seen[2])
		b.End("org-0", "call-2")
		b.written(t)
		// As if a had not been there for a while.
		beats := a.tell.Count("beat")
		a.tell.Await(t, "a beat", func() bool { return a.tell.Count("beat") > beats })
		storetest.Client(t, srv).Del(t.Context(), beatKey("a"))
		a.awaitLost(t, "org-0/call-0", "org-0/call-2")
		a.written(t)
		got, err := b.List(t.Context())
		if err != nil || len(got) != 2 || got[0].Owner != "b" || got[1].Owner != "a" {
			t.Errorf("live calls %v: %v", got, err)
		}
		// A claim that was under way when it came back fails, and what it goes on
		// to write counts.
		if _, err := b.Claim(t.Context(), seen[1]); !errors.Is(err, ErrTaken) {
			t.Errorf("claimed what its owner has come back to: %v", err)
		}
		a.Save(call("org-0", 1, Paused))
		a.written(t)
		if got, err = b.List(t.Context()); err != nil || len(got) != 2 || got[1].State != Paused || got[1].Token != seen[1].Token+1 {
			t.Errorf("live calls %v: %v", got, err)
		}
	})
}

// However often an owner came back while Redis was away, it does not take a call
// from the instance that has claimed it meanwhile.
func TestOwnerComesBackTwice(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := join(t, srv, "a", quick()), join(t, srv, "b", defaultTimes())
		for i := range 2 {
			a.Save(call("org-0", i, On))
		}
		a.write(t.Context())
		seen, err := b.List(t.Context())
		if err != nil || len(seen) != 2 {
			t.Fatal(seen, err)
		}
		for _, c := range seen {
			claim(t, b.Store, c)
		}
		for range 3 {
			a.queue.requeueAll(true)
		}
		a.End("org-0", "call-1")
		a.write(t.Context())
		if len(a.lost) != 2 {
			t.Errorf("lost %q", a.lost)
		}
		if got, err := b.List(t.Context()); err != nil || len(got) != 2 || got[0].Owner != "b" || got[1].Owner != "b" {
			t.Errorf("live calls %v: %v", got, err)
		}
	})
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

// The grace begins anew when Redis was not seen to answer all the time.
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
