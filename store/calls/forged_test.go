package calls

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

// alter changes fields of a call's entry, as somebody does who may write to Redis.
func alter(t *testing.T, w redis.UniversalClient, id string, fields ...any) {
	t.Helper()
	if err := w.HSet(t.Context(), callKey("org-0", id), fields...).Err(); err != nil {
		t.Fatal(err)
	}
}

// field is what an entry has.
func field(t *testing.T, w redis.UniversalClient, id, name string) string {
	t.Helper()
	text, err := w.HGet(t.Context(), callKey("org-0", id), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// An entry that somebody has made, altered or moved counts as if it were not there.
func TestForgedCallsAreNotRead(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := storetest.Client(t, srv)
		a, reader := join(t, srv, "a", defaultTimes()), open(t, srv)
		a.Save(call("org-0", 1, On))
		a.Save(call("org-0", 2, On))
		a.rewrite(t.Context())
		a.write(t.Context())
		a.written(t)
		genuine := field(t, w, "call-1", "body")
		for what, fields := range map[string][]any{
			"another organisation": {"body", strings.Replace(genuine, `"organisation":"org-0"`, `"organisation":"org-1"`, 1)},
			"another file":         {"body", strings.Replace(genuine, `/x.wav`, `/y.wav`, 1)},
			"an invented call":     {"body", strings.Split(genuine, `,"seal":`)[0] + "}"},
			"another owner":        {"owner", "evil"},
			"a higher token":       {"token", "1000"},
			"another's body":       {"body", field(t, w, "call-2", "body")},
		} {
			before := reader.tell.Forged("call")
			alter(t, w, "call-1", fields...)
			mustCalls(t, reader.Store, call("org-0", 2, On))
			if got := reader.tell.Forged("call"); got != before+1 {
				t.Errorf("%s: %d entries were not believed", what, got-before)
			}
			alter(t, w, "call-1", "owner", "a", "token", "1", "body", genuine)
			mustCalls(t, reader.Store, call("org-0", 1, On), call("org-0", 2, On))
		}
	})
}

// An instance goes on with its call whatever somebody writes about its owner, its token
// or its end, and others can take it over when the owner is dead.
func TestForgedOwners(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := storetest.Client(t, srv)
		a, b := join(t, srv, "a", defaultTimes()), join(t, srv, "b", defaultTimes())
		a.run(t)
		a.Save(call("org-0", 1, On))
		a.written(t)
		state := On
		for what, fields := range map[string][]any{
			"another owner":   {"owner", "evil"},
			"a higher token":  {"token", "1000000"},
			"both":            {"owner", "evil", "token", "1000000"},
			"it has ended":    {"owner", "evil", "token", "1000000", "body", ""},
			"it ended sealed": {"owner", "evil", "token", "1000000", "body", "", "ended", strings.Repeat("x", 43)},
		} {
			alter(t, w, "call-1", fields...)
			if strings.Contains(what, "ended") {
				w.HDel(t.Context(), callKey("org-0", "call-1"), "body")
			}
			if state = map[State]State{On: Paused, Paused: On}[state]; true {
				a.Save(call("org-0", 1, state))
			}
			a.tell.Await(t, what+": the state to be written all the same", func() bool {
				list, err := b.List(t.Context())
				return err == nil && len(list) == 1 && list[0].State == state && list[0].Owner == "a"
			})
		}
		a.tell.Note(func() {
			if len(a.lost) != 0 {
				t.Errorf("lost: %v", a.lost)
			}
		})

		// Of a call whose entry is not believed, the claim of what FreeSWITCH says counts.
		alter(t, w, "call-1", "owner", "evil", "token", "1000000")
		known := call("org-0", 1, On)
		known.Owner, known.Token = "a", 1
		if mine := claim(t, b.Store, known); mine.Owner != "b" || mine.Token != 2 {
			t.Errorf("claimed %+v", mine)
		}
		a.Save(call("org-0", 1, On)) // a genuine owner with a higher token is believed
		a.awaitLost(t, "org-0/call-1")
		// And an end, too.
		b.run(t)
		b.End("org-0", "call-1")
		b.written(t)
		mustCalls(t, b.Store)
		known.Owner, known.Token = "a", 0
		a.Save(known)
		a.awaitLost(t, "org-0/call-1", "org-0/call-1")
		if n := w.Exists(t.Context(), callKey("org-0", "call-1")).Val(); n != 1 {
			t.Error("that a call has ended is not kept")
		}
	})
}

// An entry of ours that was altered is written again when somebody reads it; of a call of
// a dead instance the follower is told, who finds it on FreeSWITCH.
func TestForgedEntriesAreMended(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := storetest.Client(t, srv)
		a, b := join(t, srv, "a", quick()), join(t, srv, "b", quick()).run(t)
		a.Save(call("org-0", 1, On))
		a.run(t)
		a.written(t)
		alter(t, w, "call-1", "body", strings.Replace(field(t, w, "call-1", "body"), "x.wav", "y.wav", 1))
		mustCalls(t, a.Store)
		mine := call("org-0", 1, On)
		mine.Owner, mine.Token = "a", 1
		a.tell.Await(t, "it to be written again", func() bool {
			list, err := b.List(t.Context())
			return err == nil && len(list) == 1
		})
		mustCalls(t, b.Store, mine)

		alter(t, w, "call-1", "owner", "dead", "token", "5")
		a.tell.Await(t, "it to be written again", func() bool {
			return w.HGet(t.Context(), callKey("org-0", "call-1"), "owner").Val() == "a"
		})
		a.written(t)

		alter(t, w, "call-9", "owner", "dead", "token", "5", "body", field(t, w, "call-1", "body"))
		if err := w.ZAdd(t.Context(), callsKey("org-0"), redis.Z{Score: 1, Member: "call-9"}).Err(); err != nil {
			t.Fatal(err)
		}
		b.tell.Await(t, "to be told", func() (told bool) {
			b.tell.Note(func() {
				told = len(b.unproved) > 0 && b.unproved[len(b.unproved)-1] == store.ID{Organisation: "org-0", ID: "call-9"}
			})
			return told
		})
		if n := b.tellings(); n != 0 {
			t.Errorf("told of orphans %d times", n)
		}
	})
}
