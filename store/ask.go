package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A request is a key of its own that lasts as long as somebody waits for the
// answer. Its nonce is published to the instance that is asked. That one takes
// the request out of Redis, so that it is done once at most, and not at all when
// nobody waits any more, and publishes the answer to whoever asked.
//
// Messages: "? <nonce> <instance that asks>", "! <nonce> <answer>", and
// "- <nonce> " for one that cannot be answered.
const (
	maxAsking    = 1 << 16          // bytes of a request, or of an answer
	maxWaiting   = 256              // requests of ours that wait for their answers
	maxAnswering = 16               // requests of others that are being answered
	askAtMost    = 30 * time.Second // how long a request lasts when ctx has no end
)

// ErrNoAnswer: the instance did not answer in time, or could not. What it was
// asked for may have been done all the same.
var ErrNoAnswer = errors.New("the instance does not answer")

// asks are our requests that wait for their answers, by nonce.
type asks struct {
	mu        sync.Mutex
	listening bool
	waiting   map[string]chan answered
}

// answered is what came back; not ok: the instance cannot answer.
type answered struct {
	text string
	ok   bool
}

// Ask asks an instance, by its id (Call.Owner), and waits for the answer of
// its OnAsk until ctx ends, or for 30 s. A request or an answer has 64 KB at
// most. Run has to go on meanwhile. The errors are ErrNoAnswer, ErrAway, the end
// of ctx by cancellation, and that it cannot be asked.
func (s *Store) Ask(ctx context.Context, instance string, request []byte) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, askAtMost)
	defer cancel()
	var answer []byte
	var err error
	switch {
	case len(request) > maxAsking:
		err = errors.New("the request is too large")
	case instance == s.cfg.Instance:
		answer, err = s.askOurselves(limited, request)
	case s.Alone():
		err = ErrNoAnswer // there is no other
	default:
		answer, err = s.ask(limited, instance, request)
	}
	if err != nil {
		return nil, fmt.Errorf("store: ask instance %s: %w", instance, err)
	}
	return answer, nil
}

func (s *Store) askOurselves(ctx context.Context, request []byte) ([]byte, error) {
	if s.cfg.OnAsk == nil {
		return nil, ErrNoAnswer
	}
	answer := s.cfg.OnAsk(ctx, request)
	if len(answer) > maxAsking || ctx.Err() != nil {
		return nil, ErrNoAnswer
	}
	return answer, nil
}

func (s *Store) ask(ctx context.Context, instance string, request []byte) ([]byte, error) {
	random := make([]byte, 16)
	rand.Read(random) // never fails
	nonce := hex.EncodeToString(random)
	reply, err := s.asks.begin(nonce)
	if err != nil {
		return nil, err
	}
	defer s.asks.end(nonce)
	if err := s.publishRequest(ctx, instance, nonce, request); err != nil {
		return nil, err
	}
	select {
	case a := <-reply:
		if !a.ok {
			return nil, ErrNoAnswer
		}
		return []byte(a.text), nil
	case <-ctx.Done():
		s.withdraw(ctx, nonce)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, ErrNoAnswer
	}
}

// publishRequest puts a request into Redis and tells whom it is for.
func (s *Store) publishRequest(ctx context.Context, instance, nonce string, request []byte) error {
	end, _ := ctx.Deadline()
	left := time.Until(end)
	if left < time.Millisecond {
		return ErrNoAnswer
	}
	var heard int64
	err := s.try(ctx, "ask", connectFactor*s.cfg.Timeout, func(ctx context.Context) error {
		err := s.client.Set(ctx, requestKey(nonce), request, left).Err()
		if err == nil {
			heard, err = s.client.Publish(ctx, askChannel(instance), "? "+nonce+" "+s.cfg.Instance).Result()
		}
		return err
	})
	// Each node of a cluster counts only those who listen at itself.
	if _, cluster := s.client.(*redis.ClusterClient); err == nil && heard == 0 && !cluster {
		s.withdraw(ctx, nonce)
		return ErrNoAnswer
	}
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrAway) {
		return ErrNoAnswer
	}
	return err
}

// withdraw takes back a request that nobody has taken. It may be called after
// the end of ctx.
func (s *Store) withdraw(ctx context.Context, nonce string) {
	_ = s.try(context.WithoutCancel(ctx), "ask", s.cfg.Timeout, func(ctx context.Context) error {
		return s.client.Del(ctx, requestKey(nonce)).Err()
	})
}

// begin makes the place for an answer.
func (a *asks) begin(nonce string) (<-chan answered, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !a.listening:
		return nil, fmt.Errorf("%w: no answer could be heard now", ErrAway)
	case len(a.waiting) >= maxWaiting:
		return nil, errors.New("too many wait for answers")
	}
	if a.waiting == nil {
		a.waiting = map[string]chan answered{}
	}
	a.waiting[nonce] = make(chan answered, 1)
	return a.waiting[nonce], nil
}

func (a *asks) end(nonce string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, nonce)
}

// arrive hands an answer to whoever waits for it; the first one counts.
func (a *asks) arrive(nonce string, what answered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if reply := a.waiting[nonce]; reply != nil {
		reply <- what
		delete(a.waiting, nonce)
	}
}

func (a *asks) listen(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listening = yes
}

// answer hears what others ask of this instance and answer to it, until ctx
// ends; then it waits for the answers that are under way.
func (s *Store) answer(ctx context.Context) {
	if s.Alone() {
		return
	}
	var group sync.WaitGroup
	defer group.Wait()
	room := make(chan struct{}, maxAnswering)
	s.subscribe(ctx, askChannel(s.cfg.Instance), subscriber{
		begun: func() { s.asks.listen(true) },
		lost:  func() { s.asks.listen(false) },
		heard: func(message string) {
			kind, rest, _ := strings.Cut(message, " ")
			nonce, rest, _ := strings.Cut(rest, " ")
			switch kind {
			case "!", "-":
				s.asks.arrive(nonce, answered{text: rest, ok: kind == "!"})
			case "?":
				select {
				case room <- struct{}{}:
					group.Go(func() {
						defer func() { <-room }()
						s.answerOne(ctx, nonce, rest)
					})
				default: // whoever asks gives up in time
				}
			}
		},
	})
}

// answerOne takes a request out of Redis and answers it.
func (s *Store) answerOne(ctx context.Context, nonce, from string) {
	request, left, err := s.takeRequest(ctx, nonce)
	if err != nil || left <= 0 {
		return // taken back, or already answered
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	message := "- " + nonce + " "
	if s.cfg.OnAsk != nil {
		if text := s.cfg.OnAsk(ctx, request); len(text) <= maxAsking {
			message = "! " + nonce + " " + string(text)
		} else {
			s.log.Error("answer to another instance is too large", "bytes", len(text))
		}
	}
	_ = s.try(ctx, "ask", connectFactor*s.cfg.Timeout, func(ctx context.Context) error {
		return s.client.Publish(ctx, askChannel(from), message).Err()
	})
}

// takeRequest reads a request, and how long its answer is waited for, and takes
// it out of Redis: the one who gets it is the only one.
func (s *Store) takeRequest(ctx context.Context, nonce string) (request []byte, left time.Duration, err error) {
	var text *redis.StringCmd
	var ttl *redis.DurationCmd
	err = s.try(ctx, "ask", connectFactor*s.cfg.Timeout, func(ctx context.Context) error {
		_, err := s.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			ttl = pipe.PTTL(ctx, requestKey(nonce))
			text = pipe.Get(ctx, requestKey(nonce))
			pipe.Del(ctx, requestKey(nonce))
			return nil
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	request, err = text.Bytes()
	return request, ttl.Val(), err
}
