package policy

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestApplyAndRead(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv)
		if !a.conn.Up() || a.Policy() == nil || len(a.Policy().Organisations) != 0 {
			t.Fatalf("at first: up %v, policy %+v", a.conn.Up(), a.Policy())
		}
		p := storetest.Policy(t, 1, 3, 10)
		apply(t, a, p)
		mustHave(t, a, p)

		b := open(t, srv)
		mustHave(t, b, p)
		if _, ok := b.Inheritance("org-0", flow.Element{Kind: flow.User, ID: "nobody"}); ok {
			t.Error("an unknown element has an inheritance")
		}
		if _, ok := b.Inheritance("no-such", flow.Element{Kind: flow.User, ID: "user-0"}); ok {
			t.Error("an unknown organisation has an inheritance")
		}
		if o, e164, ok := b.Policy().FindNumber("020 7946 0001"); !ok || o.ID != "org-1" || e164 != "+442079460001" {
			t.Errorf("the policy that was read does not find a number: %v %s %v", o, e164, ok)
		}
	})
}

func TestApplyOfTheSameWritesNothing(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		a := open(t, srv)
		apply(t, a, storetest.Policy(t, 1, 2, 3))
		before := raw.Get(t.Context(), currentKey).Val()
		tell := a.tell
		writes, switches := tell.Count("policy_write"), tell.Count("policy_switch")

		apply(t, a, storetest.Policy(t, 1, 2, 3))
		b := open(t, srv)
		other := b.tell
		apply(t, b, storetest.Policy(t, 1, 2, 3))
		if before == "" || raw.Get(t.Context(), currentKey).Val() != before {
			t.Error("the same policy was switched over to again")
		}
		if tell.Count("policy_write") != writes || tell.Count("policy_switch") != switches || other.Count("policy_write") != 0 {
			t.Error("the same policy was written again")
		}

		// Unless a part of it is gone.
		var m manifest
		if err := json.Unmarshal([]byte(before), &m); err != nil {
			t.Fatal(err)
		}
		raw.Del(t.Context(), policyKey("org-1", m.Generation))
		apply(t, a, storetest.Policy(t, 1, 2, 3))
		mustHave(t, open(t, srv), storetest.Policy(t, 1, 2, 3))
	})
}

func TestApplyRefuses(t *testing.T) {
	testkit.NoLeaks(t)
	s := openWith(t, store.Config{}, storetest.NewSpy())
	if err := s.Apply(t.Context(), nil); err == nil {
		t.Error("no policy was applied")
	}
	p := storetest.Policy(t, 1, 1, 1)
	p.Organisations["org-0"].Users[""] = &flow.UserEntry{}
	if err := s.Apply(t.Context(), p); err == nil || errors.Is(err, store.ErrAway) {
		t.Errorf("an element that nobody can read was applied: %v", err)
	}
	if s.hasPending() || len(s.Policy().Organisations) != 0 {
		t.Error("what was refused is in force")
	}
}

// A switch-over is heard by pub/sub: these instances do not look by the clock.
func TestSwitchOverIsHeard(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := openSlow(t, srv).run(t), openSlow(t, srv).run(t)
		raw := storetest.Client(t, srv)
		for {
			n, err := raw.PubSubNumSub(t.Context(), switchedChannel).Result()
			if err != nil {
				t.Fatal(err)
			}
			if n[switchedChannel] == 2 {
				break
			}
		}
		for i := range 5 {
			p := storetest.Policy(t, i, 2, 3)
			apply(t, a, p)
			b.await(t, "the other instance to follow", func() bool { return b.Policy().Revision == p.Revision })
			mustHave(t, b, p)
		}
		p := storetest.Policy(t, 9, 2, 3)
		apply(t, b, p)
		a.await(t, "the first instance to follow", func() bool { return a.Policy().Revision == p.Revision })
		// The events come after the change and in its order, the own ones not at all.
		a.await(t, "to be told", func() bool { return a.told() == 1 })
		b.await(t, "to be told", func() bool { return b.told() == 5 })
	})
}

// A message that was published while no instance listened is made up for when the
// subscription is there again.
func TestMissedMessageIsCaughtUp(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		b := openSlow(t, srv).run(t)
		a := open(t, srv)
		apply(t, a, storetest.Policy(t, 1, 2, 2))
		b.await(t, "the first policy", func() bool { return b.told() == 1 })

		p := storetest.Policy(t, 2, 2, 2)
		v, err := newView(p)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.put(t.Context(), v, v.serialAfter(manifest{}))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(m)
		raw := storetest.Client(t, srv)
		raw.Set(t.Context(), currentKey, a.seal.JSON(text, currentKey), 0) // and no PUBLISH
		srv.DropSubscribers(t)
		b.await(t, "the second policy", func() bool { return b.told() == 2 })
		mustHave(t, b, p)
	})
}

// A policy that cannot be written is tried again and again, and logged once.
func TestUnwritablePolicyIsLogged(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		raw.RPush(t.Context(), currentKey, "x")
		a := open(t, srv).run(t)
		tell := a.tell
		p := storetest.Policy(t, 1, 1, 1)
		if err := a.Apply(t.Context(), p); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("error %v, want ErrCorrupt", err)
		}
		mustHave(t, a, p)
		tries := tell.Count("policy_switch")
		tell.Await(t, "more tries", func() bool { return tell.Count("policy_switch") > tries+2 })
		if n := tell.Logged("policy not written to redis"); n != 1 {
			t.Errorf("logged %d times: %s", n, tell.Log())
		}
		raw.Del(t.Context(), currentKey)
		tell.Await(t, "the policy to be written", func() bool { return !a.hasPending() })
		mustHave(t, open(t, srv), p)
	})
}

// Many instances apply different policies at once. In the end all have the same
// one, and all other generations have an expiry.
func TestManyApplyAtOnce(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		stores := make([]*instance, 4)
		for i := range stores {
			stores[i] = open(t, srv).run(t)
		}
		tell := stores[0].tell
		var writers sync.WaitGroup
		for i, s := range stores {
			writers.Go(func() {
				for n := range 10 {
					// Losing every race is no error that lasts: Run tries again.
					if err := s.Apply(t.Context(), storetest.Policy(t, 10*i+n, 3, 2)); err != nil && !strings.Contains(err.Error(), "keep switching") {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		tell.Await(t, "all to agree", func() bool {
			for _, s := range stores {
				if s.hasPending() || s.view.Load().generation != stores[0].view.Load().generation {
					return false
				}
			}
			return true
		})
		var m manifest
		raw := storetest.Client(t, srv)
		if err := json.Unmarshal([]byte(raw.Get(t.Context(), currentKey).Val()), &m); err != nil {
			t.Fatal(err)
		}
		tell.Await(t, "current in every memory", func() bool { return stores[0].view.Load().generation == m.Generation })
		for _, s := range stores {
			if s.Policy().Revision != m.Revision {
				t.Errorf("policy %s in memory, %s in Redis", s.Policy().Revision, m.Revision)
			}
			wholeNumber(t, s.Policy())
		}
		tell.Await(t, "the old ones to get their expiry", func() bool {
			keys := raw.Keys(t.Context(), "tapedeck:{*}:policy:*").Val()
			kept := 0
			for _, key := range keys {
				if ttl := raw.TTL(t.Context(), key).Val(); ttl == -1 {
					kept++
				}
			}
			return kept == 3
		})
	})
}

// The policy that was replaced goes away by itself, also on the embedded server.
func TestReplacedPolicyExpires(t *testing.T) {
	testkit.NoLeaks(t)
	mini := storetest.NewMini(t)
	s := open(t, mini)
	apply(t, s, storetest.Policy(t, 1, 2, 2))
	old := policyKey("org-0", s.view.Load().generation)
	apply(t, s, storetest.Policy(t, 2, 2, 2))
	now := policyKey("org-0", s.view.Load().generation)
	raw := storetest.Client(t, mini)
	for _, step := range []struct {
		passes time.Duration
		left   int64
	}{{replacedTTL / 2, 1}, {replacedTTL / 4, 1}, {replacedTTL / 4, 0}} {
		mini.FastForward(step.passes)
		if n := raw.Exists(t.Context(), old).Val(); n != step.left {
			t.Errorf("%d of the old policy's keys, want %d", n, step.left)
		}
	}
	if raw.Exists(t.Context(), now).Val() != 1 {
		t.Error("the policy that counts is gone")
	}
}
