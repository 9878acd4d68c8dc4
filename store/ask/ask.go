// Package ask lets one instance ask another over the Redis that they share. A
// question is answered once at most. Nothing of it survives a crash: whoever asked
// gets no answer.
package ask

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

	"tapedeck/store"
)

// A request is a key that lasts as long as the asking instance waits for the answer.
// Its nonce is published to the instance that is asked. That instance removes the
// request from Redis, so that it is done once at most, and not at all if nobody waits
// any more. Then it publishes the answer to the instance that asked.
//
// Messages: "? <nonce> <instance that asks>", "! <nonce> <answer>", and
// "- <nonce> " for one that cannot be answered. If there is a key, the request in
// Redis, and the answer, have seals: what has none is not heard.
const (
	maxSize      = 1 << 16          // bytes of a request, or of an answer
	maxWaiting   = 256              // requests of this instance that wait for their answers
	maxAnswering = 16               // requests of others that are being answered
	askAtMost    = 30 * time.Second // how long a request lasts when ctx has no end
)

// ErrNoAnswer: the instance did not answer in time, or could not. What it was
// asked for may have been done all the same.
var ErrNoAnswer = errors.New("the instance does not answer")

// Handler answers what another instance asks of this one, or this one of itself.
// An answer has 64 KB at most; nil is an answer, too. ctx ends when the time for
// the answer is over, or when the Conn's Run ends.
type Handler func(ctx context.Context, request []byte) (answer []byte)

// Peers are the instances on one Redis, this one among them. Its methods may be
// called by any number of goroutines.
type Peers struct {
	conn   *store.Conn
	handle Handler // nil: this instance cannot answer
	own    pending
	seals  seals
}

// New adds the questions between instances to what a Conn does.
func New(conn *store.Conn) *Peers {
	p := &Peers{conn: conn, seals: newSeals(conn)}
	conn.Add(store.Subject{Serve: p.serve})
	return p
}

// Handle sets who answers. It has to be called before the Conn's Run and before
// Ask. Run calls h from goroutines of its own, 16 at once at most; Ask calls it in
// the goroutine of its caller.
func (p *Peers) Handle(h Handler) { p.handle = h }

func channel(instance string) string { return "tapedeck:{ask}:to:" + store.Escape(instance) }

func requestKey(nonce string) string { return "tapedeck:{ask}:request:" + store.Escape(nonce) }

// pending is the requests of this instance that wait for their answers, by nonce.
type pending struct {
	mu        sync.Mutex
	listening bool
	waiting   map[string]chan reply
}

// reply is what came back; not ok: the instance cannot answer.
type reply struct {
	text string
	ok   bool
}

// Ask asks an instance, by its id, and waits for the answer of its Handler until
// ctx ends, or for 30 s. A request or an answer has 64 KB at most. The Conn's Run
// has to go on meanwhile. The errors are ErrNoAnswer, store.ErrAway, the end of ctx
// by cancellation, and that the instance cannot be asked.
func (p *Peers) Ask(ctx context.Context, instance string, request []byte) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, askAtMost)
	defer cancel()
	var answer []byte
	var err error
	switch {
	case len(request) > maxSize:
		err = errors.New("the request is too large")
	case instance == p.conn.Instance():
		answer, err = p.askSelf(limited, request)
	case p.conn.Alone():
		err = ErrNoAnswer // there is no other
	default:
		answer, err = p.askOther(limited, instance, request)
	}
	if err != nil {
		return nil, fmt.Errorf("store: ask instance %s: %w", instance, err)
	}
	return answer, nil
}

func (p *Peers) askSelf(ctx context.Context, request []byte) ([]byte, error) {
	if p.handle == nil {
		return nil, ErrNoAnswer
	}
	answer := p.handle(ctx, request)
	if len(answer) > maxSize || ctx.Err() != nil {
		return nil, ErrNoAnswer
	}
	return answer, nil
}

func (p *Peers) askOther(ctx context.Context, instance string, request []byte) ([]byte, error) {
	random := make([]byte, 16)
	rand.Read(random) // never fails
	nonce := hex.EncodeToString(random)
	answer, err := p.own.begin(nonce)
	if err != nil {
		return nil, err
	}
	defer p.own.end(nonce)
	if err := p.publishRequest(ctx, instance, nonce, request); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		if !a.ok {
			return nil, ErrNoAnswer
		}
		return []byte(a.text), nil
	case <-ctx.Done():
		p.withdraw(ctx, nonce)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, ErrNoAnswer
	}
}

// publishRequest puts a request into Redis and publishes its nonce to the instance.
func (p *Peers) publishRequest(ctx context.Context, instance, nonce string, request []byte) error {
	end, _ := ctx.Deadline()
	left := time.Until(end)
	if left < time.Millisecond {
		return ErrNoAnswer
	}
	var heard int64
	sealed := p.seals.sealRequest(request, nonce, p.conn.Instance(), instance, end)
	err := p.conn.Try(ctx, "ask", p.conn.ConnectTimeout(), func(ctx context.Context) error {
		err := p.conn.Client().Set(ctx, requestKey(nonce), sealed, left).Err()
		if err == nil {
			heard, err = p.conn.Client().Publish(ctx, channel(instance), "? "+nonce+" "+p.conn.Instance()).Result()
		}
		return err
	})
	// A node of a cluster counts only its own listeners.
	if _, cluster := p.conn.Client().(*redis.ClusterClient); err == nil && heard == 0 && !cluster {
		p.withdraw(ctx, nonce)
		return ErrNoAnswer
	}
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrAway) {
		return ErrNoAnswer
	}
	return err
}

// withdraw takes back a request that nobody has taken. ctx may have ended.
func (p *Peers) withdraw(ctx context.Context, nonce string) {
	_ = p.conn.Try(context.WithoutCancel(ctx), "ask", p.conn.Timeout(), func(ctx context.Context) error {
		return p.conn.Client().Del(ctx, requestKey(nonce)).Err()
	})
}

// begin registers a request and returns where its answer arrives.
func (own *pending) begin(nonce string) (<-chan reply, error) {
	own.mu.Lock()
	defer own.mu.Unlock()
	switch {
	case !own.listening:
		return nil, fmt.Errorf("%w: no answer could be heard now", store.ErrAway)
	case len(own.waiting) >= maxWaiting:
		return nil, errors.New("too many wait for answers")
	}
	if own.waiting == nil {
		own.waiting = map[string]chan reply{}
	}
	own.waiting[nonce] = make(chan reply, 1)
	return own.waiting[nonce], nil
}

func (own *pending) end(nonce string) {
	own.mu.Lock()
	defer own.mu.Unlock()
	delete(own.waiting, nonce)
}

// arrive hands an answer to the one who waits for it. Only the first answer
// counts.
func (own *pending) arrive(nonce string, what reply) {
	own.mu.Lock()
	defer own.mu.Unlock()
	if answer := own.waiting[nonce]; answer != nil {
		answer <- what
		delete(own.waiting, nonce)
	}
}

func (own *pending) waits(nonce string) bool {
	own.mu.Lock()
	defer own.mu.Unlock()
	return own.waiting[nonce] != nil
}

func (own *pending) listen(yes bool) {
	own.mu.Lock()
	defer own.mu.Unlock()
	own.listening = yes
}

// serve answers the requests of others and takes the answers to ours, until ctx
// ends. Then it waits for the answers that are being made.
func (p *Peers) serve(ctx context.Context) {
	if p.conn.Alone() {
		return
	}
	var group sync.WaitGroup
	defer group.Wait()
	room := make(chan struct{}, maxAnswering)
	p.conn.Subscribe(ctx, channel(p.conn.Instance()), store.Subscriber{
		Begun: func() { p.own.listen(true) },
		Lost:  func() { p.own.listen(false) },
		Heard: func(message string) {
			kind, rest, _ := strings.Cut(message, " ")
			nonce, rest, _ := strings.Cut(rest, " ")
			switch kind {
			case "!", "-":
				p.heardAnswer(kind, nonce, rest)
			case "?":
				select {
				case room <- struct{}{}:
					group.Go(func() {
						defer func() { <-room }()
						p.answer(ctx, nonce, rest)
					})
				default: // too many at once: the asking instance gives up in time
				}
			}
		},
	})
}

// heardAnswer hands an answer on, if somebody waits for it and it is genuine.
func (p *Peers) heardAnswer(kind, nonce, sealed string) {
	if !p.own.waits(nonce) {
		return
	}
	if text, err := p.seals.openAnswer(kind, nonce, sealed); err == nil {
		p.own.arrive(nonce, reply{text: text, ok: kind == "!"})
	}
}

// answer takes a request out of Redis and answers it.
func (p *Peers) answer(ctx context.Context, nonce, from string) {
	request, left, err := p.takeRequest(ctx, nonce)
	if err != nil || left <= 0 {
		return // taken back, or already answered
	}
	if request, err = p.seals.openRequest(request, nonce, from, p.conn.Instance(), time.Now()); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	message := p.seals.sealAnswer("-", nonce, nil)
	if p.handle != nil {
		if text := p.handle(ctx, request); len(text) <= maxSize {
			message = p.seals.sealAnswer("!", nonce, text)
		} else {
			p.conn.Log().Error("answer to another instance is too large", "bytes", len(text))
		}
	}
	_ = p.conn.Try(ctx, "ask", p.conn.ConnectTimeout(), func(ctx context.Context) error {
		return p.conn.Client().Publish(ctx, channel(from), message).Err()
	})
}

// takeRequest removes a request from Redis and returns it, and how long its answer
// is waited for. Only one instance gets a request.
func (p *Peers) takeRequest(ctx context.Context, nonce string) (request []byte, left time.Duration, err error) {
	var text *redis.StringCmd
	var ttl *redis.DurationCmd
	err = p.conn.Try(ctx, "ask", p.conn.ConnectTimeout(), func(ctx context.Context) error {
		_, err := p.conn.Client().TxPipelined(ctx, func(pipe redis.Pipeliner) error {
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
