package calls

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestCalls(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		full := call("org-0", 1, On)
		full.Direction, full.Chain = flow.Outbound, append(full.Chain, flow.Step{Element: flow.Element{Kind: flow.Number, ID: "+442079460001"}, Setting: flow.Force})
		a.Save(full)
		a.Save(call("org-1", 1, Paused))
		a.Save(Call{ID: "bare", Organisation: "org-1"})
		tell.Await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
		b := open(t, srv)
		mustCalls(t, b.Store, Call{ID: "bare", Organisation: "org-1"}, full, call("org-1", 1, Paused))

		a.End("org-0", "call-1")
		a.End("org-1", "bare")
		a.End("org-1", "never was")
		tell.Await(t, "the call to be ended", func() bool { return a.Queued() == 0 })
		mustCalls(t, b.Store, call("org-1", 1, Paused))

		raw := storetest.Client(t, srv)
		if n := raw.ZCard(t.Context(), callsKey("org-0")).Val(); n != 0 {
			t.Error("an ended call left something behind")
		}
		if left := raw.TTL(t.Context(), callKey("org-0", "call-1")).Val(); left <= 0 || left > endedTTL {
			t.Errorf("an ended call is known for %s", left)
		}
		for _, key := range []string{callKey("org-1", "call-1"), callsKey("org-1")} {
			if left := raw.TTL(t.Context(), key).Val(); left <= endedTTL || left > callTTL {
				t.Errorf("%s is kept for %s", key, left)
			}
		}
	})
}

// Ids of calls that have expired do not stay in the set for ever.
func TestExpiredIDsGo(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		now := time.Now()
		for i, age := range []time.Duration{callTTL + time.Hour, callTTL - time.Hour} {
			raw.ZAdd(t.Context(), callsKey("org-0"), redis.Z{Score: float64(now.Add(-age).Unix()), Member: fmt.Sprint("old-", i)})
		}
		a := open(t, srv).run(t)
		tell := a.tell
		a.Save(call("org-0", 1, On))
		tell.Await(t, "the call to be written", func() bool { return a.Queued() == 0 })
		if got := raw.ZRange(t.Context(), callsKey("org-0"), 0, -1).Val(); !slices.Equal(got, []string{"old-1", "call-1"}) {
			t.Errorf("ids %v", got)
		}
	})
}

// Save keeps its own copy.
func TestSaveCopies(t *testing.T) {
	var q queue
	q.limit = 10
	c := call("org-0", 1, On)
	q.save(c)
	c.Users[0], c.Chain[0].Setting = "mallory", flow.Never
	if got := q.take(1)[0].call; got.Users[0] != "alice" || got.Chain[0].Setting != flow.Yes {
		t.Errorf("the caller changed what was saved: %+v", got)
	}
}

func TestCallsThatCannotBeRead(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		for i := range 6 {
			a.Save(call("org-0", i, On))
		}
		tell.Await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
		raw := storetest.Client(t, srv)
		text := raw.HGet(t.Context(), callKey("org-0", "call-1"), "body").Val()
		other := strings.Replace(text, fmt.Sprintf(`"version":%d`, Version), `"version":99`, 1)
		raw.HSet(t.Context(), callKey("org-0", "call-1"), "body", "{")
		raw.HSet(t.Context(), callKey("org-0", "call-2"), "body", other)
		raw.HSet(t.Context(), callKey("org-0", "call-3"), "body", text) // it says that it is call-1
		raw.Del(t.Context(), callKey("org-0", "call-4"))                // ended in this moment
		raw.Set(t.Context(), callKey("org-0", "call-6"), "no hash", 0)
		raw.ZAdd(t.Context(), callsKey("org-0"), redis.Z{Score: 1, Member: "call-6"})
		mustCalls(t, a.Store, call("org-0", 0, On), call("org-0", 5, On))
		if n := tell.Logged("live call in redis not read"); n != 4 {
			t.Errorf("logged %d times", n)
		}
	})
}

// A state that Redis refuses for ever does not hold up the others.
func TestPoisonedCall(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		raw := storetest.Client(t, srv)
		raw.Set(t.Context(), callsKey("org-0"), "a string", 0)
		a := open(t, srv)
		tell := a.tell
		a.Save(call("org-0", 1, On))
		ageless := call("org-1", 2, On)
		ageless.Started = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // no JSON for that
		a.Save(ageless)
		a.Save(call("org-1", 3, On))
		a.run(t)
		tell.Await(t, "the rest to be written", func() bool { return a.Queued() == 0 && a.dropped() == 2 })
		if raw.Exists(t.Context(), callKey("org-1", "call-3")).Val() != 1 || !a.conn.Up() {
			t.Error("the good call was not written")
		}
		tell.Await(t, "the log", func() bool { return tell.Logged("states of calls dropped") > 0 })
	})
}

// A key of ours that is something else costs the states, not the Store.
func TestPoisonedIndex(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		storetest.Client(t, srv).Set(t.Context(), organisationsKey, "a string", 0)
		a := open(t, srv)
		tell := a.tell
		a.Save(call("org-0", 1, On))
		a.run(t)
		tell.Await(t, "the state to be given up", func() bool { return a.Queued() == 0 && a.dropped() == 1 })
		if _, err := a.List(t.Context()); !errors.Is(err, store.ErrCorrupt) || !a.conn.Up() {
			t.Errorf("up %v, live calls: %v", a.conn.Up(), err)
		}
	})
}

func TestQueueKeepsTheLatestInOrder(t *testing.T) {
	q := queue{limit: 10}
	names := func(batch []stateWrite) (s string) {
		for _, item := range batch {
			s += fmt.Sprintf("%s:%s:%v ", item.entry.id.ID, item.call.State, item.ended)
		}
		return strings.TrimSpace(s)
	}
	want := func(batch []stateWrite, text string) {
		t.Helper()
		if got := names(batch); got != text {
			t.Errorf("took %q, want %q", got, text)
		}
	}
	q.save(call("o", 1, On))
	q.save(call("o", 2, On))
	q.save(call("o", 1, Paused))
	q.save(call("o", 3, On))
	batch := q.take(2)
	want(batch, "call-1:paused:false call-2:on:false")
	q.save(call("o", 2, Off)) // while it is being written
	for i := range batch {
		batch[i].err = errors.New("away")
	}
	q.settle(batch)
	batch = q.take(10)
	want(batch, "call-1:paused:false call-3:on:false call-2:off:false")
	q.end(idOf("o", "call-3")) // while it is being written
	q.settle(batch)
	batch = q.take(10)
	want(batch, "call-3::true")
	q.save(call("o", 3, On)) // the id again, while its end is being written
	q.settle(batch)
	batch = q.take(10)
	want(batch, "call-3:on:false")
	q.settle(batch)
	q.requeueAll(false)
	batch = q.take(10)
	want(batch, "call-1:paused:false call-2:off:false call-3:on:false")
	q.settle(batch)

	token := func(where string, want int64, newToken bool) {
		t.Helper()
		for _, item := range q.take(10) {
			if item.entry.id.ID == "call-1" && (item.token != want || item.newToken != newToken || !item.ended && item.call.Token != want) {
				t.Errorf("%s: token %d of %d, raised %t", where, item.token, item.call.Token, item.newToken)
			}
		}
		q.settle(nil)
	}
	q.requeueAll(true)
	q.save(call("o", 1, Off))
	token("raised", 2, true)
	q.requeueAll(true)
	q.end(idOf("o", "call-1"))
	token("ended before the new token was written", 0, false)
}

func TestQueueForgetsWhatRedisNeverKnew(t *testing.T) {
	q := queue{limit: 10}
	for i := range 1000 {
		q.save(call("o", i, On))
		q.end(idOf("o", fmt.Sprintf("call-%d", i)))
	}
	if len(q.entries) != 0 || q.order.Len() != 0 || q.dropped != 0 {
		t.Errorf("%d entries, %d queued, %d dropped", len(q.entries), q.order.Len(), q.dropped)
	}
}

func TestQueueIsBounded(t *testing.T) {
	long := strings.Repeat("x", maxCallSize)
	for name, c := range map[string]struct {
		save    Call
		dropped bool
	}{
		"plain":           {call("o", 1, On), false},
		"no id":           {Call{Organisation: "o"}, true},
		"no organisation": {Call{ID: "1"}, true},
		"long id":         {Call{ID: long, Organisation: "o"}, true},
		"id not UTF-8":    {Call{ID: "\xff", Organisation: "o"}, true},
		"long user":       {Call{ID: "1", Organisation: "o", Users: []string{long}}, true},
		"many users":      {Call{ID: "1", Organisation: "o", Users: make([]string, maxCallSize/10)}, true},
		"long chain":      {Call{ID: "1", Organisation: "o", Chain: make(flow.Chain, maxCallSize/10)}, true},
	} {
		q := queue{limit: 10}
		q.save(c.save)
		if got := q.dropped == 1 && q.order.Len() == 0; got != c.dropped {
			t.Errorf("%s: dropped %v, want %v", name, got, c.dropped)
		}
	}
	q := queue{limit: 10}
	for i := range 15 {
		q.save(call("o", i, On))
	}
	q.save(call("o", 3, Paused)) // one that has its place
	q.end(idOf("o", "stranger"))
	q.end(idOf("o", ""))
	if q.dropped != 7 || len(q.entries) != 10 || q.order.Len() != 10 {
		t.Errorf("%d dropped, %d kept, %d queued", q.dropped, len(q.entries), q.order.Len())
	}
	q.end(idOf("o", "call-3"))
	q.save(call("o", 16, On))
	if q.dropped != 7 || len(q.entries) != 10 {
		t.Errorf("no room after an end: %d dropped", q.dropped)
	}
}

func TestHostileIDs(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := open(t, srv).run(t)
		tell := a.tell
		want := map[store.ID]bool{}
		for _, o := range storetest.Hostile {
			for _, id := range storetest.Hostile {
				a.Save(Call{ID: id, Organisation: o, State: On})
				want[idOf(o, id)] = true
			}
		}
		check := func() {
			t.Helper()
			tell.Await(t, "the calls to be written", func() bool { return a.Queued() == 0 })
			calls, err := a.List(t.Context())
			if err != nil || len(calls) != len(want) {
				t.Fatalf("%d calls, want %d: %v", len(calls), len(want), err)
			}
			for _, c := range calls {
				if !want[idOf(c.Organisation, c.ID)] {
					t.Errorf("call %q of %q should not be there", c.ID, c.Organisation)
				}
			}
		}
		check()
		for i, o := range storetest.Hostile {
			id := storetest.Hostile[(i*7)%len(storetest.Hostile)]
			a.End(o, id)
			delete(want, idOf(o, id))
		}
		check()
		if tell.Logged("level=ERROR") != 0 {
			t.Errorf("log:\n%s", tell.Log())
		}
	})
}
