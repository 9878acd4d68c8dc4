package store

import (
	"testing"
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
