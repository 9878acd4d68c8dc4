package policy

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// instance is the policy of one instance, with what it was told.
type instance struct {
	*Store
	tell     *storetest.Spy
	policies []*flow.Policy // see Follow
}

func open(t testing.TB, srv interface{ URL() string }) *instance {
	t.Helper()
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Redis = srv.URL()
	return openWith(t, cfg, tell)
}

func openWith(t testing.TB, cfg store.Config, tell *storetest.Spy) *instance {
	t.Helper()
	s, err := New(t.Context(), storetest.OpenWith(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{Store: s, tell: tell}
	s.Follow(func(p *flow.Policy) { tell.Note(func() { i.policies = append(i.policies, p) }) })
	return i
}

// openSlow is open for an instance that does not look by the clock.
func openSlow(t *testing.T, srv storetest.Server) *instance {
	t.Helper()
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Redis, cfg.LookEvery = srv.URL(), time.Hour
	return openWith(t, cfg, tell)
}

// told is how many policies the instance was told of.
func (i *instance) told() (n int) {
	i.tell.Note(func() { n = len(i.policies) })
	return n
}

// await waits until ok holds.
func (i *instance) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	i.tell.Await(t, what, ok)
}

func (i *instance) run(t *testing.T) *instance {
	t.Helper()
	storetest.Run(t, i.conn)
	return i
}

func apply(t *testing.T, s interface {
	Apply(context.Context, *flow.Policy) error
}, p *flow.Policy) {
	t.Helper()
	if err := s.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// mustHave checks that a Store has the whole of a policy, and each chain.
func mustHave(t *testing.T, s interface {
	Policy() *flow.Policy
	Chain(string, flow.Element) (flow.Inheritance, bool)
}, p *flow.Policy) {
	t.Helper()
	if got := s.Policy(); got.Revision != p.Revision || got.Region != p.Region || got.Precedence != p.Precedence {
		t.Fatalf("policy %s, want %s", got.Revision, p.Revision)
	}
	for id, o := range p.Organisations {
		for e, want := range o.Chains() {
			if got, ok := s.Chain(id, e); !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("chain of %s in %s: %+v, want %+v", e, id, got, want)
			}
		}
	}
}

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
		if _, ok := b.Chain("org-0", flow.Element{Kind: flow.User, ID: "nobody"}); ok {
			t.Error("an unknown element has a chain")
		}
		if _, ok := b.Chain("no-such", flow.Element{Kind: flow.User, ID: "user-0"}); ok {
			t.Error("an unknown organisation has a chain")
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

// A switch-over is heard by pub/sub: nobody looks by the clock here.
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
			b.await(t, "the other Store to follow", func() bool { return b.Policy().Revision == p.Revision })
			mustHave(t, b, p)
		}
		p := storetest.Policy(t, 9, 2, 3)
		apply(t, b, p)
		a.await(t, "the first Store to follow", func() bool { return a.Policy().Revision == p.Revision })
		// The events come after the change and in its order, the own ones not at all.
		a.await(t, "OnPolicy", func() bool { return a.told() == 1 })
		b.await(t, "OnPolicy", func() bool { return b.told() == 5 })
	})
}

// What was published while nobody listened is found when the subscription is
// there again.
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
		raw.Set(t.Context(), currentKey, text, 0) // and no PUBLISH
		srv.DropSubscribers(t)
		b.await(t, "the second policy", func() bool { return b.told() == 2 })
		mustHave(t, b, p)
	})
}

// Every organisation of a policy bears its number: a reader who sees two
// numbers has seen two halves.
func TestNoReaderSeesHalfAPolicy(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		switches := 200
		if testing.Short() {
			switches = 100
		}
		writer := open(t, srv)
		apply(t, writer, storetest.Policy(t, 0, 3, 2))
		follower := open(t, srv).run(t)
		reader := open(t, srv)

		done := make(chan struct{})
		var readers sync.WaitGroup
		seen := make([]map[string]bool, 3)
		look := func(i int, p *flow.Policy) {
			seen[i][wholeNumber(t, p)] = true
		}
		glance := time.NewTicker(100 * time.Microsecond)
		defer glance.Stop()
		for i := range seen {
			seen[i] = map[string]bool{}
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					switch i {
					case 0: // what a decision sees
						<-glance.C
						look(i, follower.Policy())
					case 1: // reading from Redis, as often as possible
						if _, err := reader.follow(context.Background()); err != nil {
							t.Error(err)
							return
						}
						look(i, reader.Policy())
					case 2: // a Store that has just started
						fresh := &Store{conn: reader.conn}
						empty, _ := newView(&flow.Policy{Version: flow.Version})
						fresh.view.Store(empty)
						if _, err := fresh.follow(context.Background()); err != nil {
							t.Error(err)
							return
						}
						look(i, fresh.Policy())
					}
				}
			})
		}
		for i := range switches {
			apply(t, writer, storetest.Policy(t, i+1, 3, 2))
		}
		close(done)
		readers.Wait()
		for i := range seen {
			if len(seen[i]) < 5 {
				t.Errorf("reader %d saw %d policies: it has proved nothing", i, len(seen[i]))
			}
		}
		t.Logf("policies seen: %d in memory, %d followed, %d read afresh", len(seen[0]), len(seen[1]), len(seen[2]))
		last := storetest.Policy(t, switches, 3, 2)
		follower.await(t, "the last policy", func() bool { return follower.Policy().Revision == last.Revision })
		mustHave(t, follower, last)
		mustExpire(t, storetest.Client(t, srv), 3)
	})
}

// wholeNumber is the number that a policy bears everywhere.
func wholeNumber(t *testing.T, p *flow.Policy) string {
	mark := p.Organisations["org-0"].Name
	for id, o := range p.Organisations {
		if _, ok := o.Applications["version-"+mark]; !ok || o.Name != mark || len(p.Organisations) != 3 {
			t.Errorf("half a policy: org-0 bears %s, %s bears %s", mark, id, o.Name)
		}
	}
	return mark
}

// mustExpire checks that of all policies' keys exactly those of one have no expiry.
func mustExpire(t *testing.T, raw redis.UniversalClient, organisations int) {
	t.Helper()
	keys, err := raw.Keys(t.Context(), "tapedeck:{*}:policy:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]int{}
	for _, key := range keys {
		ttl, err := raw.TTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ttl > replacedTTL {
			t.Errorf("%s expires in %s, want at most %s", key, ttl, replacedTTL)
		}
		if ttl < 0 && ttl != -2 {
			kept[key[strings.LastIndexByte(key, ':'):]]++
		}
	}
	if len(kept) != 1 || slices.Collect(maps.Values(kept))[0] != organisations {
		t.Errorf("keys without expiry, by generation: %v, want one generation with %d", kept, organisations)
	}
}

// interrupt is a go-redis hook that runs f before the first pipeline that reads
// a policy.
type interrupt struct {
	once sync.Once
	f    func()
}

func (*interrupt) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*interrupt) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (h *interrupt) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "hgetall" {
			h.once.Do(h.f)
		}
		return next(ctx, cmds)
	}
}

func TestPolicyExpiresUnderTheReader(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		reader := open(t, srv)
		a := open(t, srv)
		apply(t, a, storetest.Policy(t, 1, 3, 2))
		next := storetest.Policy(t, 2, 3, 2)
		reader.conn.Client().AddHook(&interrupt{f: func() {
			old := a.view.Load().generation
			apply(t, a, next)
			if raw.Del(t.Context(), policyKey("org-1", old)).Val() != 1 {
				t.Error("the old policy is not there any more")
			}
		}})
		if changed, err := reader.follow(t.Context()); err != nil || !changed {
			t.Fatalf("changed %v: %v", changed, err)
		}
		mustHave(t, reader, next)
	})
}

func TestCorruptPolicyIsNotTaken(t *testing.T) {
	key := func(m manifest) string { return policyKey("org-1", m.Generation) }
	for name, harm := range map[string]func(c redis.UniversalClient, m manifest, raw string) error{
		"a chain is another's": func(c redis.UniversalClient, m manifest, _ string) error {
			other := c.HGet(context.Background(), key(m), "user/user-1").Val()
			return c.HSet(context.Background(), key(m), "user/user-0", other).Err()
		},
		"a chain is no JSON": func(c redis.UniversalClient, m manifest, _ string) error {
			return c.HSet(context.Background(), key(m), "user/user-0", "{").Err()
		},
		"a chain is missing": func(c redis.UniversalClient, m manifest, _ string) error {
			return c.HDel(context.Background(), key(m), "user/user-0").Err()
		},
		"a chain belongs to no element": func(c redis.UniversalClient, m manifest, _ string) error {
			text := c.HGet(context.Background(), key(m), "user/user-0").Val()
			c.HDel(context.Background(), key(m), "user/user-0")
			return c.HSet(context.Background(), key(m), "user/stranger", text).Err()
		},
		"a field is no element": func(c redis.UniversalClient, m manifest, _ string) error {
			c.HDel(context.Background(), key(m), "user/user-0")
			return c.HSet(context.Background(), key(m), "nonsense", "{}").Err()
		},
		"an organisation is another one": func(c redis.UniversalClient, m manifest, _ string) error {
			text := c.HGet(context.Background(), key(m), organisationField).Val()
			return c.HSet(context.Background(), key(m), organisationField, strings.Replace(text, `"recording":true`, `"recording":false`, 1)).Err()
		},
		"an organisation is missing": func(c redis.UniversalClient, m manifest, _ string) error {
			return c.Del(context.Background(), key(m)).Err()
		},
		"an organisation is a list": func(c redis.UniversalClient, m manifest, _ string) error {
			c.Del(context.Background(), key(m))
			return c.RPush(context.Background(), key(m), "x").Err()
		},
		"current is no JSON": func(c redis.UniversalClient, _ manifest, _ string) error {
			return c.Set(context.Background(), currentKey, "nonsense", 0).Err()
		},
		"current is a list": func(c redis.UniversalClient, _ manifest, _ string) error {
			c.Del(context.Background(), currentKey)
			return c.RPush(context.Background(), currentKey, "x").Err()
		},
		"current is of a later format": func(c redis.UniversalClient, _ manifest, raw string) error {
			return c.Set(context.Background(), currentKey, strings.Replace(raw, `"format":1`, `"format":2`, 1), 0).Err()
		},
		"current says another precedence": func(c redis.UniversalClient, _ manifest, raw string) error {
			return c.Set(context.Background(), currentKey, strings.Replace(raw, `"precedence":"last"`, `"precedence":"first"`, 1), 0).Err()
		},
		"current says another region": func(c redis.UniversalClient, _ manifest, raw string) error {
			return c.Set(context.Background(), currentKey, strings.Replace(raw, `"region":"GB"`, `"region":"DE"`, 1), 0).Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
				raw := storetest.Client(t, srv)
				a := open(t, srv)
				first := storetest.Policy(t, 1, 3, 2)
				apply(t, a, first)
				b := open(t, srv)
				apply(t, a, storetest.Policy(t, 2, 3, 2))
				text := raw.Get(t.Context(), currentKey).Val()
				var m manifest
				if err := json.Unmarshal([]byte(text), &m); err != nil {
					t.Fatal(err)
				}
				if err := harm(raw, m, text); err != nil {
					t.Fatal(err)
				}

				if _, err := b.follow(t.Context()); !errors.Is(err, store.ErrCorrupt) {
					t.Fatalf("error %v, want ErrCorrupt", err)
				}
				if _, err := b.follow(t.Context()); err != nil {
					t.Errorf("reported twice: %v", err)
				}
				mustHave(t, b, first)
				if !b.conn.Up() {
					t.Error("a corrupt policy counts as Redis away")
				}

				if name == "current is a list" {
					raw.Del(t.Context(), currentKey)
				}
				good := storetest.Policy(t, 3, 3, 2)
				apply(t, a, good)
				if _, err := b.follow(t.Context()); err != nil {
					t.Fatal(err)
				}
				mustHave(t, b, good)
			})
		})
	}
}

// A running Store logs a corrupt policy once.
func TestCorruptPolicyIsLogged(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		b := open(t, srv).run(t)
		tell := b.tell
		storetest.Client(t, srv).Set(t.Context(), currentKey, "nonsense", 0)
		tell.Await(t, "the log", func() bool { return tell.Logged("policy in redis not taken") > 0 })
		looks := tell.Count("policy_current")
		tell.Await(t, "two more looks", func() bool { return tell.Count("policy_current") > looks+1 })
		if n := tell.Logged("policy in redis not taken"); n != 1 {
			t.Errorf("logged %d times: %s", n, tell.Log())
		}
		apply(t, b, storetest.Policy(t, 1, 1, 1))
		mustHave(t, open(t, srv), storetest.Policy(t, 1, 1, 1))
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

// Many Stores apply different policies at once: in the end all have the same,
// and nothing is left without an expiry.
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
