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

func TestCallsThatCannotBeRead(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := joinWith(t, srv, "", defaultTimes()).run(t) // without a key, these would be forged
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

// A state that Redis always refuses does not hold up the others.
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

// If one of our keys has another type, states are lost, and the Conn goes on.
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
