// Package store is the connection to Redis that the subjects below it share, and
// the one ordered step in which they write: store/policy (the policy and what
// each element inherits), store/calls (live calls and who owns them), store/index
// (the recordings), store/session (the console's sessions) and store/ask (questions
// between instances).
//
// Nothing that a call waits for touches Redis: decisions are taken from a copy in
// memory that follows every change, and what is to be written is queued and
// written by Conn.Run. A Redis that is slow counts as one that is away, and one
// that is away costs no call anything (docs/design.md, section 11).
//
// What survives a crash is what Redis has. A crash of this process loses what is
// queued. A crash of Redis loses what Redis had not yet written to its disk; Run
// notices that and has the subjects write it again.
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
)

// DefaultTimeout is how long one operation may take.
const DefaultTimeout = 50 * time.Millisecond

// embeddedTimeout is the least Config.Timeout of the embedded server: it cannot
// be away, but a busy machine can make it slow.
const embeddedTimeout = time.Second

// The times that follow from Config.Timeout. No call ever waits for either.
const (
	connectFactor = 10 // to connect, TLS and password included, while Redis is away
	bulkFactor    = 40 // to read or write a whole policy or all live calls
)

// Config says how to open a Conn.
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
	// Keys are secrets that are not in Redis, the same for all instances on it. The
	// first seals what is written there; what none of them has sealed is not believed.
	// None: everything in Redis is believed. See Seal.
	Keys []string
	// OnForged, if not nil, is told of every record that is not believed: session,
	// policy, call, recording, ask or answer.
	OnForged func(record string)
	// OnUp, if not nil, is told when Redis comes or goes, and by Open how it is
	// at first. Its calls do not overlap. It must not call the Conn.
	OnUp func(up bool)
	// Instance is the id of this process among those on one Redis. No other
	// process, and no later one, may have it. Empty: a random one.
	Instance string
	// LookEvery is how often Run asks Redis what there is; 0 means half a second.
	LookEvery time.Duration
}

// Conn is the connection to Redis: a pool of connections to one server, a
// Sentinel's master, a cluster, or the server embedded in this process. Its
// methods may be called by any number of goroutines.
type Conn struct {
	cfg      Config
	log      *slog.Logger
	client   redis.UniversalClient
	embedded *embedded // nil: Redis is another process

	up   atomic.Bool
	upMu sync.Mutex // orders the changes of up and the calls of OnUp

	subjects  []Subject
	wake      chan struct{} // something is queued
	look      chan struct{} // Redis is to be asked what there is
	doubt     atomic.Bool   // Redis may have lost what it had
	lost      atomic.Bool   // it has
	complaint string        // the last one that was logged; Open's and Run's own

	life lifetime
}

// Open connects to Redis. A Redis that cannot be reached is no error: Up says
// so, and Run keeps trying. An address that cannot be read is one. When Redis
// does not answer, Open gives it ten times Config.Timeout.
//
// go-redis has one logger for the whole process, which writes to stderr; Open
// turns it off, because the Conn reports the same errors itself.
func Open(ctx context.Context, cfg Config) (*Conn, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Redis != "" && cfg.Redis != Embedded {
		client, err := newClient(cfg.Redis, cfg.limits())
		if err != nil {
			return nil, err
		}
		return open(ctx, cfg, client, nil), nil
	}
	cfg.Timeout = max(cfg.Timeout, embeddedTimeout)
	e, err := newEmbedded()
	if err != nil {
		return nil, err
	}
	return open(ctx, cfg, e.client(cfg.limits()), e), nil
}

func (cfg Config) limits() limits {
	return limits{dial: connectFactor * cfg.Timeout, wait: bulkFactor * cfg.Timeout}
}

func open(ctx context.Context, cfg Config, client redis.UniversalClient, e *embedded) *Conn {
	logging.Disable()
	if cfg.LookEvery <= 0 {
		cfg.LookEvery = lookEvery
	}
	if cfg.Instance == "" {
		id := make([]byte, 8)
		rand.Read(id) // never fails
		cfg.Instance = hex.EncodeToString(id)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Conn{cfg: cfg, log: cfg.Logger, client: client, embedded: e, wake: make(chan struct{}, 1), look: make(chan struct{}, 1)}
	c.life.open()
	if err := c.connect(ctx); err != nil {
		c.log.Warn("redis is away: going on without it", "error", err)
		if c.cfg.OnUp != nil {
			c.cfg.OnUp(false)
		}
		return c
	}
	c.setUp(true, nil)
	return c
}

// Close ends Run, waits for it, and closes the connections and the embedded
// server. What is queued is lost unless Run could write it; see Run.
func (c *Conn) Close() error {
	if !c.life.end() {
		return nil
	}
	err := c.client.Close()
	if c.embedded != nil {
		c.embedded.stop()
	}
	if err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// Up reports whether Redis answered when it was last asked.
func (c *Conn) Up() bool { return c.up.Load() }

// Instance is the id of this process among those on the same Redis.
func (c *Conn) Instance() string { return c.cfg.Instance }

// Alone reports whether there can be no other instance on this Redis, because
// it is the embedded one.
func (c *Conn) Alone() bool { return c.embedded != nil }

// Client is the client that the operations of Do and Try use. The Conn owns it.
func (c *Conn) Client() redis.UniversalClient { return c.client }

// Log is the logger of the Config, never nil.
func (c *Conn) Log() *slog.Logger { return c.log }

func (c *Conn) setUp(up bool, cause error) {
	c.upMu.Lock()
	defer c.upMu.Unlock()
	if c.up.Swap(up) == up {
		return
	}
	if up {
		c.log.Info("redis is up")
	} else {
		c.log.Warn("redis is away: going on without it", "error", cause)
	}
	if c.cfg.OnUp != nil {
		c.cfg.OnUp(up)
	}
}

// connect asks Redis for something twice: once with time enough to make a
// connection, and then to see whether it answers in the time of an operation.
func (c *Conn) connect(ctx context.Context) error {
	for _, limit := range []time.Duration{c.ConnectTimeout(), c.Timeout()} {
		if err := c.probe(ctx, limit); err != nil {
			return err
		}
	}
	return nil
}

// probe asks Redis for anything, to see whether it answers.
func (c *Conn) probe(ctx context.Context, limit time.Duration) error {
	return c.Do(ctx, "connect", limit, func(ctx context.Context) error {
		return c.client.Exists(ctx, probedKey).Err()
	})
}

// lifetime knows whether a Conn is open and whether a Run goes on.
type lifetime struct {
	ctx     context.Context // ended when the Conn is closed
	close   context.CancelFunc
	mu      sync.Mutex
	cancel  context.CancelFunc // of the Run that goes on
	stopped chan struct{}      // closed when it has ended
	closed  bool
}

func (l *lifetime) open() { l.ctx, l.close = context.WithCancel(context.Background()) }

// end ends the Run that goes on and waits for it. It reports false if that was
// done before.
func (l *lifetime) end() bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.closed = true
	cancel, stopped := l.cancel, l.stopped
	l.mu.Unlock()
	l.close()
	if cancel != nil {
		cancel()
		<-stopped
	}
	return true
}

// run notes that a Run goes on; end, that it does not any more.
func (l *lifetime) run(ctx context.Context) (running context.Context, end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, errors.New("store: run: it is closed")
	}
	if l.cancel != nil {
		return nil, nil, errors.New("store: run: it is running already")
	}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	l.cancel, l.stopped = cancel, stopped
	return ctx, func() {
		cancel()
		l.mu.Lock()
		l.cancel = nil
		l.mu.Unlock()
		close(stopped)
	}, nil
}

// WhileOpen is ctx as long as the Conn is open; end has to be called. It is an
// error that the Conn is closed.
func (c *Conn) WhileOpen(ctx context.Context) (open context.Context, end func(), err error) {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	if c.life.closed {
		return nil, nil, errors.New("it is closed")
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(c.life.ctx, cancel)
	return ctx, func() { stop(); cancel() }, nil
}
