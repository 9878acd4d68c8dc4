package calls

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// party is one instance with what it was told.
type party struct {
	*Store
	tell    *storetest.Spy
	lost    []string
	orphans [][]Call    // each telling
	at      []time.Time // of the tellings

	unproved []store.ID
}

// Lost is Follower's.
func (p *party) Lost(o, id string) { p.tell.Note(func() { p.lost = append(p.lost, o+"/"+id) }) }

// Orphans is Follower's.
func (p *party) Orphans(calls []Call, unproved []store.ID) {
	p.tell.Note(func() {
		p.unproved = append(p.unproved, unproved...)
		if len(calls) > 0 {
			p.orphans, p.at = append(p.orphans, calls), append(p.at, time.Now())
		}
	})
}

// quick is a lease for tests that do not measure it.
func quick() leaseTimes {
	return leaseTimes{
		beatEvery: 50 * time.Millisecond, ttl: 500 * time.Millisecond, grace: 400 * time.Millisecond,
		tellEvery: 200 * time.Millisecond, strangersEvery: 300 * time.Millisecond,
	}
}

// join opens an instance; run starts it.
func join(t *testing.T, srv interface{ URL() string }, name string, times leaseTimes) *party {
	t.Helper()
	return joinWith(t, srv, name, times, storetest.Key)
}

// joinWith is join for an instance with other keys, or none.
func joinWith(t *testing.T, srv interface{ URL() string }, name string, times leaseTimes, keys ...string) *party {
	t.Helper()
	p := &party{tell: storetest.NewSpy()}
	cfg := p.tell.Config()
	cfg.Redis, cfg.Instance, cfg.Keys = srv.URL(), name, keys
	p.Store = New(storetest.OpenWith(t, cfg))
	p.lease.times = times
	p.Follow(p)
	return p
}

// open is join for an instance that has no name.
func open(t *testing.T, srv interface{ URL() string }) *party {
	t.Helper()
	return join(t, srv, "", defaultTimes())
}

func (p *party) run(t *testing.T) *party {
	t.Helper()
	storetest.Run(t, p.conn)
	return p
}

func (p *party) written(t *testing.T) {
	t.Helper()
	p.tell.Await(t, "the calls to be written", func() bool { return p.Queued() == 0 })
}

// tellings is how often it was told of orphans.
func (p *party) tellings() (n int) {
	p.tell.Note(func() { n = len(p.orphans) })
	return n
}

func (p *party) awaitOrphans(t *testing.T) (last []Call) {
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

func (s *Store) dropped() uint64 {
	n, _ := s.queue.droppedSoFar()
	return n
}

func call(organisation string, n int, state State) Call {
	return Call{
		ID: fmt.Sprintf("call-%d", n), Organisation: organisation, Direction: flow.Inbound, Switch: "fs1",
		Leg: "leg", Anchor: "anchor", File: "/var/spool/tapedeck/x.wav", State: state,
		Chain:   flow.Chain{{Element: flow.Element{Kind: flow.User, ID: "alice"}, Setting: flow.Yes}},
		Users:   []string{"alice"},
		Started: time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC),
	}
}

func mustCalls(t *testing.T, s *Store, want ...Call) {
	t.Helper()
	got, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal := slices.EqualFunc(got, want, func(a, b Call) bool {
		b.Version = Version
		if b.Owner == "" { // whoever it is
			b.Owner, b.Token = a.Owner, a.Token
		}
		return fmt.Sprint(a) == fmt.Sprint(b)
	})
	if !equal {
		t.Fatalf("live calls\n%v\nwant\n%v", got, want)
	}
}
