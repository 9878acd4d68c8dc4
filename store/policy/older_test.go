package policy

import (
	"testing"
	"time"

	"tapedeck/store/storetest"
)

// rewind makes an older policy current again, as a Redis does that comes back
// from a snapshot, or a replica that lagged; then everybody looks.
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

// What was in force stays when Redis has lost it and has an older policy; an
// instance that has begun meanwhile, and only knows the older one, gets it, too.
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

// When Redis has lost all, the newest goes before, whoever writes it first: also
// before that of an instance that was cut off, and after one that is applied then.
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
