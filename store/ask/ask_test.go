package ask

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// party is one instance that may ask and be asked.
type party struct {
	*Peers
	tell *storetest.Spy
}

// answering joins an instance that hears what it is asked.
func answering(t *testing.T, srv storetest.Server, name string, handle Handler) *party {
	t.Helper()
	p := &party{tell: storetest.NewSpy()}
	cfg := p.tell.Config()
	cfg.Redis, cfg.Instance = srv.URL(), name
	p.Peers = New(storetest.OpenWith(t, cfg))
	p.Handle(handle)
	storetest.Run(t, p.conn)
	p.tell.Await(t, "it to listen", func() bool {
		p.own.mu.Lock()
		defer p.own.mu.Unlock()
		return p.own.listening
	})
	return p
}

func shout(_ context.Context, request []byte) []byte { return bytes.ToUpper(request) }

func mustAsk(t *testing.T, p *party, instance, request, want string) {
	t.Helper()
	got, err := p.Ask(t.Context(), instance, []byte(request))
	if err != nil || string(got) != want {
		t.Errorf("%s asks %s: %.80q, want %.80q: %v", p.conn.Instance(), instance, got, want, err)
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
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a := answering(t, srv, "a", shout)
		b := answering(t, srv, "b b\n{", shout)
		c := answering(t, srv, "c", nil)
		mustAsk(t, a, "b b\n{", "hello", "HELLO")
		mustAsk(t, b, "a", "! x \r\n\x00 ", "! X \r\n\x00 ")
		mustAsk(t, c, "a", "", "")
		mustAsk(t, a, "a", "me", "ME")
		largest := strings.Repeat("x", maxSize)
		mustAsk(t, a, b.conn.Instance(), largest, strings.ToUpper(largest))
		if _, err := a.Ask(t.Context(), "a", []byte(largest+"x")); err == nil {
			t.Error("too large a request is sent")
		}
		for _, instance := range []string{"nobody", "", "c"} {
			mustNotAnswer(t, a, instance, testkit.Patience)
			mustNotAnswer(t, c, instance, testkit.Patience)
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
			group.Go(func() { mustAsk(t, from, to.conn.Instance(), fmt.Sprint("n", i), fmt.Sprint("N", i)) })
		}
		group.Wait()
		if keys := storetest.Client(t, srv).Keys(t.Context(), "*{ask}*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
	})
}

// A request is not carried out when its asker does not wait any more, and an
// answer that comes too late reaches nobody.
func TestAskTooLate(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
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
		slow.answer(t.Context(), "gone", "a")
		a.withdraw(t.Context(), "gone")
		if err := a.conn.Client().Set(t.Context(), requestKey("gone"), "x", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		a.withdraw(t.Context(), "gone")
		slow.answer(t.Context(), "gone", "a")
		if len(asked) != 0 {
			t.Errorf("it did %q", <-asked)
		}
	})
}

func TestAskLimits(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		large := answering(t, srv, "large", func(context.Context, []byte) []byte { return make([]byte, maxSize+1) })
		a := answering(t, srv, "a", nil)
		mustNotAnswer(t, a, "large", testkit.Patience)
		mustNotAnswer(t, large, "large", testkit.Patience)
		for i := range maxWaiting {
			if _, err := a.own.begin(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Ask(t.Context(), "large", nil); err == nil || errors.Is(err, ErrNoAnswer) {
			t.Errorf("too many wait: %v", err)
		}
		for i := range maxWaiting {
			a.own.arrive(fmt.Sprint(i), reply{})
		}
		srv.Stop()
		_, err := a.Ask(t.Context(), "large", nil)
		storetest.MustAway(t, err)
	})
}

func TestAskOneself(t *testing.T) {
	testkit.NoLeaks(t)
	p := New(storetest.OpenWith(t, store.Config{Instance: "me"}))
	p.Handle(shout)
	mustAsk(t, &party{Peers: p}, "me", "alone", "ALONE")
	mustNotAnswer(t, &party{Peers: p}, "you", testkit.Patience)
}
