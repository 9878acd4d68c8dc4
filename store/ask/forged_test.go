package ask

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

// writer is somebody who may write to Redis and does not have the key.
type writer struct {
	redis.UniversalClient
	t *testing.T
}

// put puts a request into Redis, and tells the instance that is asked.
func (w writer) put(nonce, from, to, request string) {
	w.t.Helper()
	if err := w.Set(w.t.Context(), requestKey(nonce), request, time.Minute).Err(); err != nil {
		w.t.Fatal(err)
	}
	w.tell(to, "? "+nonce+" "+from)
}

func (w writer) tell(instance, message string) {
	w.t.Helper()
	if err := w.Publish(w.t.Context(), channel(instance), message).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// overhear has an instance ask one that is not there, and returns the nonce and what is in
// Redis. The request stays there.
func (w writer) overhear(from *party, to string) (nonce, request string) {
	w.t.Helper()
	listener := w.Subscribe(w.t.Context(), channel(to))
	defer listener.Close()
	if _, err := listener.Receive(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = from.Ask(ctx, to, []byte("overheard"))
	}()
	message, err := listener.ReceiveMessage(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	nonce = strings.Fields(message.Payload)[1]
	request = w.Get(w.t.Context(), requestKey(nonce)).Val()
	cancel()
	<-asked
	return nonce, request
}

// Nobody who writes to Redis without the key is obeyed.
func TestForgedRequests(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		obeyed := make(chan string, 100)
		obey := func(_ context.Context, request []byte) []byte {
			obeyed <- string(request)
			return []byte("done")
		}
		w := writer{storetest.Client(t, srv), t}
		a := answering(t, srv, "a", obey)
		nonce, request := w.overhear(a, "b")
		b := answering(t, srv, "b", obey)
		other := answering(t, srv, "other", obey)

		refused := func(p *party, n int) {
			t.Helper()
			p.tell.Await(t, "it to be refused", func() bool { return p.tell.Forged("ask") == n })
		}
		w.put("made", "a", "b", "pause in another's name")
		refused(b, 1)
		w.put(nonce, "evil", "b", request) // the answer would go to another
		refused(b, 2)
		w.put("another", "a", "b", request)
		refused(b, 3)
		w.put(nonce, "a", "b", strings.Replace(request, "overheard", "0verheard", 1))
		refused(b, 4)
		w.put(nonce, "a", "other", request)
		refused(other, 1)
		if len(obeyed) != 0 {
			t.Errorf("obeyed: %q", <-obeyed)
		}
		w.put(nonce, "a", "b", request) // late, but genuine, and for the first time
		if got := <-obeyed; got != "overheard" {
			t.Errorf("obeyed %q", got)
		}
		w.put(nonce, "a", "b", request)
		refused(b, 5)
		if len(obeyed) != 0 {
			t.Errorf("obeyed again: %q", <-obeyed)
		}
	})
}

// Nobody who writes to Redis without the key answers in another's place.
func TestForgedAnswers(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := writer{storetest.Client(t, srv), t}
		a := answering(t, srv, "a", nil)
		listener := w.Subscribe(t.Context(), channel("a"))
		defer listener.Close()
		overheard := ""
		b := answering(t, srv, "b", func(ctx context.Context, request []byte) []byte {
			nonce := ""
			a.own.mu.Lock()
			for nonce = range a.own.waiting {
			}
			a.own.mu.Unlock()
			before := a.tell.Forged("answer")
			w.tell("a", "! "+nonce+" forged")
			w.tell("a", "! "+nonce+" "+strings.Repeat("x", 43)+"forged")
			w.tell("a", "- "+nonce+" ")
			want := 3
			if overheard != "" { // the answer to another request
				w.tell("a", strings.Replace(overheard, strings.Fields(overheard)[1], nonce, 1))
				want = 4
			}
			if !testkit.Happens(testkit.Patience, func() bool { return a.tell.Forged("answer") == before+want }) {
				return []byte(fmt.Sprintf("%d answers were refused, want %d", a.tell.Forged("answer")-before, want))
			}
			return []byte("genuine")
		})
		mustAsk(t, a, b.conn.Instance(), "hello", "genuine")
		if t.Failed() {
			return
		}
		for overheard == "" {
			m, err := listener.ReceiveMessage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(m.Payload, "genuine") {
				overheard = m.Payload
			}
		}
		mustAsk(t, a, b.conn.Instance(), "hello", "genuine")
	})
}

// A request counts until it ends, whatever Redis says, and its clock may be another one.
func TestRequestsEnd(t *testing.T) {
	s := newSeals(storetest.OpenWith(t, store.Config{Keys: []string{storetest.Key}}))
	now := time.Now()
	for in, want := range map[time.Duration]bool{
		time.Second: true, -clockSkew + time.Second: true, -clockSkew - time.Second: false,
		askAtMost + clockSkew - time.Second: true, askAtMost + clockSkew + time.Second: false,
	} {
		nonce := in.String()
		got, err := s.openRequest(s.sealRequest([]byte("x"), nonce, "a", "b", now.Add(in)), nonce, "a", "b", now)
		if (err == nil) != want || want && string(got) != "x" {
			t.Errorf("a request that ends in %s: %q, %v", in, got, err)
		}
	}
}
