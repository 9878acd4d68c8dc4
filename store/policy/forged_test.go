package policy

import (
	"strings"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// forge puts a policy into Redis as a Tapedeck without the key would, with a serial that
// is higher than any.
func forge(t *testing.T, srv storetest.Server, p *flow.Policy) {
	t.Helper()
	s, err := New(t.Context(), storetest.OpenWith(t, store.Config{Redis: srv.URL(), Timeout: testkit.Patience}))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, p)
}

// Whoever writes to Redis does not change the policy, and cannot have it forgotten.
func TestForgedPolicy(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := storetest.Client(t, srv)
		good, off := storetest.Policy(t, 1, 2, 2), storetest.Policy(t, 2, 2, 2)
		s := open(t, srv)
		apply(t, s, good)
		genuine := w.Get(t.Context(), currentKey).Val()
		s.run(t)

		forge(t, srv, off)
		s.await(t, "the policy to be seen", func() bool { return s.tell.Forged("policy") > 0 })
		mustHave(t, s, good)
		s.await(t, "the good policy to be written again", func() bool {
			text := w.Get(t.Context(), currentKey).Val()
			return strings.Contains(text, good.Revision) && text != genuine
		})
		fresh := open(t, srv)
		mustHave(t, fresh, good)

		// With the same revision and a genuine manifest's fields altered.
		before := s.tell.Forged("policy")
		altered := strings.Replace(w.Get(t.Context(), currentKey).Val(), `"serial":`, `"serial":9`, 1)
		if err := w.Set(t.Context(), currentKey, altered, 0).Err(); err != nil {
			t.Fatal(err)
		}
		s.await(t, "it to be seen", func() bool { return s.tell.Forged("policy") > before })
		mustHave(t, s, good)
		if got := s.told(); got != 0 {
			t.Errorf("the policy changed %d times", got)
		}
		// An instance that starts now knows no policy, and none of a stranger.
		fresh = open(t, srv)
		if got := fresh.Policy(); len(got.Organisations) != 0 {
			t.Errorf("policy %s", got.Revision)
		}
		apply(t, fresh, good)
		mustHave(t, open(t, srv), good)
	})
}

// The documents of a policy are those that its sealed manifest names.
func TestForgedPolicyDocuments(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := storetest.Client(t, srv)
		good, off := open(t, srv), storetest.Policy(t, 2, 1, 1)
		apply(t, good, storetest.Policy(t, 1, 1, 1))
		fields, err := hashOf(off.Organisations["org-0"], off.Organisations["org-0"].Inheritances())
		if err != nil {
			t.Fatal(err)
		}
		key := policyKey("org-0", good.view.Load().generation)
		if err := w.Del(t.Context(), key).Err(); err != nil {
			t.Fatal(err)
		}
		if err := w.HSet(t.Context(), key, fields...).Err(); err != nil {
			t.Fatal(err)
		}
		fresh := open(t, srv)
		if _, err := fresh.follow(t.Context()); len(fresh.Policy().Organisations) != 0 {
			t.Errorf("the documents of another policy are in force: %v", err)
		}
	})
}

// When the key that signs is another one, a policy that is in no file is sealed anew by
// the first instance that starts with it.
func TestPolicyGetsTheNewSeal(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		with := func(keys ...string) *instance {
			tell := storetest.NewSpy()
			cfg := tell.Config()
			cfg.Redis, cfg.Keys = srv.URL(), keys
			return openWith(t, cfg, tell)
		}
		older, newer, p := strings.Repeat("o", 32), strings.Repeat("n", 32), storetest.Policy(t, 1, 2, 2)
		apply(t, with(older), p)
		first := with(newer, older).run(t)
		mustHave(t, first, p)
		first.await(t, "the policy to be sealed", func() bool {
			got, _, err := with(newer).current(t.Context())
			return err == nil && got.Revision == p.Revision
		})
		mustHave(t, with(newer), p)
		mustExpire(t, storetest.Client(t, srv), 2)
	})
}

// Instances without the key, or with another, do not fight over the policy: it is written
// again once a minute at most.
func TestInstancesWithoutTheKeyDoNotFight(t *testing.T) {
	srv := storetest.NewMini(t)
	good, theirs := storetest.Policy(t, 1, 2, 2), storetest.Policy(t, 2, 2, 2)
	s := open(t, srv)
	apply(t, s, good)
	s.run(t)
	strangers, err := New(t.Context(), storetest.OpenWith(t, store.Config{Redis: srv.URL(), Timeout: testkit.Patience, LookEvery: 10 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, strangers, theirs)
	storetest.Run(t, strangers.conn)
	s.await(t, "many looks", func() bool { return s.tell.Forged("policy") > 5 })
	if n := s.tell.Count("policy_switch"); n > 3 {
		t.Errorf("it was switched %d times", n)
	}
	mustHave(t, s, good)
}
