package store_test

import (
	"errors"
	"testing"

	"tapedeck/internal/testkit"
	"tapedeck/store/calls"
	"tapedeck/store/session"
	"tapedeck/store/storetest"
)

// A real Redis with its usual snapshots, and without an append-only file, is
// killed and comes back as it was some minutes ago. Two instances use it. The
// policy in force stays, calls that have ended are not live again, sessions that
// were ended stay so, and the index does not count as whole.
func TestRedisComesBackOlder(t *testing.T) {
	testkit.NoLeaks(t)
	r := storetest.NewRedis(t, "--appendonly", "no")
	a, b := open(t, r).run(t), open(t, r).run(t)
	tell, tellB := a.tell, b.tell
	older, now := storetest.Policy(t, 1, 2, 2), storetest.Policy(t, 2, 2, 2)
	apply(t, a, older)
	for i := range 3 {
		a.calls.Save(call("org-0", i, calls.On))
	}
	tell.Await(t, "the calls to be written", func() bool { return a.calls.Queued() == 0 })
	gone, here := signIn(t, a, "anna", 1), signIn(t, a, "anna", 2)
	reindex(t, a)
	if err := storetest.Client(t, r).Save(t.Context()).Err(); err != nil { // as Redis does every few minutes
		t.Fatal(err)
	}
	for _, tell := range []*storetest.Spy{tell, tellB} {
		beats := tell.Count("beat")
		tell.Await(t, "signs of life", func() bool { return tell.Count("beat") > beats+1 })
	}
	apply(t, a, now)
	tellB.Await(t, "the policy", func() bool { return b.policy.Policy().Revision == now.Revision })
	a.calls.End("org-0", "call-0")
	tell.Await(t, "the call to be ended", func() bool { return a.calls.Queued() == 0 })
	taken := claim(t, b, called(t, a, "call-1"))
	b.calls.End(taken.Organisation, taken.ID)
	tellB.Await(t, "the call to be ended", func() bool { return b.calls.Queued() == 0 })
	a.calls.Save(call("org-0", 1, calls.Paused)) // so it finds out that the call belongs to another
	tell.Await(t, "the call to be lost", func() bool { return tell.Logged("live call belongs to another instance") == 1 })
	if err := b.sessions.End(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}

	changes := tell.Logged("policy changed in redis") + tellB.Logged("policy changed in redis")
	r.Stop()
	tell.Await(t, "redis to be away", func() bool { return !a.Up() })
	tellB.Await(t, "redis to be away", func() bool { return !b.Up() })
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, r)
	fresh.inRedis(t, now)
	tell.Await(t, "the ended calls to be ended", func() bool {
		list, err := fresh.calls.List(t.Context())
		return err == nil && len(list) == 1 && list[0].ID == "call-2"
	})
	tell.Await(t, "the index to be in doubt", func() bool { at, err := fresh.index.WholeSince(t.Context()); return err == nil && at.IsZero() })
	tell.Await(t, "the session to be ended", func() bool {
		_, err := fresh.sessions.Find(t.Context(), gone.ID)
		return errors.Is(err, session.ErrUnknown)
	})
	if _, err := fresh.sessions.Find(t.Context(), here.ID); err != nil {
		t.Error(err)
	}
	mustHave(t, a, now)
	mustHave(t, b, now)
	if n := tell.Logged("policy changed in redis") + tellB.Logged("policy changed in redis"); n != changes {
		t.Errorf("the policy changed %d times, before redis was away %d times; log:\n%s", n, changes, tell.Log())
	}
}
