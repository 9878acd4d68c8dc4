package store

import (
	"testing"
	"time"
)

// The embedded server listens nowhere, lets keys expire as time passes, and serves
// nothing after its end.
func TestEmbeddedServer(t *testing.T) {
	e, err := newEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	if addr := e.server.Server().Addr(); addr != nil {
		t.Errorf("it listens on %s", addr)
	}
	c := e.client(limits{dial: time.Minute, wait: time.Minute})
	defer c.Close()
	if err := c.Set(t.Context(), "x", "y", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	start := e.aged
	for _, step := range []struct {
		after time.Duration
		left  int64
	}{{time.Minute / 2, 1}, {time.Minute - 2*ageEvery, 1}, {time.Minute - 2*ageEvery + ageEvery/2, 1}, {time.Minute + ageEvery, 0}} {
		e.age(start.Add(step.after))
		if n := c.Exists(t.Context(), "x").Val(); n != step.left {
			t.Errorf("after %s: %d keys, want %d", step.after, n, step.left)
		}
	}
	e.stop()
	if _, err := e.dial(t.Context(), "", ""); err == nil {
		t.Error("it serves after its end")
	}
}
