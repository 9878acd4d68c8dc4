package store_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/store"
	"tapedeck/store/ask"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/store/policy"
	"tapedeck/store/session"
	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// party is one instance with all that a Tapedeck keeps in Redis, and with what it
// was told.
type party struct {
	*store.Conn
	policy   *policy.Store
	calls    *calls.Store
	index    *index.Index
	sessions *session.Store
	peers    *ask.Peers

	tell    *storetest.Spy
	lost    []string
	orphans [][]calls.Call
}

// Lost is calls.Follower's.
func (p *party) Lost(o, id string) { p.tell.Note(func() { p.lost = append(p.lost, o+"/"+id) }) }

// Orphans is calls.Follower's.
func (p *party) Orphans(list []calls.Call, _ []store.ID) {
	p.tell.Note(func() { p.orphans = append(p.orphans, list) })
}

// open opens an instance.
func open(t *testing.T, srv interface{ URL() string }) *party {
	t.Helper()
	return openAt(t, srv.URL(), "")
}

// openAt opens an instance by an address, as a user would write it.
func openAt(t *testing.T, address, name string) *party {
	t.Helper()
	tell := storetest.NewSpy()
	cfg := tell.Config()
	cfg.Redis, cfg.Instance = address, name
	return openWith(t, cfg, tell)
}

func openWith(t *testing.T, cfg store.Config, tell *storetest.Spy) *party {
	t.Helper()
	conn := storetest.OpenWith(t, cfg)
	s, err := policy.New(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	p := &party{
		Conn: conn, policy: s, calls: calls.New(conn), index: index.New(conn), sessions: session.New(conn), peers: ask.New(conn), tell: tell,
	}
	p.calls.Follow(p)
	p.peers.Handle(func(_ context.Context, request []byte) []byte { return bytes.ToUpper(request) })
	return p
}

func (p *party) run(t *testing.T) *party {
	t.Helper()
	storetest.Run(t, p.Conn)
	return p
}

// written waits until all is in Redis.
func (p *party) written(t *testing.T) {
	t.Helper()
	p.tell.Await(t, "everything to be written", func() bool { return p.Up() && p.calls.Queued() == 0 && p.index.Queued() == 0 })
}

// inRedis waits until Redis has a policy.
func (p *party) inRedis(t *testing.T, want *flow.Policy) {
	t.Helper()
	p.tell.Await(t, "the policy to be in Redis", func() bool {
		text := p.Client().Get(t.Context(), "tapedeck:{policy}:current").Val()
		return strings.Contains(text, `"revision":"`+want.Revision+`"`)
	})
}

func (p *party) tellings() (n int) {
	p.tell.Note(func() { n = len(p.orphans) })
	return n
}

func (p *party) awaitOrphans(t *testing.T) (last []calls.Call) {
	t.Helper()
	before := p.tellings()
	p.tell.Await(t, "orphans to be told", func() bool { return p.tellings() > before })
	p.tell.Note(func() { last = p.orphans[len(p.orphans)-1] })
	return last
}

func (p *party) awaitLost(t *testing.T, want ...string) {
	t.Helper()
	p.tell.Await(t, fmt.Sprintf("%q to be lost", want), func() (all bool) {
		p.tell.Note(func() { all = slices.Equal(p.lost, want) })
		return all
	})
}

func apply(t *testing.T, p *party, want *flow.Policy) {
	t.Helper()
	if err := p.policy.Apply(t.Context(), want); err != nil {
		t.Fatal(err)
	}
}

// mustHave checks that an instance has the whole of a policy, and each inheritance.
func mustHave(t *testing.T, p *party, want *flow.Policy) {
	t.Helper()
	if got := p.policy.Policy(); got.Revision != want.Revision {
		t.Fatalf("policy %s, want %s", got.Revision, want.Revision)
	}
	for id, o := range want.Organisations {
		for e, in := range o.Inheritances() {
			if got, ok := p.policy.Inheritance(id, e); !ok || !reflect.DeepEqual(got, in) {
				t.Fatalf("inheritance of %s in %s: %+v, want %+v", e, id, got, in)
			}
		}
	}
}

func call(organisation string, n int, state calls.State) calls.Call {
	return calls.Call{
		ID: fmt.Sprintf("call-%d", n), Organisation: organisation, Direction: flow.Inbound, Switch: "fs1", State: state,
		Started: time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC),
	}
}

// mustList checks that Redis has these live calls, by id and state.
func mustList(t *testing.T, p *party, want ...calls.Call) {
	t.Helper()
	got, err := p.calls.List(t.Context())
	equal := slices.EqualFunc(got, want, func(a, b calls.Call) bool {
		return a.Organisation == b.Organisation && a.ID == b.ID && a.State == b.State
	})
	if err != nil || !equal {
		t.Fatalf("live calls\n%v\nwant\n%v: %v", got, want, err)
	}
}

func claim(t *testing.T, p *party, c calls.Call) calls.Call {
	t.Helper()
	mine, err := p.calls.Claim(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return mine
}

func recorded(organisation string, n int) index.Recording {
	return index.Recording{
		ID: fmt.Sprintf("rec-%04d", n), Organisation: organisation, Call: fmt.Sprintf("rec-%04d", n), Path: organisation + "/x.wav",
		Started: time.Date(2026, 1, 2, 3, 4, 5+n, 0, time.UTC), Complete: true,
	}
}

// ids reads all pages of the index and says which recordings are there.
func ids(t *testing.T, p *party, q index.Query) (list []string) {
	t.Helper()
	for {
		page, next, err := p.index.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			list = append(list, r.Organisation+"/"+r.ID)
		}
		if next == (index.Cursor{}) {
			return list
		}
		q.Before = next
	}
}

func reindex(t *testing.T, p *party, all ...index.Recording) (kept, removed int) {
	t.Helper()
	kept, removed, err := p.index.Reindex(t.Context(), func(yield func(index.Recording, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept, removed
}

func signIn(t *testing.T, p *party, account string, n int) session.Session {
	t.Helper()
	s := session.Session{ID: fmt.Sprintf("%s-%04d", account, n), Account: account, Began: time.Now(), Seen: time.Now()}
	if err := p.sessions.Save(t.Context(), s, time.Hour); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustAsk(t *testing.T, p *party, instance, request, want string) {
	t.Helper()
	p.tell.Await(t, fmt.Sprintf("%s to answer", instance), func() bool {
		got, err := p.peers.Ask(t.Context(), instance, []byte(request))
		return err == nil && string(got) == want
	})
}

// called is a live call as Redis has it.
func called(t *testing.T, p *party, id string) calls.Call {
	t.Helper()
	list, err := p.calls.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("call %s is not in Redis", id)
	return calls.Call{}
}

// within fails the test if f takes longer.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	took := time.Since(begin)
	t.Logf("%s took %s", what, took)
	if took > limit {
		t.Errorf("%s took %s, want at most %s", what, took, limit)
	}
}
