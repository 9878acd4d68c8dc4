package policy

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// Every organisation of a policy has its number in its name. So a reader who sees
// two numbers has seen two halves.
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
					case 2: // an instance that has just started
						fresh := &Store{conn: reader.conn, seal: reader.seal}
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

// mustExpire checks that the keys of exactly one policy have no expiry.
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

func (*interrupt) DialHook(next redis.DialHook) redis.DialHook { return next }

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
		"an inheritance is another's": func(c redis.UniversalClient, m manifest, _ string) error {
			other := c.HGet(context.Background(), key(m), "user/user-1").Val()
			return c.HSet(context.Background(), key(m), "user/user-0", other).Err()
		},
		"an inheritance is no JSON": func(c redis.UniversalClient, m manifest, _ string) error {
			return c.HSet(context.Background(), key(m), "user/user-0", "{").Err()
		},
		"an inheritance is missing": func(c redis.UniversalClient, m manifest, _ string) error {
			return c.HDel(context.Background(), key(m), "user/user-0").Err()
		},
		"an inheritance belongs to no element": func(c redis.UniversalClient, m manifest, _ string) error {
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
				a := openUnsealed(t, srv)
				first := storetest.Policy(t, 1, 3, 2)
				apply(t, a, first)
				b := openUnsealed(t, srv)
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

// A running instance logs a corrupt policy once.
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
