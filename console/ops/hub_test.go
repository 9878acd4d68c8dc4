package ops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// TestHubReads: the calls are read once for all viewers, at most five times a second, and
// not at all while there is no viewer.
func TestHubReads(t *testing.T) {
	var reads atomic.Int64
	conn, err := store.Open(t.Context(), store.Config{Observe: func(operation string, _ time.Duration, _ error) {
		if operation == "calls_read" {
			reads.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := calls.New(conn)
	run(t, conn.Run)
	h := newHub(s, slog.New(slog.DiscardHandler))
	run(t, func(ctx context.Context) error { h.run(ctx); return nil })
	save := func(n int) {
		for i := range n {
			s.Save(calls.Call{ID: "aaaa", Organisation: "acme", State: calls.On, Snapshot: fmt.Sprint(i), Number: fmt.Sprint(i), Started: time.Now()})
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
	<-last.wake // the other viewers never read, and hold up nothing
	for round := range 10 {
		save(20)
		want := fmt.Sprint(19)
		for p := h.picture(); p.calls[0].view.Number != want; p = h.picture() {
			<-last.wake
		}
		s.Save(calls.Call{ID: "aaaa", Organisation: "acme", Number: fmt.Sprint("round ", round), Started: time.Now()})
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

// TestViewersAreBounded: there are only so many streams, and of one account fewer.
func TestViewersAreBounded(t *testing.T) {
	h := newHub(nil, slog.New(slog.DiscardHandler))
	var joined []*viewer
	for range maxAccountViewers {
		w, err := h.join("anna")
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, w)
	}
	if _, err := h.join("anna"); err != ErrTooMany {
		t.Errorf("an account has more than maxAccountViewers: %v", err)
	}
	for i := range maxViewers - maxAccountViewers {
		if _, err := h.join(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.join("another"); err != ErrTooMany {
		t.Errorf("there are more than maxViewers: %v", err)
	}
	h.leave(joined[0])
	if _, err := h.join("anna"); err != nil {
		t.Error(err)
	}
}

// run runs something until the test ends.
func run(t *testing.T, do func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// TestRunEnds: the end of Run ends what is made for more than one request.
func TestRunEnds(t *testing.T) {
	dir, err := recording.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir.String(), "acme/2026/03/09/one.wav")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	o := New(Config{Calls: noCalls{}, Dir: dir, Log: slog.New(slog.DiscardHandler)})
	makeMP3 := func() error {
		_, err := o.Recordings.encoder.MP3(t.Context(), "anna", path, recording.Sidecar{})
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	if err := makeMP3(); !errors.Is(err, fs.ErrNotExist) { // there is no sound
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := makeMP3(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v: an MP3 would be made after the end", err)
	}
}

// noCalls is a store without live calls.
type noCalls struct{}

func (noCalls) List(context.Context) ([]calls.Call, error) { return nil, nil }
func (noCalls) Watch(ctx context.Context, _ func(string)) error {
	<-ctx.Done()
	return nil
}
