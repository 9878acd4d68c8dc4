// Package store keeps in Redis what several Tapedecks share: the policy, with
// each element's inheritance chain, and the calls that are live. Nothing that a
// call waits for touches Redis: decisions are taken from a copy in memory that
// follows every change, and states of calls are queued and written by Run. A
// Redis that is slow counts as one that is away, and one that is away costs no
// call anything (docs/design.md, section 11).
package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"tapedeck/flow"
)

// Errors that a caller may want to tell apart, with errors.Is.
var (
	// ErrAway: Redis cannot be reached, does not answer in time, or refuses to
	// serve. What was to be written is kept and written when it is back.
	ErrAway = errors.New("redis is away")
	// ErrCorrupt: what is in Redis is not what a Tapedeck of this version
	// writes, or not the whole of it. The running policy stays.
	ErrCorrupt = errors.New("corrupt")
)

// DefaultTimeout is how long one operation may take.
const DefaultTimeout = 50 * time.Millisecond

// embeddedTimeout is the least Config.Timeout of the embedded server: it cannot
// be away, but a machine that is busy can make it slow.
const embeddedTimeout = time.Second

// The times that follow from Config.Timeout. Neither is ever waited for by a call.
const (
	connectFactor = 10 // to connect, TLS and password included, while Redis is away
	bulkFactor    = 40 // to read or write a whole policy or all live calls
)

// Config says how to open a Store.
type Config struct {
	// Redis is the address: Embedded (or empty), a redis://, rediss:// or
	// unix:// URL, several of them with commas between them (a cluster), or
	// redis+sentinel://host:port,host:port/master.
	Redis string
	// Timeout is for one operation; 0 means DefaultTimeout. The embedded server
	// has a second at least.
	Timeout time.Duration
	// Logger may be nil.
	Logger *slog.Logger
	// Observe, if not nil, is told of every operation on Redis: connect,
	// policy_current, policy_read, policy_write, policy_switch, policy_expire,
	// calls_write, calls_read, calls_changed, call_claim, beat, beats_read, ask,
	// recordings_write, recordings_read, recordings_index, sessions.
	Observe func(operation string, d time.Duration, err error)
	// OnUp, if not nil, is told when Redis comes or goes, and by Open how it is
	// at first. Calls do not overlap. It must not call the Store.
	OnUp func(up bool)
	// OnPolicy, if not nil, is told of a policy that another Tapedeck has put
	// into Redis, once Policy gives it. It is called by Run, one call at a time.
	OnPolicy func(*flow.Policy)
	// Instance is the id of this process among those on one Redis. No other, and
	// no later one, may have it. Empty: a random one.
	Instance string
	// OnLost, if not nil, is told of a call of ours whose state was not written,
	// because it belongs to another instance now or was ended by it. It is
	// called by Run, one call at a time.
	OnLost func(organisation, id string)
	// OnOrphans, if not nil, is told of live calls whose owner is dead, again
	// each second while there are some. It is called by a goroutine of Run's,
	// one call at a time; it may call Claim.
	OnOrphans func([]Call)
	// OnAsk, if not nil, answers what another instance asks of this one (see
	// Ask), or this one of itself: 64 KB at most; nil is an answer too. It is
	// called by goroutines of Run's, 16 at once at most, or of Ask's; its ctx ends
	// when the time for the answer is over, or Run is.
	OnAsk func(ctx context.Context, request []byte) []byte
}

// Store is the connection to Redis and the copy in memory. Its methods may be
// called by any number of goroutines.
type Store struct {
	cfg      Config
	log      *slog.Logger
	client   redis.UniversalClient
	embedded *embedded // nil: Redis is another process

	view atomic.Pointer[view]
	up   atomic.Bool
	upMu sync.Mutex // orders the changes of up and the calls of OnUp

	policyMu sync.Mutex
	pending  *view      // in memory, not yet known to be in Redis
	outdated []outdated // in Redis, to be given an expiry
	bad      string     // the generation that was last found corrupt
	writing  sync.Mutex // held while a policy is written

	asks asks

	calls     queue
	changes   changes
	wake      chan struct{}
	known     map[string]bool // organisations in organisationsKey; Run's own
	reported  uint64          // how many dropped states were logged; Run's own
	complaint string          // the last one that was logged; Run's own
	doubt     atomic.Bool     // Redis may have lost what it had
	lost      atomic.Bool     // it has
	ticked    atomic.Int64    // when a sign of life was last tried, Unix ns
	beaten    atomic.Int64    // when the last one was given
	unsure    atomic.Int64    // since when our calls may be others'; 0: they are not

	searches          chan struct{} // as many as go on
	recordings        recordingQueue
	reportedRecording uint64 // how many dropped ones were logged; Run's own

	signedOut recent[string, string] // ids of sessions that were ended here, and their accounts

	lookEvery time.Duration
	lease     lease

	life    context.Context // ended by Close
	endLife context.CancelFunc
	lifeMu  sync.Mutex
	cancel  context.CancelFunc // of the Run that is going on
	stopped chan struct{}      // closed when it has ended
	closed  bool
}

// Open makes a Store and reads the policy that is in Redis. A Redis that cannot
// be reached is no error: Up says so, and Run keeps trying. An address that
// cannot be read is one. When Redis does not answer, Open gives it ten
// times Config.Timeout.
//
// go-redis has one logger for the whole process, which writes to stderr; Open
// turns it off, because the Store reports the same errors itself.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Redis != "" && cfg.Redis != Embedded {
		client, err := newClient(cfg.Redis, cfg.limits())
		if err != nil {
			return nil, err
		}
		return newStore(ctx, cfg, client)
	}
	cfg.Timeout = max(cfg.Timeout, embeddedTimeout)
	e, err := newEmbedded()
	if err != nil {
		return nil, err
	}
	s, err := newStore(ctx, cfg, e.client(cfg.limits()))
	if err != nil {
		return nil, err
	}
	s.embedded = e
	return s, nil
}

func (cfg Config) limits() limits {
	return limits{dial: connectFactor * cfg.Timeout, wait: bulkFactor * cfg.Timeout}
}

func newStore(ctx context.Context, cfg Config, client redis.UniversalClient) (*Store, error) {
	logging.Disable()
	empty, err := newView(&flow.Policy{Version: flow.Version})
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	s := &Store{
		cfg: cfg, log: cfg.Logger, client: client,
		calls: queue{limit: maxCalls, over: recent[callID, int64]{limit: maxOver, keep: callTTL}}, known: map[string]bool{}, wake: make(chan struct{}, 1),
		recordings: recordingQueue{limit: maxRecordings}, searches: make(chan struct{}, atOnce),
		signedOut: recent[string, string]{limit: maxDropped, keep: dropKeep},
		lookEvery: lookEvery, lease: defaultLease(),
	}
	s.life, s.endLife = context.WithCancel(context.Background())
	if s.cfg.Instance == "" {
		id := make([]byte, 8)
		rand.Read(id) // never fails
		s.cfg.Instance = hex.EncodeToString(id)
	}
	s.calls.owner = s.cfg.Instance
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.view.Store(empty)
	s.first(ctx)
	return s, nil
}

// first connects and reads the policy, if Redis is there.
func (s *Store) first(ctx context.Context) {
	if err := s.connect(ctx); err != nil {
		s.log.Warn("redis is away: going on without it", "error", err)
		if s.cfg.OnUp != nil {
			s.cfg.OnUp(false)
		}
		return
	}
	s.setUp(true, nil)
	if _, err := s.follow(ctx); !errors.Is(err, errNone) {
		s.complain("policy in redis not taken", err)
	}
}

// Close ends Run, waits for it, and closes the connections and the embedded
// server. What is queued is lost unless Run could write it; see Run.
func (s *Store) Close() error {
	s.lifeMu.Lock()
	if s.closed {
		s.lifeMu.Unlock()
		return nil
	}
	s.closed = true
	cancel, stopped := s.cancel, s.stopped
	s.lifeMu.Unlock()
	s.endLife()
	if cancel != nil {
		cancel()
		<-stopped
	}
	err := s.client.Close()
	if s.embedded != nil {
		s.embedded.stop()
	}
	if err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// Up reports whether Redis answered when it was last asked.
func (s *Store) Up() bool { return s.up.Load() }

func (s *Store) setUp(up bool, cause error) {
	s.upMu.Lock()
	defer s.upMu.Unlock()
	if s.up.Swap(up) == up {
		return
	}
	if up {
		s.log.Info("redis is up")
	} else {
		s.log.Warn("redis is away: going on without it", "error", cause)
	}
	if s.cfg.OnUp != nil {
		s.cfg.OnUp(up)
	}
}

// do runs one operation on Redis within its time, tells Observe, and notes
// when Redis is away. Its errors are redis.Nil, redis.TxFailedErr, ErrCorrupt,
// the end of ctx itself, and else ErrAway with the cause.
func (s *Store) do(ctx context.Context, operation string, limit time.Duration, f func(context.Context) error) error {
	err := s.try(ctx, operation, limit, f)
	if errors.Is(err, ErrAway) {
		s.setUp(false, err)
	}
	return err
}

// try is do for what says nothing about whether Redis is there.
func (s *Store) try(ctx context.Context, operation string, limit time.Duration, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	err := s.classify(ctx, f(limited))
	if s.cfg.Observe != nil {
		seen := err
		if errors.Is(err, redis.Nil) {
			seen = nil
		}
		s.cfg.Observe(operation, time.Since(begin), seen)
	}
	return err
}

func (s *Store) classify(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, redis.TxFailedErr), errors.Is(err, ErrCorrupt):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case foreign(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// complain logs an error of something that nobody waits for and that is tried
// again and again: once, until it is another one. That Redis is away is logged
// by setUp. Open and Run call it.
func (s *Store) complain(message string, err error) {
	switch {
	case err == nil:
		s.complaint = ""
	case errors.Is(err, ErrAway), errors.Is(err, context.Canceled), s.complaint == message+err.Error():
	default:
		s.complaint = message + err.Error()
		s.log.Error(message, "error", err)
	}
}
