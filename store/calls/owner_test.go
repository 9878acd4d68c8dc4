package calls

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

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

// A call that Redis has lost, or of which Redis has an old owner, can be claimed
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

// If several instances claim a call at once, exactly one wins, each time.
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

// An instance that was frozen finds out what it has lost meanwhile, without
// writing anything new. It does not create ended calls again.
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
