package store

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// rewind makes an older policy current again, as a Redis does that comes back
// from a snapshot, or a replica that lagged; then everybody looks.
func rewind(t *testing.T, srv server, text string, all ...*Store) {
	t.Helper()
	if err := rawClient(t, srv).Set(t.Context(), currentKey, text, 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // whoever is the first may not know it better
		for _, s := range all {
			s.syncPolicy(t.Context())
		}
	}
}

// What was in force stays when Redis has lost it and has an older policy; an
// instance that has begun meanwhile, and only knows the older one, gets it, too.
func TestOlderPolicyIsNotTaken(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		raw := rawClient(t, srv)
		a, b := openOn(t, srv, newSpy()), openOn(t, srv, newSpy())
		older, now := policy(t, 1, 2, 2), policy(t, 2, 2, 2)
		apply(t, a, older)
		text := raw.Get(t.Context(), currentKey).Val()
		apply(t, a, now)
		b.syncPolicy(t.Context())
		later := openOn(t, srv, newSpy()) // has never seen the older one
		rewind(t, srv, text)
		fresh := openOn(t, srv, newSpy())
		mustHave(t, fresh, older)
		for _, s := range []*Store{later, a, b, fresh} {
			rewind(t, srv, text, fresh, s)
			mustHave(t, s, now)
			mustHave(t, openOn(t, srv, newSpy()), now)
		}
		mustHave(t, fresh, now)

		// Who notices the loss late does not write over what came after it.
		before := a.view.Load()
		last := policy(t, 3, 2, 2)
		apply(t, b, last)
		a.restore(t.Context(), before)
		a.syncPolicy(t.Context())
		for _, s := range []*Store{a, b, openOn(t, srv, newSpy())} {
			s.syncPolicy(t.Context())
			mustHave(t, s, last)
		}

		// The older one can be put in force again, by whoever does it.
		rewind(t, srv, text)
		apply(t, a, older)
		b.syncPolicy(t.Context())
		mustHave(t, b, older)
		mustHave(t, openOn(t, srv, newSpy()), older)
	})
}

// When Redis has lost all, the newest goes before, whoever writes it first: also
// before that of an instance that was cut off, and after one that is applied then.
func TestNewestPolicyComesBack(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		raw := rawClient(t, srv)
		a := openOn(t, srv, newSpy())
		apply(t, a, policy(t, 1, 2, 2))
		cut := openOn(t, srv, newSpy()) // it does not hear of what comes now
		now := policy(t, 2, 2, 2)
		apply(t, a, now)
		for _, order := range [][]*Store{{cut, a, cut}, {a, cut}} {
			raw.FlushAll(t.Context())
			for _, s := range order {
				s.syncPolicy(t.Context())
			}
			mustHave(t, a, now)
			mustHave(t, cut, now)
		}
		raw.FlushAll(t.Context())
		for time.Now().UnixMilli() <= a.view.Load().serial { // which is of the clock, too
		}
		last := policy(t, 3, 2, 2)
		apply(t, openOn(t, srv, newSpy()), last)
		for _, s := range []*Store{a, cut} {
			s.syncPolicy(t.Context())
			mustHave(t, s, last)
		}
	})
}

// A real Redis with its usual snapshots, and no append-only file, is killed and
// comes back as it was some minutes ago, for two instances: the policy in force
// stays, calls that have ended are not live again, whoever has signed out stays
// so, and the index does not count as whole.
func TestRedisComesBackOlder(t *testing.T) {
	leakFree(t)
	r := startRedis(t, "--appendonly", "no")
	tell, tellB := newSpy(), newSpy()
	a, b := runOn(t, r, tell), runOn(t, r, tellB)
	older, now := policy(t, 1, 2, 2), policy(t, 2, 2, 2)
	apply(t, a, older)
	for i := range 3 {
		a.SaveCall(call("org-0", i, On))
	}
	tell.await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
	gone, here := signedIn("anna", 1), signedIn("anna", 2)
	saveSession(t, a, gone, time.Hour)
	saveSession(t, a, here, time.Hour)
	reindex(t, a, each())
	if err := rawClient(t, r).Save(t.Context()).Err(); err != nil { // as Redis does every few minutes
		t.Fatal(err)
	}
	for _, tell := range []*spy{tell, tellB} {
		beats := tell.count("beat")
		tell.await(t, "signs of life", func() bool { return tell.count("beat") > beats+1 })
	}
	apply(t, a, now)
	tellB.await(t, "the policy", func() bool { return b.Policy().Revision == now.Revision })
	a.EndCall("org-0", "call-0")
	tell.await(t, "the call to be ended", func() bool { return a.Queued() == 0 })
	taken := claim(t, b, called(t, a, "call-1"))
	b.EndCall(taken.Organisation, taken.ID)
	tellB.await(t, "the call to be ended", func() bool { return b.Queued() == 0 })
	a.SaveCall(call("org-0", 1, Paused)) // which tells it that the call is another's
	tell.await(t, "the call to be lost", func() bool { return tell.logged("live call is another instance's") == 1 })
	if err := b.DropSession(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}

	changes := tell.logged("policy changed in redis") + tellB.logged("policy changed in redis")
	r.stop()
	tell.await(t, "redis to be away", func() bool { return !a.Up() })
	tellB.await(t, "redis to be away", func() bool { return !b.Up() })
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	fresh := openOn(t, r, newSpy())
	tell.await(t, "the policy in redis", func() bool { fresh.syncPolicy(t.Context()); return fresh.Policy().Revision == now.Revision })
	tell.await(t, "the ended calls to be ended", func() bool {
		calls, err := fresh.Calls(t.Context())
		return err == nil && len(calls) == 1 && calls[0].ID == "call-2"
	})
	tell.await(t, "the index to be in doubt", func() bool { at, err := fresh.Indexed(t.Context()); return err == nil && at.IsZero() })
	tell.await(t, "the session to be ended", func() bool { _, err := fresh.Session(t.Context(), gone.ID); return errors.Is(err, ErrUnknown) })
	if _, err := fresh.Session(t.Context(), here.ID); err != nil {
		t.Error(err)
	}
	mustHave(t, a, now)
	mustHave(t, b, now)
	if n := tell.logged("policy changed in redis") + tellB.logged("policy changed in redis"); n != changes {
		t.Errorf("the policy changed %d times, before redis was away %d times; log:\n%s", n, changes, tell.log.String())
	}
}

// called is a live call as Redis has it.
func called(t *testing.T, s *Store, id string) Call {
	t.Helper()
	calls, err := s.Calls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(calls, func(c Call) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("no call %s among %v", id, calls)
	}
	return calls[i]
}

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recent[string, int]{limit: 3, keep: time.Hour}
		for i, key := range []string{"a", "b", "c", "a", "d"} {
			r.put(key, i)
		}
		r.forget("c")
		r.forget("nobody")
		if all := r.all(); !maps.Equal(all, map[string]int{"a": 3, "d": 4}) {
			t.Errorf("%v", all)
		}
		time.Sleep(30 * time.Minute)
		r.put("e", 5)
		time.Sleep(30 * time.Minute)
		_, a := r.get("a")
		if e, ok := r.get("e"); a || !ok || e != 5 {
			t.Errorf("after an hour: %v, %d, %v", a, e, ok)
		}
		if all := r.all(); !maps.Equal(all, map[string]int{"e": 5}) {
			t.Errorf("%v", all)
		}
	})
}
