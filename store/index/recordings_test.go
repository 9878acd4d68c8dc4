package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// instance is the index of one instance, with what it was told.
type instance struct {
	*Index
	tell *storetest.Spy
}

func open(t *testing.T, srv interface{ URL() string }) *instance {
	t.Helper()
	tell := storetest.NewSpy()
	return &instance{New(storetest.Open(t, srv, tell)), tell}
}

func (i *instance) run(t *testing.T) *instance {
	t.Helper()
	storetest.Run(t, i.conn)
	return i
}

// written waits until everything is in Redis.
func (i *instance) written(t *testing.T) {
	t.Helper()
	i.tell.Await(t, "the recordings to be written", func() bool { return i.Queued() == 0 })
}

var firstStart = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)

func recorded(organisation string, n int) Recording {
	return Recording{
		ID: fmt.Sprintf("rec-%04d", n), Organisation: organisation, Call: fmt.Sprintf("rec-%04d", n), Path: organisation + "/x.wav",
		External: "+44100", Number: "+44200", Users: []string{"alice"}, Trigger: "automatic",
		Started: firstStart.Add(time.Duration(n) * time.Second), Complete: true,
	}
}

// ids reads all pages and says which recordings are there.
func ids(t *testing.T, s *instance, q Query) (list []string) {
	t.Helper()
	for {
		page, next, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > q.Limit && q.Limit > 0 {
			t.Fatalf("%d on a page of %d", len(page), q.Limit)
		}
		for _, r := range page {
			list = append(list, r.Organisation+"/"+r.ID)
		}
		if next == (Cursor{}) {
			return list
		}
		q.Before = next
	}
}

func TestRecordings(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		full := Recording{
			ID: "c1.part2", Organisation: "acme", Call: "c1", Part: 2, Path: "acme/2026/01/02/c1.part2.wav", Direction: "inbound",
			External: "+441", Number: "+442", Users: []string{"alice", "bob"}, Groups: []string{"sales"}, Trigger: "on-demand",
			RequestedBy: "bob", Started: firstStart, Ended: firstStart.Add(time.Minute), DurationMS: 60000, PausedMS: 5, Bytes: 1 << 40,
			SHA256: "ab", Problems: []string{"short"}, Held: true,
		}
		a.Save(full)
		a.Save(recorded("acme", 2))
		a.Save(recorded("other", 1))
		a.written(t)
		b := open(t, srv)
		for _, in := range [][]string{nil, {"acme"}, {"other", "acme"}} {
			if got, err := b.Find(t.Context(), "c1.part2", in...); err != nil || !reflect.DeepEqual(got, full) {
				t.Errorf("in %v: %+v, want %+v: %v", in, got, full, err)
			}
		}
		for _, in := range [][]string{{"other"}, {"nobody"}} {
			if _, err := b.Find(t.Context(), "c1.part2", in...); !errors.Is(err, ErrUnknown) {
				t.Errorf("in %v: %v", in, err)
			}
		}
		// A new state, also at another time, is the same recording.
		full.Started, full.Held = full.Started.Add(time.Hour), false
		a.Save(full)
		a.Delete("other", "rec-0001")
		a.Delete("other", "never was")
		a.written(t)
		if got := ids(t, b, Query{}); !slices.Equal(got, []string{"acme/c1.part2", "acme/rec-0002"}) {
			t.Errorf("all: %v", got)
		}
		if _, err := b.Find(t.Context(), "rec-0001"); !errors.Is(err, ErrUnknown) {
			t.Errorf("deleted: %v", err)
		}
	})
}

// Pages of any size hold what a sorted list of all would.
func TestRecordingsPages(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		random := rand.New(rand.NewPCG(1, 2))
		var all []Recording
		for i := range 250 {
			r := recorded([]string{"a", "b", "c"}[random.IntN(3)], i)
			r.Started = firstStart.Add(time.Duration(random.IntN(50)) * time.Second) // many at once
			if i%3 == 0 {
				r.Started = firstStart.Add(7 * time.Second)
			}
			all = append(all, r)
			a.Save(r)
			if i%20 == 0 { // the same id elsewhere
				r.Organisation = "d"
				all = append(all, r)
				a.Save(r)
			}
		}
		a.written(t)
		slices.SortFunc(all, func(x, y Recording) int {
			if cursorBefore(x.Cursor(), y.Cursor()) {
				return -1
			}
			return 1
		})
		want := func(q Query, ok func(Recording) bool) {
			t.Helper()
			var list []string
			for _, r := range all {
				if ok(r) {
					list = append(list, r.Organisation+"/"+r.ID)
				}
			}
			if got := ids(t, a, q); !slices.Equal(got, list) {
				t.Errorf("%+v: %d recordings, want %d", q, len(got), len(list))
			}
		}
		everything := func(Recording) bool { return true }
		for _, limit := range []int{0, 1, 7, 100, 1000} {
			want(Query{Limit: limit}, everything)
		}
		want(Query{Limit: 13, Organisations: []string{"b", "b", "d", "x"}}, func(r Recording) bool { return r.Organisation == "b" || r.Organisation == "d" })
		from, to := firstStart.Add(5*time.Second), firstStart.Add(9*time.Second)
		want(Query{Limit: 13, From: from, To: to}, func(r Recording) bool { return !r.Started.Before(from) && r.Started.Before(to) })
		want(Query{Limit: 13, From: to}, func(r Recording) bool { return !r.Started.Before(to) })
		middle := all[100].Cursor()
		want(Query{Limit: 13, Before: middle}, func(r Recording) bool { return cursorBefore(middle, r.Cursor()) })
		want(Query{Limit: 13, Before: middle, To: to}, func(r Recording) bool { return cursorBefore(middle, r.Cursor()) && r.Started.Before(to) })
	})
}

func TestRecordingsFilters(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		change := []func(*Recording){
			func(r *Recording) { r.Users = []string{"bob", "carol"} },
			func(r *Recording) { r.Number = "+44999" },
			func(r *Recording) { r.External = "+44999" },
			func(r *Recording) { r.Trigger = "on-demand"; r.RequestedBy = "Dave" },
			func(r *Recording) { r.Problems = []string{"lost"} },
			func(r *Recording) { r.Groups = []string{"Sales"} },
		}
		for i, f := range change {
			r := recorded("acme", i)
			f(&r)
			a.Save(r)
		}
		a.written(t)
		for want, q := range map[string]Query{
			"0": {User: "carol"}, "21": {Number: "+44999"}, "3": {Trigger: "on-demand"}, "4": {OnlyProblems: true},
			"5": {Text: "sALES"}, "3 ": {Text: "dave"}, "0 ": {Text: "caro"}, "1": {Number: "+44999", From: firstStart, To: firstStart.Add(1500 * time.Millisecond)},
			"": {User: "carol", OnlyProblems: true}, "5 ": {Text: "REC-0005"}, "5432": {User: "alice", Text: "+4420", Number: ""},
		} {
			var got string
			for _, id := range ids(t, a, q) {
				got += strings.TrimPrefix(id, "acme/rec-000")
			}
			if want := strings.TrimSpace(want); got != want {
				t.Errorf("%+v finds %q, want %q", q, got, want)
			}
		}
	})
}

// One call reads a bounded number; the rest is on the next page.
func TestRecordingsScanIsBounded(t *testing.T) {
	t.Parallel()
	r := storetest.NewRedis(t)
	a := open(t, r).run(t)
	for i := range readMax + 2*pageSize {
		rec := recorded("acme", i)
		rec.Users = []string{"ZOE"} // the index knows no case
		if i == 100 {
			rec.Users = []string{"zoe"}
		}
		a.Save(rec)
	}
	a.written(t)
	q := Query{User: "zoe"}
	list, next, err := a.Search(t.Context(), q)
	if err != nil || len(list) != 0 || next == (Cursor{}) {
		t.Fatalf("first page %v, next %v: %v", list, next, err)
	}
	if got := ids(t, a, q); !slices.Equal(got, []string{"acme/rec-0100"}) {
		t.Errorf("found %v", got)
	}
}

func TestRecordingsWhileRedisIsAway(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		a.Save(recorded("acme", 1))
		a.written(t)
		srv.Stop()
		tell.Await(t, "Redis to be missed", func() bool { return !a.conn.Up() })
		a.queue.mu.Lock()
		a.queue.limit = 300
		a.queue.mu.Unlock()
		for i := range 305 {
			a.Save(recorded("acme", i))
			a.Save(recorded("acme", i))
		}
		a.Save(recorded("acme", 1000))
		a.Delete("acme", "rec-0304")
		a.Delete("acme", "rec-0303")
		a.Save(recorded("acme", 303))
		if a.Queued() != 300 || a.Dropped() != 6 {
			t.Errorf("%d queued, %d dropped", a.Queued(), a.Dropped())
		}
		tell.Await(t, "the log", func() bool { return tell.Logged("run `tapedeck recordings reindex`") > 0 })
		if _, _, err := a.Search(t.Context(), Query{}); !errors.Is(err, store.ErrAway) {
			t.Errorf("read while Redis is away: %v", err)
		}
		if err := srv.Start(); err != nil {
			t.Fatal(err)
		}
		a.written(t)
		// 0 to 5 were dropped, 1 was there before, 304 is deleted.
		if got := ids(t, a, Query{}); len(got) != 300 || got[0] != "acme/rec-1000" || got[1] != "acme/rec-0303" || got[299] != "acme/rec-0001" {
			t.Errorf("%d there: %v", len(got), got)
		}
	})
}

func TestRecordingQueueKeepsTheLatestInOrder(t *testing.T) {
	q := queue{limit: 10}
	take := func(n int, want string) []*edit {
		t.Helper()
		batch := q.take(n)
		var got string
		for _, c := range batch {
			got += fmt.Sprintf("%s:%v ", c.id.ID, c.body != nil)
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("took %q, want %q", got, want)
		}
		return batch
	}
	q.save(recorded("o", 1))
	q.save(recorded("o", 2))
	q.save(recorded("o", 1))
	q.delete(idOf("o", "rec-0003"))
	batch := take(2, "rec-0002:true rec-0001:true")
	q.delete(idOf("o", "rec-0001")) // while it is being written
	for _, c := range batch {
		c.err = store.ErrAway
	}
	if q.length() != 4 {
		t.Errorf("%d queued", q.length())
	}
	q.settle(batch)
	batch = take(10, "rec-0002:true rec-0003:false rec-0001:false")
	batch[1].err = errors.New("WRONGTYPE")
	q.settle(batch)
	if q.length() != 0 || len(q.latest) != 0 || q.dropped != 1 {
		t.Errorf("%d queued, %d kept, %d dropped", q.length(), len(q.latest), q.dropped)
	}
	q.save(Recording{ID: "x"})
	q.save(Recording{ID: "x", Organisation: "o", Problems: []string{strings.Repeat("x", maxSize)}})
	q.delete(idOf("o", "\xff"))
	if q.length() != 0 || q.dropped != 4 {
		t.Errorf("%d queued, %d dropped", q.length(), q.dropped)
	}
}

// A key of ours that is something else costs its organisation's recordings only.
func TestPoisonedRecordings(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		raw := storetest.Client(t, srv)
		raw.Set(t.Context(), writtenKey("bad"), "a string", 0)
		a.Save(recorded("bad", 1))
		a.Save(recorded("good", 2))
		a.Save(recorded("good", 3))
		a.Save(recorded("good", 4))
		a.written(t)
		if a.Dropped() != 1 || !a.conn.Up() {
			t.Errorf("up %v, %d dropped", a.conn.Up(), a.Dropped())
		}
		raw.Set(t.Context(), recordingKey("good", "rec-0003"), "{", 0)
		raw.Del(t.Context(), recordingKey("good", "rec-0004"))
		raw.HSet(t.Context(), recordingKey("good", "rec-0004"), "a", "hash")
		if got := ids(t, a, Query{Organisations: []string{"good"}}); !slices.Equal(got, []string{"good/rec-0002"}) {
			t.Errorf("there: %v", got)
		}
		if n := tell.Logged("recording in redis not read"); n != 2 {
			t.Errorf("logged %d times", n)
		}
	})
}

func each(list ...Recording) iter.Seq2[Recording, error] {
	return func(yield func(Recording, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func reindex(t *testing.T, s *instance, all iter.Seq2[Recording, error]) (kept, removed int) {
	t.Helper()
	kept, removed, err := s.Reindex(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return kept, removed
}

func TestReindex(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		if at, err := a.WholeSince(t.Context()); err != nil || !at.IsZero() {
			t.Errorf("indexed at %s: %v", at, err)
		}
		var files []Recording
		for i := range 1000 {
			files = append(files, recorded(fmt.Sprint("org-", i%3), i))
		}
		if kept, removed := reindex(t, a, each(files...)); kept != 1000 || removed != 0 {
			t.Errorf("%d kept, %d removed", kept, removed)
		}
		if at, err := a.WholeSince(t.Context()); err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("indexed at %s: %v", at, err)
		}
		// Deleted since, not deleted but in the index, another state, a new organisation.
		a.Delete("org-0", "rec-0003")
		a.Save(recorded("org-9", 5000))
		a.written(t)
		files = slices.Delete(files, 10, 400)
		files[0].Held = true
		files = append(files, recorded("new", 1), Recording{ID: "nobody's"})
		if kept, removed := reindex(t, a, each(files...)); kept != 611 || removed != 391 {
			t.Errorf("%d kept, %d removed", kept, removed)
		}
		got := ids(t, a, Query{})
		if len(got) != 611 || !slices.Contains(got, "org-0/rec-0003") || slices.Contains(got, "org-1/rec-0100") || slices.Contains(got, "org-9/rec-5000") {
			t.Errorf("%d there", len(got))
		}
		if r, err := a.Find(t.Context(), files[0].ID); err != nil || !r.Held {
			t.Errorf("%+v, %v", r, err)
		}
		if tell.Logged("recording not indexed") != 1 {
			t.Errorf("log:\n%s", tell.Log())
		}
		// An error of the files changes nothing that was there.
		broken := errors.New("disk")
		_, _, err := a.Reindex(t.Context(), func(yield func(Recording, error) bool) {
			_ = yield(files[0], nil) && yield(Recording{}, broken)
		})
		if busy, err := a.BeingMade(t.Context()); busy || err != nil {
			t.Errorf("a Reindex that has failed goes on: %v, %v", busy, err)
		}
		if !errors.Is(err, broken) || len(ids(t, a, Query{})) != 611 {
			t.Errorf("error %v, %d there", err, len(ids(t, a, Query{})))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := a.Reindex(ctx, each()); err == nil || len(ids(t, a, Query{})) != 611 {
			t.Errorf("error %v, %d there", err, len(ids(t, a, Query{})))
		}
	})
}

// What another instance changes during a Reindex goes before what the files
// said, also when Redis loses everything in the middle; at no moment is the
// index empty.
func TestReindexDuringChanges(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := open(t, srv).run(t), open(t, srv).run(t)
		var files []Recording
		for i := range 600 {
			files = append(files, recorded("acme", i))
		}
		reindex(t, a, each(files...))
		at := func(i int, r Recording) {
			switch i {
			case 100: // found by the walk already
				b.Delete("acme", "rec-0050")
				held := recorded("acme", 51)
				held.Held = true
				b.Save(held)
			case 200: // not yet found
				b.Delete("acme", "rec-0550")
				held := recorded("acme", 551)
				held.Held = true
				b.Save(held)
				b.Save(recorded("acme", 9000)) // too new for the walk
				b.Save(recorded("late", 9001)) // of an organisation that is new
				b.Save(recorded("acme", 9002))
				b.Delete("acme", "rec-9002")
			default:
				return
			}
			b.written(t)
			if n := len(ids(t, a, Query{})); n < 590 {
				t.Errorf("%d there in the middle of it", n)
			}
		}
		check := func(want int) {
			t.Helper()
			got := ids(t, a, Query{})
			if len(got) != want || slices.Contains(got, "acme/rec-0550") || slices.Contains(got, "acme/rec-0050") || !slices.Contains(got, "acme/rec-9000") || !slices.Contains(got, "late/rec-9001") {
				t.Errorf("%d there, want %d", len(got), want)
			}
			for _, id := range []string{"rec-0051", "rec-0551"} {
				if r, err := a.Find(t.Context(), id); err != nil || !r.Held {
					t.Errorf("%s: %+v, %v", id, r, err)
				}
			}
		}
		_, removed := reindex(t, a, func(yield func(Recording, error) bool) {
			for i, r := range files {
				at(i, r)
				if !yield(r, nil) {
					return
				}
			}
		})
		check(600)
		if removed != 0 {
			t.Errorf("%d removed", removed)
		}
		// After a flush in the middle it does not count; done again, it does.
		_, _, err := a.Reindex(t.Context(), func(yield func(Recording, error) bool) {
			for i, r := range files {
				if i == 300 {
					if busy, err := b.BeingMade(t.Context()); !busy || err != nil {
						t.Errorf("a Reindex goes on: %v, %v", busy, err)
					}
					storetest.Client(t, srv).FlushAll(t.Context())
				}
				if !yield(r, nil) {
					return
				}
			}
		})
		if busy, err := b.BeingMade(t.Context()); busy || err != nil {
			t.Errorf("a Reindex that has failed goes on: %v, %v", busy, err)
		}
		if at, failed := a.WholeSince(t.Context()); !errors.Is(err, errLost) || !at.IsZero() || failed != nil {
			t.Errorf("half an index: error %v, whole since %s, %v", err, at, failed)
		}
		begun := time.Now()
		reindex(t, a, each(files...))
		if at, err := a.WholeSince(t.Context()); at.Before(begun) || at.After(time.Now()) || err != nil {
			t.Errorf("whole since %s: %v", at, err)
		}
		if busy, err := b.BeingMade(t.Context()); busy || err != nil {
			t.Errorf("a Reindex goes on: %v, %v", busy, err)
		}
		if n := len(ids(t, a, Query{})); n != 600 {
			t.Errorf("%d left", n)
		}
	})
}

// Many savers and two Reindexes at once leave what was saved last.
func TestReindexRace(t *testing.T) {
	t.Parallel()
	r := storetest.NewRedis(t)
	a := open(t, r).run(t)
	b := open(t, r)
	var files []Recording
	for i := range 2000 {
		files = append(files, recorded("acme", i))
	}
	reindex(t, a, each(files...))
	var group, begun sync.WaitGroup
	begun.Add(3)
	for _, s := range []*instance{a, b, b} {
		group.Go(func() {
			_, _, err := s.Reindex(t.Context(), func(yield func(Recording, error) bool) {
				begun.Done()
				each(files...)(yield)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for g := range 4 {
		group.Go(func() {
			begun.Wait() // what was saved before, the files know
			for i := g; i < 2000; i += 4 {
				held := files[i]
				held.Held = true
				if i%5 == 0 {
					a.Delete("acme", held.ID)
				} else {
					a.Save(held)
				}
			}
		})
	}
	group.Wait()
	a.written(t)
	list, _, err := a.Search(t.Context(), Query{Limit: 5000})
	if err != nil || len(list) != 1600 {
		t.Errorf("%d there: %v", len(list), err)
	}
	for _, r := range list {
		if !r.Held {
			t.Fatalf("%s is as the file said", r.ID)
		}
	}
}

// What was written since a sweep has looked is not swept.
func TestSweepLooksAgain(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		a.Save(recorded("acme", 1))
		a.written(t)
		for want, since := range []int64{1, 9e15} {
			change := &edit{id: idOf("acme", "rec-0001"), swept: true, since: since}
			if err := a.writeChanges(t.Context(), "recordings_index", testkit.Patience, []*edit{change}); change.written != want || err != nil {
				t.Errorf("since %d: %d swept: %v", since, change.written, err)
			}
		}
		for f := range facets {
			if n := storetest.Client(t, srv).ZCard(t.Context(), facetKey("acme", f)).Val(); n != 0 {
				t.Errorf("facet %s: %d left", facetNames[f], n)
			}
		}
	})
}

// before reports whether c comes before d in the list, which is the newest first.
func cursorBefore(c, d Cursor) bool { return placeAt(c).before(placeAt(d)) }
