package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// lookEvery is how often Run asks Redis which policy counts: whether Redis
	// is there, and what a lost message would have told.
	lookEvery = 500 * time.Millisecond
	// lastWordsTime is what Run has for writing what is queued when it is ended.
	lastWordsTime = time.Second
)

// Run follows the policy in Redis, writes the states of calls and the index of
// recordings, gives a sign of life, looks for calls whose owner gives none, and
// brings all of it up to date when Redis is back. It blocks until ctx or the Store is ended,
// waits for its goroutines, tries for a moment to write what is queued, and
// returns nil. Only one Run may go on at a time.
func (s *Store) Run(ctx context.Context) error {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	look := make(chan struct{}, 1)
	var helpers sync.WaitGroup
	helpers.Go(func() { s.listen(ctx, look) })
	helpers.Go(func() { s.answer(ctx) })
	if !s.Alone() {
		helpers.Go(func() { s.beat(ctx) })
		if s.cfg.OnOrphans != nil {
			helpers.Go(func() { s.watch(ctx) })
		}
	}
	s.work(ctx, look)
	s.lastWords(ctx)
	helpers.Wait()
	s.leave(ctx)
	return nil
}

// begin notes that a Run goes on; end, that it does not any more.
func (s *Store) begin(ctx context.Context) (running context.Context, end func(), err error) {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed {
		return nil, nil, errors.New("store: run: it is closed")
	}
	if s.cancel != nil {
		return nil, nil, errors.New("store: run: it is running already")
	}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	s.cancel, s.stopped = cancel, stopped
	return ctx, func() {
		cancel()
		s.lifeMu.Lock()
		s.cancel = nil
		s.lifeMu.Unlock()
		close(stopped)
	}, nil
}

// listen asks for a look after each switch-over, and after each new
// subscription: what was published before it was not heard, and the Redis that
// was there before may be another one now.
func (s *Store) listen(ctx context.Context, look chan<- struct{}) {
	ask := func() {
		select {
		case look <- struct{}{}:
		default: // one is due already
		}
	}
	before := false
	s.subscribe(ctx, switchedChannel, subscriber{
		begun: func() {
			if before {
				s.doubt.Store(true)
			}
			before = true
			ask()
		},
		heard: func(string) { ask() },
	})
}

func (s *Store) work(ctx context.Context, look <-chan struct{}) {
	s.step(ctx, true)
	tick := time.NewTicker(s.lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			s.step(ctx, false)
		case <-look:
			s.step(ctx, true)
		case now := <-tick.C:
			if s.embedded != nil {
				s.embedded.age(now)
			}
			s.step(ctx, true)
		}
	}
}

// step does what there is to do now; look says whether Redis is to be asked
// what there is.
func (s *Store) step(ctx context.Context, look bool) {
	s.reportDropped()
	if !s.Up() && (!look || !s.back(ctx)) {
		return
	}
	if look || s.hasPending() {
		s.syncPolicy(ctx)
	}
	if s.lost.Load() && s.makeGood(ctx) {
		s.lost.Store(false)
	}
	unsure := s.unsure.Load()
	doubted := s.doubt.Swap(false)
	if doubted {
		clear(s.known)
		s.calls.again(unsure != 0)
		s.endAgain(ctx)
	}
	for s.Up() {
		s.writeCalls(ctx)
		s.announce(ctx)
		if doubted && s.Up() {
			s.sure(unsure)
			doubted = false
		}
		if !s.writeRecordings(ctx) {
			return
		}
	}
}

// back reports whether Redis is back.
func (s *Store) back(ctx context.Context) bool {
	if s.connect(ctx) != nil {
		return false
	}
	s.doubt.Store(true)
	s.setUp(true, nil)
	return true
}

// connect asks Redis for something twice: once with time enough to make a
// connection, and then to see whether it answers in the time of an operation.
func (s *Store) connect(ctx context.Context) error {
	for _, limit := range []time.Duration{connectFactor * s.cfg.Timeout, s.cfg.Timeout} {
		err := s.do(ctx, "connect", limit, func(ctx context.Context) error {
			return s.client.Exists(ctx, currentKey).Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// syncPolicy writes the policy that was applied here and is not in Redis yet,
// or else follows the one in Redis.
func (s *Store) syncPolicy(ctx context.Context) {
	if s.hasPending() {
		s.complain("policy not written to redis", s.writePending(ctx))
		return
	}
	before := s.view.Load()
	changed, err := s.follow(ctx)
	switch {
	case errors.Is(err, errNone), errors.Is(err, errOlder):
		s.restore(ctx, before)
	case err != nil:
		s.complain("policy in redis not taken", err)
	case changed:
		s.complain("", nil)
		p := s.Policy()
		s.log.Info("policy changed in redis", "revision", p.Revision)
		if s.cfg.OnPolicy != nil {
			s.cfg.OnPolicy(p)
		}
	}
}

// restore writes the policy of the memory, which was there before Redis said
// that it has none, or an older one.
func (s *Store) restore(ctx context.Context, before *view) {
	s.policyMu.Lock()
	stale := before.empty() || s.pending != nil || s.view.Load() != before
	if !stale {
		s.pending = before
	}
	s.policyMu.Unlock()
	if stale {
		return
	}
	if before.generation != "" {
		s.doubt.Store(true) // and the calls with it
		s.log.Warn("redis has lost the policy: writing it again", "revision", before.policy.Revision)
	}
	s.complain("policy not written to redis", s.writePending(ctx))
}

// makeGood tells a Redis that has lost data what is not written again anyway.
func (s *Store) makeGood(ctx context.Context) bool {
	if s.doubtIndex(ctx) != nil {
		return false
	}
	if err := s.dropAgain(ctx); err != nil {
		s.complain("ended sessions may be valid again: redis has lost data", err)
		return false
	}
	return true
}

// lastWords writes what is queued after the end of ctx.
func (s *Store) lastWords(ctx context.Context) {
	if s.Up() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWordsTime)
		defer cancel()
		s.step(ctx, false)
	}
	s.reportDropped()
	if n := s.calls.queued(); n > 0 {
		s.log.Warn("states of calls not written to redis", "calls", n)
	}
	if n := s.recordings.queued(); n > 0 {
		s.log.Warn("recordings not written to the index in redis: run `tapedeck recordings reindex`", "recordings", n)
	}
}
