package calls

import (
	"testing"
	"time"

	"tapedeck/store/storetest"
)

// TestHolds: an instance that stood still does not hold its calls until Redis has
// told it which belong to another. An instance whose Redis is away does.
func TestHolds(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := join(t, srv, "a", quick()), join(t, srv, "b", quick())
		if a.Holds() {
			t.Error("before its first sign of life")
		}
		a.run(t)
		a.tell.Await(t, "a to hold", a.Holds)
		a.Save(call("org-0", 1, On))
		a.written(t)
		calls, err := a.List(t.Context())
		if err != nil || len(calls) != 1 {
			t.Fatal(calls, err)
		}
		if _, err := b.Claim(t.Context(), calls[0]); err != nil {
			t.Fatal(err)
		}
		for instance, want := range map[string]bool{"a": true, "nobody": false} {
			if alive, err := b.Alive(t.Context(), instance); err != nil || alive != want {
				t.Errorf("%s alive: %t, %v", instance, alive, err)
			}
		}
		a.lease.doubt()
		a.tell.Await(t, "a to be told, or not to hold", func() bool { return !a.Holds() || len(a.lost) > 0 })
		a.tell.Await(t, "a to hold the rest", a.Holds)
		a.tell.Note(func() {
			if len(a.lost) != 1 {
				t.Errorf("lost %q when it holds again", a.lost)
			}
		})
	})
}

// TestHoldsByTheClock: what Holds says follows from three times.
func TestHoldsByTheClock(t *testing.T) {
	long, now := time.Now().Add(-time.Minute).UnixNano(), time.Now().UnixNano()
	for _, tc := range []struct {
		name                   string
		ticked, beaten, unsure int64
		up, holds              bool
	}{
		{"as ever", now, now, 0, true, true},
		{"it stood still", long, long, 0, true, false},
		{"it stood still, and redis does not answer", long, long, 0, false, false},
		{"redis is away", now, long, 0, false, true},
		{"in doubt", now, now, now, true, false},
		{"in doubt, redis does not answer yet", now, long, now, false, false},
		{"in doubt, redis has not answered for long", now, long, long, false, true},
	} {
		l := &lease{times: defaultTimes()}
		l.ticked.Store(tc.ticked)
		l.beaten.Store(tc.beaten)
		l.unsure.Store(tc.unsure)
		if got := l.holds(tc.up); got != tc.holds {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}
