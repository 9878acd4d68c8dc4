package console

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/store"
	"tapedeck/store/calls"
)

// TestEventsBounds: nobody can have all the streams.
func TestEventsBounds(t *testing.T) {
	l := newAPILab(t)
	h := l.server.hub
	var joined []*viewer
	for range maxAccountViewers {
		w, err := h.join("anna")
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, w)
	}
	if _, text := l.wants(503, "anna", "GET", "/api/v1/calls/events", ""); code(t, text) != "too_many" {
		t.Error(text)
	}
	h.leave(joined[0])
	l.view(l.bearer("anna")).wants("calls aaaa:on cccc:on")
	for i := range maxViewers - maxAccountViewers {
		if _, err := h.join(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.join("another"); err == nil {
		t.Error("there are more than maxViewers")
	}
}

// TestHubReads: the calls are read for all who look at them together, not more
// than five times a second however much happens, and not at all while nobody
// looks.
func TestHubReads(t *testing.T) {
	var reads atomic.Int64
	s, err := store.Open(t.Context(), store.Config{Observe: func(operation string, _ time.Duration, _ error) {
		if operation == "calls_read" {
			reads.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	labRun(t, s.Run)
	h := newHub(s, discard)
	labRun(t, func(ctx context.Context) error { h.run(ctx); return nil })
	save := func(n int) {
		for i := range n {
			s.SaveCall(calls.Call{ID: callAlice, Organisation: "acme", State: calls.On, Snapshot: fmt.Sprint(i), Number: fmt.Sprint(i), Started: labDay})
			for s.Queued() > 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	save(50)
	if n := reads.Load(); n != 0 {
		t.Errorf("read %d times for nobody", n)
	}
	begin := time.Now()
	var viewers []*viewer
	for i := range 100 {
		w, err := h.join(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		viewers = append(viewers, w)
	}
	last := viewers[len(viewers)-1]
	<-last.wake // nobody else takes what there is for him: that is nobody's matter
	for round := range 10 {
		save(20)
		want := fmt.Sprint(19)
		for p := h.picture(); p.calls[0].view.Number != want; p = h.picture() {
			<-last.wake
		}
		s.SaveCall(calls.Call{ID: callAlice, Organisation: "acme", Number: fmt.Sprint("round ", round), Started: labDay})
	}
	if n, most := reads.Load(), int64(time.Since(begin)/readEvery)+2; n > most {
		t.Errorf("read %d times, want at most %d", n, most)
	}
	for _, w := range viewers {
		h.leave(w)
	}
	if h.picture() != nil {
		t.Error("what nobody looks at is kept")
	}
}
