package policy

import (
	"testing"
	"time"

	"tapedeck/store/storetest"
)

// rewind makes an older policy current again, as in a Redis that comes back from a
// snapshot, or when a replica takes over that lagged. Then all instances look.
func rewind(t *testing.T, srv storetest.Server, text string, all ...*instance) {
	t.Helper()
	if err := storetest.Client(t, srv).Set(t.Context(), currentKey, text, 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // whoever is the first may not know it better
		for _, s := range all {
			s.sync(t.Context())
		}
	}
}

// The policy in force stays when Redis has lost it and has an older one. An
// instance that has begun meanwhile, and knows only the older one, gets the newer
// one, too.
func TestOlderPolicyIsNotTaken(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		a, b := open(t, srv), open(t, srv)
		older, now := storetest.Policy(t, 1, 2, 2), storetest.Policy(t, 2, 2, 2)
		apply(t, a, older)
		text := raw.Get(t.Context(), currentKey).Val()
		apply(t, a, now)
		b.sync(t.Context())
		later := open(t, srv) // has never seen the older one
		rewind(t, srv, text)
		fresh := open(t, srv)
		mustHave(t, fresh, older)
		for _, s := range []*instance{later, a, b, fresh} {
			rewind(t, srv, text, fresh, s)
			mustHave(t, s, now)
			mustHave(t, open(t, srv), now)
		}
		mustHave(t, fresh, now)

		// Who notices the loss late does not write over what came after it.
		before := a.view.Load()
		last := storetest.Policy(t, 3, 2, 2)
		apply(t, b, last)
		a.restore(t.Context(), before)
		a.sync(t.Context())
		for _, s := range []*instance{a, b, open(t, srv)} {
			s.sync(t.Context())
			mustHave(t, s, last)
		}

		// The older one can be put in force again, by whoever does it.
		rewind(t, srv, text)
		apply(t, a, older)
		b.sync(t.Context())
		mustHave(t, b, older)
		mustHave(t, open(t, srv), older)
	})
}

// When Redis has lost everything, the newest policy wins, whichever instance
// writes first: also over the policy of an instance that was cut off. A policy
// that is applied after that wins over it.
func TestNewestPolicyComesBack(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		a := open(t, srv)
		apply(t, a, storetest.Policy(t, 1, 2, 2))
		cut := open(t, srv) // it does not hear of what comes now
		now := storetest.Policy(t, 2, 2, 2)
		apply(t, a, now)
		for _, order := range [][]*instance{{cut, a, cut}, {a, cut}} {
			raw.FlushAll(t.Context())
			for _, s := range order {
				s.sync(t.Context())
			}
			mustHave(t, a, now)
			mustHave(t, cut, now)
		}
		raw.FlushAll(t.Context())
		for time.Now().UnixMilli() <= a.view.Load().serial { // which is of the clock, too
		}
		last := storetest.Policy(t, 3, 2, 2)
		apply(t, open(t, srv), last)
		for _, s := range []*instance{a, cut} {
			s.sync(t.Context())
			mustHave(t, s, last)
		}
	})
}

// A Redis that never had the policy has not lost it.
func TestNeverHadThePolicy(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv)
		tell := a.tell
		v, err := newView(storetest.Policy(t, 1, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		a.view.Store(v) // applied, and given up to be written
		a.sync(t.Context())
		if a.view.Load().generation == "" || tell.Logged("has lost the policy") != 0 {
			t.Errorf("generation %q, log:\n%s", a.view.Load().generation, tell.Log())
		}
		storetest.Client(t, srv).FlushAll(t.Context())
		a.sync(t.Context())
		if tell.Logged("has lost the policy") != 1 {
			t.Errorf("log:\n%s", tell.Log())
		}
		a.restore(t.Context(), v) // of another policy than the one that counts now
		if tell.Logged("has lost the policy") != 1 {
			t.Errorf("log:\n%s", tell.Log())
		}
	})
}
