package index

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

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

// If one of our keys has another type, only the recordings of its organisation are
// lost.
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
		if n := tell.Logged("recording in redis not read") + tell.Forged("recording"); n != 2 {
			t.Errorf("logged %d times", n)
		}
	})
}
