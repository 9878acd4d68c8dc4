package esl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Link is an inbound connection to one FreeSWITCH. Whenever it is lost, it dials
// again. Its fields must not change after Run was called.
type Link struct {
	Name      string   // in logs and errors
	Address   string   // host:port of event_socket.conf.xml, listen-ip and listen-port
	Password  Secret   // its password
	Subscribe []string // event names and CUSTOM subclasses, see Events

	// OnConnect, if set, is called after each log-in, when events already come and
	// wait: the place to ask which channels are live and to catch up. Its error
	// ends the connection. OnEvent gets every event, in order. OnDown, if set, gets
	// the reason why a logged-in connection has ended. Run's goroutine calls all
	// three, one at a time.
	OnConnect func(context.Context, *Conn) error
	OnEvent   func(*Event)
	OnDown    func(error)

	Logger *slog.Logger // nil: slog.Default
	Limits Limits

	// DialTimeout is how long dialling may take, and then how long the log-in may
	// take: 5 s each.
	DialTimeout time.Duration
	// MinBackoff and MaxBackoff are the shortest and the longest pause between two
	// attempts: 100 ms and 2 s. The pause doubles with each attempt, and each is
	// shortened at random by up to a half.
	MinBackoff, MaxBackoff time.Duration
	// Idle is how long the peer may be silent before it is asked for a sign of
	// life: 3 s. Answer is how long it may take to give one: 2 s. A sign of life is
	// a whole message, or 4 KB of one.
	Idle, Answer time.Duration

	conn atomic.Pointer[Conn]
}

// Up reports whether the link is connected, logged in and subscribed.
func (l *Link) Up() bool { return l.live() != nil }

func (l *Link) live() *Conn {
	if c := l.conn.Load(); c != nil && c.cause() == nil {
		return c
	}
	return nil
}

// Send is Conn.Send on the present connection. Without one it fails at once with
// ErrLinkDown.
func (l *Link) Send(ctx context.Context, cmd Command) (Reply, error) {
	c := l.live()
	if c == nil {
		return Reply{}, &SendError{Name: cmd.Name(), Err: ErrLinkDown}
	}
	return c.Send(ctx, cmd)
}

// SendAll is Conn.SendAll on the present connection. Without one it fails at once
// with ErrLinkDown.
func (l *Link) SendAll(ctx context.Context, cmds []Command) ([]Reply, error) {
	c := l.live()
	if c == nil {
		return nil, linkDown(cmds)
	}
	return c.SendAll(ctx, cmds)
}

// Post is Conn.Post on the present connection. Without one it fails at once with
// ErrLinkDown.
func (l *Link) Post(ctx context.Context, cmds []Command) (wait func() ([]Reply, error)) {
	c := l.live()
	if c == nil {
		return failed(linkDown(cmds))
	}
	return c.Post(ctx, cmds)
}

func linkDown(cmds []Command) error {
	name := ""
	if len(cmds) > 0 {
		name = cmds[0].Name()
	}
	return &SendError{Name: name, Err: ErrLinkDown}
}

// Run keeps the link connected until ctx ends, and returns the cause of that. It
// may be called once.
func (l *Link) Run(ctx context.Context) error {
	log := cmp.Or(l.Logger, slog.Default()).With("switch", l.Name)
	least, most := cmp.Or(l.MinBackoff, 100*time.Millisecond), cmp.Or(l.MaxBackoff, 2*time.Second)
	pause, last := least, ""
	for {
		began := time.Now()
		err := l.session(ctx, log)
		if ctx.Err() != nil {
			return fmt.Errorf("esl: link %s: %w", l.Name, context.Cause(ctx))
		}
		if time.Since(began) > most { // the session was up for a while
			pause, last = least, ""
		}
		if text := rootOf(err).Error(); text != last { // the same cause is logged once
			log.Warn("link is down, redialling", "error", err)
			last = text
		}
		wait(ctx, pause/2+rand.N(pause/2+1))
		pause = min(2*pause, most)
	}
}

// rootOf is the innermost cause of an error. Unlike the outer ones it does not name
// the local port, which changes with each attempt.
func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// session is one connection from dialling to its end.
func (l *Link) session(ctx context.Context, log *slog.Logger) error {
	conn, err := l.dial(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer conn.Close()
	defer cancel()
	running.Go(func() { _ = conn.Run(ctx) }) // why it ended is in conn.Err

	if err := l.login(ctx, conn); err != nil {
		return err
	}
	running.Go(func() { l.heartbeat(ctx, conn) })
	l.conn.Store(conn)
	defer l.conn.Store(nil)
	log.Info("link is up", "address", l.Address)
	err = l.deliver(ctx, conn)
	if l.OnDown != nil {
		l.OnDown(err)
	}
	return err
}

func (l *Link) dial(ctx context.Context) (*Conn, error) {
	dialer := net.Dialer{
		Timeout: cmp.Or(l.DialTimeout, 5*time.Second),
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
		},
	}
	nc, err := dialer.DialContext(ctx, "tcp", l.Address)
	if err != nil {
		return nil, l.failed("dial", err)
	}
	return NewConn(nc, l.Limits), nil
}

// login waits for auth/request, sends the password and subscribes.
func (l *Link) login(ctx context.Context, conn *Conn) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.DialTimeout, 5*time.Second))
	defer cancel()
	select {
	case <-conn.greeted:
	case <-conn.done:
	case <-ctx.Done():
		return l.failed("log in", fmt.Errorf("no auth/request from %s: is it an event socket? %w", l.Address, context.Cause(ctx)))
	}
	reply, err := conn.Send(ctx, Auth(l.Password))
	switch {
	case errors.Is(err, ErrACL):
		return l.failed("log in", fmt.Errorf("%w: add this host, %s, to the list that "+
			"apply-inbound-acl in event_socket.conf.xml names (lists are in acl.conf.xml; then run reloadacl)",
			conn.cause(), host(conn.nc.LocalAddr())))
	case err != nil:
		return l.failed("log in", err)
	case !reply.OK():
		return l.failed("log in", fmt.Errorf("%w: FreeSWITCH replied %q: "+
			"give the link the value of the param \"password\" in event_socket.conf.xml at %s",
			ErrPassword, clip(reply.Text()), l.Address))
	}
	return l.subscribe(ctx, conn)
}

func (l *Link) subscribe(ctx context.Context, conn *Conn) error {
	if len(l.Subscribe) == 0 {
		return nil
	}
	reply, err := conn.Send(ctx, Events(l.Subscribe...))
	if err == nil {
		err = reply.failure()
	}
	if err != nil {
		return l.failed("subscribe", err)
	}
	return nil
}

// deliver calls OnConnect and then OnEvent for every event, until the
// connection has ended and its last event is handled.
func (l *Link) deliver(ctx context.Context, conn *Conn) error {
	if l.OnConnect != nil {
		if err := l.OnConnect(ctx, conn); err != nil {
			return l.failed("after connecting", err)
		}
	}
	for {
		e, err := conn.Next(ctx)
		if err != nil {
			if cause := conn.cause(); cause != nil {
				err = cause
			}
			return l.failed("connection lost", err)
		}
		if l.OnEvent != nil {
			l.OnEvent(e)
		}
	}
}

// heartbeat ends a connection whose peer has vanished without closing it. When
// nothing has come for Idle, it sends a command that costs FreeSWITCH nothing; then
// any message counts as an answer. So no command on a link may keep FreeSWITCH
// busy for longer than Idle and Answer. FreeSWITCH's event HEARTBEAT is no
// substitute: it comes as rarely as switch.conf says, and proves one direction
// only. Nor is TCP's keepalive: it takes half a minute, and does not notice a
// FreeSWITCH that hangs.
func (l *Link) heartbeat(ctx context.Context, conn *Conn) {
	idle, answer := cmp.Or(l.Idle, 3*time.Second), cmp.Or(l.Answer, 2*time.Second)
	for {
		silent := time.Since(time.Unix(0, conn.heard.Load()))
		if silent < idle {
			wait(ctx, idle-silent)
		} else {
			askCtx, cancel := context.WithTimeout(ctx, answer)
			asked := conn.heard.Load()
			_, err := conn.Send(askCtx, API("hostname"))
			cancel()
			if err != nil && conn.heard.Load() == asked {
				conn.fail(fmt.Errorf("%w: no sign of life within %v", ErrSilent, answer))
			}
		}
		if ctx.Err() != nil || conn.cause() != nil {
			return
		}
	}
}

// failed is an error of this link: what it was doing, and the cause.
func (l *Link) failed(doing string, err error) error {
	if sent, ok := err.(*SendError); ok { // its text would repeat the prefix
		err = sent.Err
	}
	return fmt.Errorf("esl: link %s: %s: %w", l.Name, doing, err)
}
