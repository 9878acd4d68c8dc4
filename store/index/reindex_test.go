package index

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

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

// What another instance changes during a Reindex wins over what the files said,
// also if Redis loses everything in the middle. The index is never empty.
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

// A recording that was written after a sweep has looked is not swept.
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

// Reindex adds members that the index lacks, also of a recording that has not
// changed.
func TestReindexMends(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		s := open(t, srv).run(t)
		m := maker{rand.New(rand.NewPCG(1, 2))}
		there := map[store.ID]Recording{}
		var files []Recording
		for i := range 100 {
			id := idOf("a", m.id(i))
			there[id] = m.state(id)
			files = append(files, there[id])
			s.Save(there[id])
		}
		s.written(t)
		raw := storetest.Client(t, srv)
		raw.Del(t.Context(), facetKey("a", byTime), facetKey("a", byUser))
		if got := ids(t, s, Query{}); len(got) != 0 {
			t.Fatalf("found %q", got)
		}
		reindex(t, s, each(files...))
		mustBeTidy(t, srv, there)
	})
}
