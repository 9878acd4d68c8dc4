package policy

import (
	"context"
	"reflect"
	"testing"
	"time"

	"tapedeck/flow"
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

// openUnsealed is open for an instance without a key, which believes what it reads.
func openUnsealed(t *testing.T, srv storetest.Server) *instance {
	t.Helper()
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Redis, cfg.Keys = srv.URL(), nil
	return openWith(t, cfg, tell)
}

// openSlow is open for an instance that asks Redis only when it hears something.
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

// mustHave checks that an instance has the whole of a policy, and each inheritance.
func mustHave(t *testing.T, s interface {
	Policy() *flow.Policy
	Inheritance(string, flow.Element) (flow.Inheritance, bool)
}, p *flow.Policy) {
	t.Helper()
	if got := s.Policy(); got.Revision != p.Revision || got.Region != p.Region || got.Precedence != p.Precedence {
		t.Fatalf("policy %s, want %s", got.Revision, p.Revision)
	}
	for id, o := range p.Organisations {
		for e, want := range o.Inheritances() {
			if got, ok := s.Inheritance(id, e); !ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("inheritance of %s in %s: %+v, want %+v", e, id, got, want)
			}
		}
	}
}
