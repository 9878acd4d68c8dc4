package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// embedded is a Redis server inside this process. It listens nowhere: each
// connection is a pair of sockets on the loopback interface that both ends keep
// (a net.Pipe has no buffer, and a long pipeline would block both its ends).
// Its data ends with the process.
type embedded struct {
	mu     sync.Mutex
	server *miniredis.Miniredis
	closed bool
	aged   time.Time // when age was last called
}

func newEmbedded() (*embedded, error) {
	e := &embedded{server: miniredis.NewMiniRedis(), aged: time.Now()}
	first, err := e.server.Dial() // which makes it serve, without a listener
	if err != nil {
		return nil, fmt.Errorf("store: start embedded redis: %w", err)
	}
	return e, first.Close()
}

// stop ends every connection and waits for the goroutines that served them.
func (e *embedded) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		e.server.Close()
	}
}

// ageEvery is how often Run calls age. A key may expire that much too early, because
// all keys lose the same time, however young they are.
const ageEvery = time.Second

// age lets keys expire: miniredis has no clock of its own. (Its ClockTTL looks
// through all keys at every command, which costs more than the command.)
func (e *embedded) age(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if passed := now.Sub(e.aged); passed >= ageEvery {
		e.aged = now
		e.server.FastForward(passed)
	}
}

// dial is a redis.Options.Dialer.
func (e *embedded) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errors.New("embedded redis is stopped")
	}
	near, far, err := socketPair(ctx)
	if err != nil {
		return nil, err
	}
	e.server.Server().ServeConn(far)
	return near, nil
}

func (e *embedded) client(l limits) redis.UniversalClient {
	return redis.NewClient(&redis.Options{
		Addr: Embedded, Dialer: e.dial,
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: l.dial, ReadTimeout: l.wait, WriteTimeout: l.wait, PoolTimeout: l.wait,
		ContextTimeoutEnabled: true,
		PoolSize:              poolSize, PipelinePoolSize: -1,
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// socketPair makes two connected TCP sockets on the loopback interface. The
// listener for them is closed before the pair is handed out, and the connection of a
// stranger who dials it meanwhile is closed.
func socketPair(ctx context.Context) (near, far net.Conn, err error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if err := l.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, nil, err
	}
	near, err = (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	for {
		far, err = l.Accept()
		if err != nil {
			near.Close()
			return nil, nil, err
		}
		if far.RemoteAddr().String() == near.LocalAddr().String() {
			return near, far, nil
		}
		far.Close()
	}
}
