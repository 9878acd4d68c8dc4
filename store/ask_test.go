package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// answering joins an instance that hears what it is asked.
func answering(t *testing.T, srv server, name string, onAsk func(context.Context, []byte) []byte) *party {
	t.Helper()
	p := join(t, srv, name, defaultLease())
	p.cfg.OnAsk = onAsk
	run(t, p.Store)
	awaitListening(t, p)
	return p
}

func awaitListening(t *testing.T, p *party) {
	t.Helper()
	p.tell.await(t, "it to listen", func() bool {
		p.asks.mu.Lock()
		defer p.asks.mu.Unlock()
		return p.asks.listening
	})
}

func shout(_ context.Context, request []byte) []byte { return bytes.ToUpper(request) }

func mustAsk(t *testing.T, p *party, instance, request, want string) {
	t.Helper()
	got, err := p.Ask(t.Context(), instance, []byte(request))
	if err != nil || string(got) != want {
		t.Errorf("%s asks %s: %.80q, want %.80q: %v", p.cfg.Instance, instance, got, want, err)
	}
}

// mustNotAnswer asks and waits in vain.
func mustNotAnswer(t *testing.T, p *party, instance string, wait time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if got, err := p.Ask(ctx, instance, []byte("x")); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%s answers %q: %v", instance, got, err)
	}
}

func TestAsk(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		a := answering(t, srv, "a", shout)
		b := answering(t, srv, "b b\n{", shout)
		c := answering(t, srv, "c", nil)
		mustAsk(t, a, "b b\n{", "hello", "HELLO")
		mustAsk(t, b, "a", "! x \r\n\x00 ", "! X \r\n\x00 ")
		mustAsk(t, c, "a", "", "")
		mustAsk(t, a, "a", "me", "ME")
		largest := strings.Repeat("x", maxAsking)
		mustAsk(t, a, b.cfg.Instance, largest, strings.ToUpper(largest))
		if _, err := a.Ask(t.Context(), "a", []byte(largest+"x")); err == nil {
			t.Error("too large a request is sent")
		}
		for _, instance := range []string{"nobody", "", "c"} {
			mustNotAnswer(t, a, instance, patience)
			mustNotAnswer(t, c, instance, patience)
		}
		var group sync.WaitGroup
		for i := range 200 {
			from, to := a, b
			if i%2 == 0 {
				from, to = b, a
			}
			if i%16 == 0 {
				group.Wait() // more at once would not be heard
			}
			group.Go(func() { mustAsk(t, from, to.cfg.Instance, fmt.Sprint("n", i), fmt.Sprint("N", i)) })
		}
		group.Wait()
		if keys := rawClient(t, srv).Keys(t.Context(), "*{ask}*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
	})
}

// A request that nobody waits for any more is not done, and an answer that
// comes too late reaches nobody.
func TestAskTooLate(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		asked, proceed := make(chan string, 100), make(chan struct{})
		slow := answering(t, srv, "slow", func(_ context.Context, request []byte) []byte {
			asked <- string(request)
			<-proceed
			return request
		})
		a := answering(t, srv, "a", shout)
		mustNotAnswer(t, a, "slow", 50*time.Millisecond)
		<-asked // it was begun
		close(proceed)
		mustAsk(t, a, "slow", "y", "y")
		<-asked

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.Ask(ctx, "slow", []byte("z")); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		// It hears of a request after it was taken back.
		slow.answerOne(t.Context(), "gone", "a")
		a.withdraw(t.Context(), "gone")
		if err := a.client.Set(t.Context(), requestKey("gone"), "x", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		a.withdraw(t.Context(), "gone")
		slow.answerOne(t.Context(), "gone", "a")
		if len(asked) != 0 {
			t.Errorf("it did %q", <-asked)
		}
	})
}

func TestAskLimits(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		large := answering(t, srv, "large", func(context.Context, []byte) []byte { return make([]byte, maxAsking+1) })
		a := answering(t, srv, "a", nil)
		mustNotAnswer(t, a, "large", patience)
		mustNotAnswer(t, large, "large", patience)
		for i := range maxWaiting {
			if _, err := a.asks.begin(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Ask(t.Context(), "large", nil); err == nil || errors.Is(err, ErrNoAnswer) {
			t.Errorf("too many wait: %v", err)
		}
		for i := range maxWaiting {
			a.asks.arrive(fmt.Sprint(i), answered{})
		}
		srv.stop()
		_, err := a.Ask(t.Context(), "large", nil)
		mustAway(t, err)
	})
}

func TestAskOneself(t *testing.T) {
	leakFree(t)
	cfg := newSpy().config()
	cfg.Instance, cfg.OnAsk = "me", shout
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	mustAsk(t, &party{Store: s}, "me", "alone", "ALONE")
	mustNotAnswer(t, &party{Store: s}, "you", patience)
}
