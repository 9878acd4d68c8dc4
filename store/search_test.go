package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// sieve is the plain filter: what a Query says, without an index. Its words are read
// another way than matches does it.
func sieve(all map[callID]Recording, q Query) (found []string) {
	var list []Recording
	for _, r := range all {
		if plainly(r, q) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b Recording) int {
		if a.Cursor().before(b.Cursor()) {
			return -1
		}
		return 1
	})
	for _, r := range list {
		found = append(found, r.Organisation+"/"+r.ID)
	}
	return found
}

func plainly(r Recording, q Query) bool {
	at := r.Started.UnixMilli()
	if len(q.Organisations) > 0 && !slices.Contains(q.Organisations, r.Organisation) ||
		!q.From.IsZero() && at < q.From.UnixMilli() || !q.To.IsZero() && at >= q.To.UnixMilli() ||
		q.Before != (Cursor{}) && !q.Before.before(r.Cursor()) ||
		q.User != "" && !slices.Contains(r.Users, q.User) ||
		q.Only.User != "" && !slices.Contains(r.Users, q.Only.User) ||
		q.Group != "" && !slices.Contains(r.Groups, q.Group) ||
		q.Trigger != "" && r.Trigger != q.Trigger || q.OnlyProblems && len(r.Problems) == 0 {
		return false
	}
	if len(q.Only.Groups) > 0 && !slices.ContainsFunc(q.Only.Groups, func(g string) bool { return slices.Contains(r.Groups, g) }) {
		return false
	}
	if q.Number != "" && plainNumber(q.Number) != plainNumber(r.Number) && plainNumber(q.Number) != plainNumber(r.External) {
		return false
	}
	words := strings.Fields(q.Text)
	if strings.Trim(q.Text, "0123456789 +-") == "" && q.Text != "" {
		words = []string{strings.TrimSpace(q.Text)} // a number with spaces
	}
	for _, w := range words {
		if !plainWord(r, strings.ToLower(w)) {
			return false
		}
	}
	return true
}

func plainNumber(n string) string {
	n = strings.NewReplacer("+", "", " ", "", "-", "").Replace(n)
	if n != "00" {
		n = strings.TrimPrefix(n, "00")
	}
	return strings.ToLower(n)
}

func plainWord(r Recording, w string) bool {
	for _, name := range append(append([]string{r.RequestedBy, r.ID}, r.Users...), r.Groups...) {
		if strings.HasPrefix(strings.ToLower(name), w) {
			return true
		}
	}
	typed := strings.NewReplacer("+", "", " ", "", "-", "").Replace(w)
	number := typed != "" && strings.Trim(typed, "0123456789") == ""
	for _, n := range []string{r.External, r.Number} {
		if n == "" {
			continue
		}
		n = plainNumber(n)
		switch {
		case !number:
			if strings.HasPrefix(n, w) {
				return true
			}
		case strings.HasPrefix(n, plainNumber(typed)), !strings.HasPrefix(w, "+") && strings.HasPrefix(n, typed):
			return true
		case strings.HasPrefix(w, "+") || strings.Trim(n, "0123456789") != "":
		case strings.HasSuffix(n, typed):
			return true
		case len(typed) > 6 && typed[0] == '0' && typed[1] != '0' && strings.HasSuffix(n, typed[1:]):
			return true
		}
	}
	return false
}

// maker makes recordings and queries of a world so small that they meet.
type maker struct{ *rand.Rand }

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m maker) user() string {
	return m.pick("alice", "Alice", "alan", "bob", "bob.smith", "carol", "1001", "10", "zoë", strings.Repeat("long", 20)+m.pick("1", "2"))
}
func (m maker) group() string { return m.pick("sales", "Sales", "support", "all", "1002", "b") }

func (m maker) number() string {
	return m.pick("+442079460001", "+442079460002", "+4420", "442079460001", "+4479", "00493012345678", "1001", "anonymous", "+491", "02079460003", "*98", "")
}

func (m maker) id(n int) string {
	if n%2 == 0 {
		return fmt.Sprintf("rec-%04d", n)
	}
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761%(1<<32), n)
	return id + m.pick("", "", "", ".part2")
}

// state is some state of a recording; two that differ, differ in any of it.
func (m maker) state(id callID) Recording {
	r := Recording{
		ID: id.id, Organisation: id.organisation, External: m.number(), Number: m.number(), Trigger: m.pick("automatic", "on-demand", ""),
		Started: firstStart.Add(time.Duration(m.IntN(200)) * 100 * time.Millisecond), Held: m.IntN(2) == 0,
	}
	for range m.IntN(3) {
		r.Users = append(r.Users, m.user())
	}
	for range m.IntN(3) {
		r.Groups = append(r.Groups, m.group())
	}
	if m.IntN(4) == 0 {
		r.RequestedBy = m.user()
	}
	if m.IntN(5) == 0 {
		r.Problems = []string{"lost"}
	}
	return r
}

func (m maker) words() string {
	words := []string{
		"a", "AL", "alice", "bob", "s", "sale", "1", "10", "100", "0001", "01", "+44", "44", "0044", "004", "0", "00", "+", "02079460001",
		"020 7946 0001", "+44 20 79", "79460003", "anon", "x", "rec", "rec-0", "REC-0002", "zo", "zoë", strings.Repeat("long", 20), strings.Repeat("long", 20) + "1", "*9",
		"1234", "9e3779b1", "00000000", "9e3779b1-0000-4000-8000-0000000000", m.id(m.IntN(300)),
	}
	if m.IntN(3) == 0 {
		return m.pick(words...) + " " + m.pick(words...)
	}
	return m.pick(words...)
}

func (m maker) query(organisations []string) Query {
	q := Query{Limit: []int{3, 25, 100, 1000, 0}[m.IntN(5)]}
	maybe := func(f func()) {
		if m.IntN(5) == 0 {
			f()
		}
	}
	for m.IntN(3) == 0 {
		q.Organisations = append(q.Organisations, m.pick(organisations...))
	}
	moment := func() time.Time { return firstStart.Add(time.Duration(m.IntN(20_000)) * time.Millisecond) }
	maybe(func() { q.From = moment() })
	maybe(func() { q.To = moment() })
	maybe(func() {
		q.Before = Cursor{firstStart.Add(time.Duration(m.IntN(200)) * 100 * time.Millisecond), m.id(m.IntN(300)), m.pick(organisations...)}
	})
	maybe(func() { q.User = m.user() })
	maybe(func() { q.Group = m.group() })
	maybe(func() { q.Number = m.pick(m.number(), "+44 20 7946 0001", "0044-2079460002", "nobody") })
	maybe(func() { q.Trigger = m.pick("automatic", "on-demand", "On-Demand") })
	maybe(func() { q.OnlyProblems = true })
	maybe(func() { q.Only.User = m.user() })
	maybe(func() { q.Only.Groups = []string{m.group(), m.group()} })
	maybe(func() { q.Only.Groups = append(q.Only.Groups, "c", "d", "e", "f", "g", "h", "i", "all") })
	if m.IntN(3) == 0 {
		q.Text = m.words()
	}
	return q
}

// Whatever is asked, the index finds what a plain filter finds, while recordings
// get other states, are deleted and are indexed again.
func TestSearchFindsWhatThereIs(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tell := newSpy()
		s := runOn(t, srv, tell)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		m := maker{rand.New(rand.NewPCG(seed, 0))}
		organisations := []string{"a", "b", "c-1", "d"}
		there := map[callID]Recording{}
		for round := range 12 {
			for range 150 {
				id := callID{m.pick(organisations[:3]...), m.id(m.IntN(300))}
				if m.IntN(4) == 0 {
					delete(there, id)
					s.DeleteRecording(id.organisation, id.id)
				} else {
					there[id] = m.state(id)
					s.SaveRecording(there[id])
				}
			}
			indexedAll(t, s, tell)
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
func (m maker) some(there map[callID]Recording) func(func(Recording, error) bool) {
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
func mustBeTidy(t *testing.T, srv server, there map[callID]Recording) {
	t.Helper()
	want, got := map[string]bool{}, map[string]bool{}
	raw := rawClient(t, srv)
	for id, r := range there {
		for _, e := range membersOf(&r) {
			want[facetKey(id.organisation, e.in)+" "+e.text] = true
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

// What stays as it is, is found whatever happens to others meanwhile: they are
// saved, deleted and indexed again by two instances at once.
func TestSearchDuringChanges(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		tell := newSpy()
		s, other := runOn(t, srv, tell), runOn(t, srv, newSpy())
		m := maker{rand.New(rand.NewPCG(rand.Uint64(), 0))}
		still := map[callID]Recording{}
		var files []Recording
		for i := range 300 {
			id := callID{m.pick("a", "b", "c-1"), m.id(i)}
			if r := m.state(id); i%3 == 0 {
				still[id] = r
				files = append(files, r)
				s.SaveRecording(r)
			} else {
				files = append(files, r)
			}
		}
		indexedAll(t, s, tell)
		var ended atomic.Bool
		var group sync.WaitGroup
		for n, by := range []*Store{s, other} {
			own := maker{rand.New(rand.NewPCG(uint64(n), 1))}
			group.Go(func() {
				for !ended.Load() {
					for range 20 {
						r := files[own.IntN(len(files))]
						id := callID{r.Organisation, r.ID}
						if _, fixed := still[id]; fixed {
							by.SaveRecording(r)
						} else if own.IntN(4) == 0 {
							by.DeleteRecording(id.organisation, id.id)
						} else {
							by.SaveRecording(own.state(id))
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
				if _, fixed := still[callID{o, id}]; fixed {
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
	onServers(t, func(t *testing.T, srv server) {
		s := openOn(t, srv, newSpy())
		m := maker{rand.New(rand.NewPCG(1, 1))}
		id := callID{"a", "rec-0001"}
		var changes []*indexed
		for range 3 {
			c, _ := newIndexed(m.state(id))
			changes = append(changes, c)
			if err := s.readIndexed(t.Context(), changes[len(changes)-1:]); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []int{1, -1, -1} {
			var reply *redis.Cmd
			err := s.scripts(t.Context(), func(run runScript) { reply = changes[i].write(run) })
			if n, _ := reply.Int(); n != want || err != nil {
				t.Errorf("change %d: %d, want %d: %v", i, n, want, err)
			}
		}
		if err := s.writeIndexed(t.Context(), "recordings_write", patience, changes[1:2]); err != nil || changes[1].written != 1 || changes[1].err != nil {
			t.Errorf("%+v: %v", changes[1], err)
		}
		// Twice in one pipeline: the second is tried again.
		last, _ := newIndexed(m.state(id))
		if err := s.writeIndexed(t.Context(), "recordings_write", patience, []*indexed{changes[2], last}); err != nil || last.err != nil || changes[2].err != nil {
			t.Errorf("%v, %v: %v", changes[2].err, last.err, err)
		}
		r, err := s.Recording(t.Context(), id.id)
		if err != nil {
			t.Fatal(err)
		}
		mustBeTidy(t, srv, map[callID]Recording{id: r})
	})
}
