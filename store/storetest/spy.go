package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
)

// Spy records what a Conn tells, and wakes whoever waits for it.
type Spy struct {
	mu      sync.Mutex
	changed *sync.Cond
	seen    map[string]int
	ups     []bool
	log     bytes.Buffer
}

// NewSpy makes one that has seen nothing.
func NewSpy() *Spy {
	s := &Spy{seen: map[string]int{}}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// Note runs f while nobody else does, and wakes whoever waits.
func (s *Spy) Note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

// Write is the log.
func (s *Spy) Write(b []byte) (n int, err error) {
	s.Note(func() { n, err = s.log.Write(b) })
	return n, err
}

// Key is the secret of all instances in the tests.
const Key = "a secret of the tests, of 32 bytes or more"

// Config tells the Spy everything.
func (s *Spy) Config() store.Config {
	return store.Config{
		Timeout:  5 * time.Second, // the machine may be busy
		Logger:   slog.New(slog.NewTextHandler(s, nil)),
		Observe:  func(operation string, _ time.Duration, _ error) { s.Note(func() { s.seen[operation]++ }) },
		Keys:     []string{Key},
		OnForged: func(record string) { s.Note(func() { s.seen[forged(record)]++ }) },
		OnUp:     func(up bool) { s.Note(func() { s.ups = append(s.ups, up) }) },
	}
}

// Count is how many of an operation there were.
func (s *Spy) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[operation]
}

func forged(record string) string { return "forged " + record }

// Forged is how many records of a kind were not believed.
func (s *Spy) Forged(record string) int { return s.Count(forged(record)) }

// Logged is how often a text was logged.
func (s *Spy) Logged(text string) int { return strings.Count(s.Log(), text) }

// Log is all that was logged.
func (s *Spy) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Ups is what OnUp was told, as fmt prints it.
func (s *Spy) Ups() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.ups)
}

// poll is how often Await looks again when the Conn tells nothing.
const poll = 20 * time.Millisecond

// Await waits until ok holds; it looks again whenever the Conn tells anything.
func (s *Spy) Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(testkit.Patience)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				s.changed.Broadcast()
			}
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.mu.Unlock()
		done := ok()
		s.mu.Lock()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain for: %s\nlog:\n%s", what, s.log.String())
		}
		s.changed.Wait()
	}
}

// Open opens a Conn to a server; the test's end closes it.
func Open(t testing.TB, srv interface{ URL() string }, tell *Spy) *store.Conn {
	t.Helper()
	cfg := tell.Config()
	cfg.Redis = srv.URL()
	return OpenWith(t, cfg)
}

// OpenWith opens a Conn; the test's end closes it.
func OpenWith(t testing.TB, cfg store.Config) *store.Conn {
	t.Helper()
	c, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Run has a Conn run until the test's end.
func Run(t testing.TB, c *store.Conn) {
	t.Helper()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// MustAway fails the test unless an error says that Redis is away.
func MustAway(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrAway) {
		t.Fatalf("error %v, want ErrAway", err)
	}
}
