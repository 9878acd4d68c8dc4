package index

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// Every query finds in the index what a plain filter finds, while recordings
// change, are deleted and are indexed again.
func TestSearchFindsWhatThereIs(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		s := open(t, srv).run(t)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		m := maker{rand.New(rand.NewPCG(seed, 0))}
		organisations := []string{"a", "b", "c-1", "d"}
		there := map[store.ID]Recording{}
		for round := range 12 {
			for range 150 {
				id := idOf(m.pick(organisations[:3]...), m.id(m.IntN(300)))
				if m.IntN(4) == 0 {
					delete(there, id)
					s.Delete(id.Organisation, id.ID)
				} else {
					there[id] = m.state(id)
					s.Save(there[id])
				}
			}
			s.written(t)
			if round%4 == 3 {
				reindex(t, s, m.some(there))
			}
			for range 150 {
				q := m.query(organisations)
				if got, want := ids(t, s, q), sieve(there, q); !slices.Equal(got, want) {
					t.Fatalf("seed %d, %+v\nfinds %q\n want %q", seed, q, got, want)
				}
			}
		}
		mustBeTidy(t, srv, there)
	})
}

// some yields most of what is there, each in another state, and some more, and
// makes there what it yields.
func (m maker) some(there map[store.ID]Recording) func(func(Recording, error) bool) {
	var files []Recording
	for id := range there {
		if m.IntN(4) == 0 {
			delete(there, id)
			continue
		}
		there[id] = m.state(id)
		files = append(files, there[id])
	}
	return each(files...)
}

// mustBeTidy looks for members of the index that are not of any recording, and
// for those that are missing.
func mustBeTidy(t *testing.T, srv storetest.Server, there map[store.ID]Recording) {
	t.Helper()
	want, got := map[string]bool{}, map[string]bool{}
	raw := storetest.Client(t, srv)
	for id, r := range there {
		for _, e := range membersOf(&r) {
			want[facetKey(id.Organisation, e.in)+" "+e.text] = true
		}
	}
	for _, key := range raw.Keys(t.Context(), "*:by-*").Val() {
		for _, text := range raw.ZRange(t.Context(), key, 0, -1).Val() {
			got[key+" "+text] = true
		}
	}
	for e := range got {
		if !want[e] {
			t.Errorf("left over: %q", e)
		}
	}
	for e := range want {
		if !got[e] {
			t.Errorf("missing: %q", e)
		}
	}
}

// A recording that does not change is found, whatever happens to the others
// meanwhile: two instances save, delete and index them again.
func TestSearchDuringChanges(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		s, other := open(t, srv).run(t), open(t, srv).run(t)
		m := maker{rand.New(rand.NewPCG(rand.Uint64(), 0))}
		still := map[store.ID]Recording{}
		var files []Recording
		for i := range 300 {
			id := idOf(m.pick("a", "b", "c-1"), m.id(i))
			if r := m.state(id); i%3 == 0 {
				still[id] = r
				files = append(files, r)
				s.Save(r)
			} else {
				files = append(files, r)
			}
		}
		s.written(t)
		var ended atomic.Bool
		var group sync.WaitGroup
		for n, by := range []*instance{s, other} {
			own := maker{rand.New(rand.NewPCG(uint64(n), 1))}
			group.Go(func() {
				for !ended.Load() {
					for range 20 {
						r := files[own.IntN(len(files))]
						id := idOf(r.Organisation, r.ID)
						if _, fixed := still[id]; fixed {
							by.Save(r)
						} else if own.IntN(4) == 0 {
							by.Delete(id.Organisation, id.ID)
						} else {
							by.Save(own.state(id))
						}
					}
					if _, _, err := by.Reindex(t.Context(), each(files...)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 200 {
			q := m.query([]string{"a", "b", "c-1"})
			var got []string
			for _, id := range ids(t, s, q) {
				o, id, _ := strings.Cut(id, "/")
				if _, fixed := still[idOf(o, id)]; fixed {
					got = append(got, o+"/"+id)
				}
			}
			if want := sieve(still, q); !slices.Equal(got, want) {
				t.Errorf("%+v\nfinds %q\n want %q", q, got, want)
				break
			}
		}
		ended.Store(true)
		group.Wait()
	})
}

// A place is read back as it was, and stands in the order of its time.
func TestPlaces(t *testing.T) {
	ids := []string{"", "x", "\x00", "\x01", "8ce8b6a4-1bf2-4e1c-9d52-0f2f3a6b7c8d", "8ce8b6a4-1bf2-4e1c-9d52-0f2f3a6b7c8d.part2",
		"8CE8b6a4-1bf2-4e1c-9d52-0f2f3a6b7c8d", "8ce8b6a4-1bf2-4e1c-9d52-0f2f3a6b7c8", "8ce8b6a4x1bf2x4e1cx9d52x0f2f3a6b7c8d", "ä"}
	times := []time.Time{{}, time.UnixMilli(-1), time.UnixMilli(0), firstStart, firstStart.Add(time.Millisecond), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}
	before := ""
	for _, at := range times {
		for _, id := range ids {
			started, got, ok := readPlace(placeOf(at, id))
			if !ok || got != id || started.UnixMilli() != at.UnixMilli() {
				t.Errorf("%s %q: %s %q, %v", at, id, started, got, ok)
			}
		}
		if key := timeKey(at); key <= before || len(key) != placeTime {
			t.Errorf("%s: %x after %x", at, key, before)
		} else {
			before = key
		}
	}
	if early, late := timeKey(time.Unix(-1<<60, 0)), timeKey(time.Unix(1<<50, 0)); early != "\x00\x00\x00\x00\x00\x00" || late != "\xff\xff\xff\xff\xff\xff" {
		t.Errorf("%x, %x", early, late)
	}
}

// A change that is based on what another instance has replaced meanwhile is
// tried again, on what is there now.
func TestChangesOfTheSameRecording(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		s := open(t, srv)
		m := maker{rand.New(rand.NewPCG(1, 1))}
		id := idOf("a", "rec-0001")
		var changes []*edit
		for range 3 {
			c, _ := newEdit(m.state(id))
			changes = append(changes, c)
			if err := s.readStamps(t.Context(), changes[len(changes)-1:]); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []int{1, -1, -1} {
			var reply *redis.Cmd
			err := s.conn.Scripts(t.Context(), func(run store.RunScript) { reply = changes[i].write(run, s.seal) })
			if n, _ := reply.Int(); n != want || err != nil {
				t.Errorf("change %d: %d, want %d: %v", i, n, want, err)
			}
		}
		if err := s.writeChanges(t.Context(), "recordings_write", testkit.Patience, changes[1:2]); err != nil || changes[1].written != 1 || changes[1].err != nil {
			t.Errorf("%+v: %v", changes[1], err)
		}
		// Twice in one pipeline: the second is tried again.
		last, _ := newEdit(m.state(id))
		if err := s.writeChanges(t.Context(), "recordings_write", testkit.Patience, []*edit{changes[2], last}); err != nil || last.err != nil || changes[2].err != nil {
			t.Errorf("%v, %v: %v", changes[2].err, last.err, err)
		}
		r, err := s.Find(t.Context(), id.ID)
		if err != nil {
			t.Fatal(err)
		}
		mustBeTidy(t, srv, map[store.ID]Recording{id: r})
	})
}

// What mayMatch rejects, matches would reject.
func TestMayMatch(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(rand.Uint64(), 0))}
	odd := []string{`a"b`, `a\b`, "a<b>", "a&b", "Å", "K", "\u2028", "a\x00b", "\xff", `,"started":"`, `,"users":["x`, "a\tb", "é"}
	rejected := 0
	for range 20_000 {
		r := m.state(idOf("a", m.pick(m.id(m.IntN(100)), m.pick(odd...))))
		if m.IntN(2) == 0 {
			r.Users, r.Groups = append(r.Users, m.pick(odd...)), append(r.Groups, m.pick(odd...))
			r.External, r.RequestedBy = m.pick(odd...), m.pick(odd...)
		}
		w := newMatcher(&Query{Text: m.pick(m.words(), m.pick(odd...), strings.ToLower(m.pick(odd...)))})
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var read Recording
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if may := w.mayMatch(r.ID, text); !may && w.matches(&read) {
			t.Fatalf("%q is in %s", w.Text, text)
		} else if !may {
			rejected++
		}
	}
	if rejected < 1000 {
		t.Errorf("only %d rejected", rejected)
	}
}

// Searches do not take all connections, and one that waits may be cancelled.
func TestSearchesAreBounded(t *testing.T) {
	s := open(t, storetest.NewRedis(t))
	for range atOnce {
		s.searches <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Search(ctx, Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	<-s.searches
	for range 2 * atOnce {
		if _, _, err := s.Search(t.Context(), Query{}); err != nil {
			t.Error(err)
		}
	}
}
