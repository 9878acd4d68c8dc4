package esl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// Why a Server turned a connection away or cut it; the argument of
// Server.Rejected.
const (
	ReasonNotAllowed    = "peer_not_allowed"     // its address is not in Allow
	ReasonTooMany       = "too_many_connections" // there are MaxConns already
	ReasonNoChannelData = "no_channel_data"      // it did not answer connect in time, or closed
	ReasonBadProtocol   = "bad_protocol"         // what it sent was no event socket, or too large
	ReasonHandlerPanic  = "handler_panic"        // Handle panicked
)

// A Server takes the outbound connections that FreeSWITCH opens for a call.
// Its fields are not changed after Serve was called.
type Server struct {
	// Allow is who may connect; nobody if it is empty. An IPv4 address that
	// comes in IPv6 dress (::ffff:127.0.0.1) is taken for what it is.
	Allow []netip.Prefix
	// MaxConns is how many connections there may be at once, before and during
	// Handle: 1024.
	MaxConns int
	// ConnectTimeout is how long a peer may take to give its channel's data: 5 s.
	ConnectTimeout time.Duration
	// Grace is how long calls in hand may go on when Serve's context has
	// ended; then they are cut. 10 s.
	Grace  time.Duration
	Limits Limits
	// Handle has the call until it returns; then the connection is closed and,
	// on a synchronous socket, the dialplan goes on. Its context ends with the
	// connection, and when Grace is over. A panic is contained: it costs this
	// connection alone.
	Handle func(context.Context, *Call)
	Logger *slog.Logger // nil: slog.Default
	// Rejected, if set, is told the reason for each connection turned away or
	// cut by the Server.
	Rejected func(reason string)
	// Connections, if set, is told +1 and -1 as connections are taken and end.
	Connections func(delta int)
}

// A Call is one channel that FreeSWITCH has handed to the outbound socket.
type Call struct {
	*Conn
	Data *Event // the channel's data, as `connect` answered it
}

// UUID is the channel's id.
func (c *Call) UUID() string { return c.Data.Get("Unique-ID") }

// serving is the state of one Serve.
type serving struct {
	*Server
	log   *slog.Logger
	slots chan struct{}
	ctx   context.Context // of the connections: ends after the grace period
	conns sync.WaitGroup
}

// Serve takes connections from ln until ctx ends, waits for the calls in hand
// and returns nil, or the listener's error. It closes ln. When it returns,
// every goroutine it started is gone, which needs every Handle to return when
// its context ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	connCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	v := &serving{
		Server: s,
		log:    cmp.Or(s.Logger, slog.Default()),
		slots:  make(chan struct{}, cmp.Or(s.MaxConns, 1024)),
		ctx:    connCtx,
	}
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	err := v.accept(ctx, ln)
	stop()
	_ = ln.Close()
	grace := time.AfterFunc(cmp.Or(s.Grace, 10*time.Second), cut)
	defer grace.Stop()
	v.conns.Wait()
	return err
}

// accept takes connections until ctx ends.
func (v *serving) accept(ctx context.Context, ln net.Listener) error {
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case err != nil && passing(err):
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			v.log.Warn("accept failed, trying again", "error", err, "pause", pause)
			wait(ctx, pause)
		case err != nil:
			return fmt.Errorf("esl: serve: %w", err)
		default:
			pause = 0
			v.admit(nc)
		}
	}
}

// passing reports whether Accept may work again later: the process or the
// machine is out of something, or the peer went away.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit starts the connection or turns it away. Turning away costs no
// goroutine.
func (v *serving) admit(nc net.Conn) {
	if !allowed(v.Allow, nc.RemoteAddr()) {
		v.reject(ReasonNotAllowed, nc.RemoteAddr(), nil)
		_ = nc.Close()
		return
	}
	select {
	case v.slots <- struct{}{}:
	default:
		v.reject(ReasonTooMany, nc.RemoteAddr(), nil)
		_ = nc.Close()
		return
	}
	v.conns.Go(func() {
		defer func() { <-v.slots }()
		v.count(+1)
		defer v.count(-1)
		v.carry(nc)
	})
}

// carry runs one connection from its first byte to its last.
func (v *serving) carry(nc net.Conn) {
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	conn := NewConn(nc, v.Limits)
	var running sync.WaitGroup
	running.Go(func() {
		_ = conn.Run(ctx) // why it ended is in conn.Err
		cancel()
	})
	defer running.Wait()
	defer conn.Close()

	data, reason, err := v.connect(ctx, conn)
	switch {
	case v.ctx.Err() != nil: // grace is over: nobody's fault
		return
	case err != nil:
		v.reject(reason, nc.RemoteAddr(), err)
		return
	}
	v.handle(ctx, &Call{Conn: conn, Data: data})
	if err := conn.cause(); errors.Is(err, ErrProtocol) || errors.Is(err, ErrLimit) {
		v.reject(ReasonBadProtocol, nc.RemoteAddr(), err)
	}
}

// connect asks the peer for its channel's data.
func (v *serving) connect(ctx context.Context, conn *Conn) (data *Event, reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(v.ConnectTimeout, 5*time.Second))
	defer cancel()
	reply, err := conn.Send(ctx, Connect())
	switch {
	case errors.Is(err, ErrProtocol) || errors.Is(err, ErrLimit):
		return nil, ReasonBadProtocol, err
	case err != nil:
		return nil, ReasonNoChannelData, err
	}
	data = reply.Event()
	if data.Get("Unique-ID") == "" {
		return nil, ReasonNoChannelData, fmt.Errorf("connect: no Unique-ID in the reply %q", clip(reply.Text()))
	}
	return data, "", nil
}

// handle calls Handle and contains its panic.
func (v *serving) handle(ctx context.Context, call *Call) {
	defer func() {
		if p := recover(); p != nil {
			v.log.Error("handler panicked, connection closed", "panic", p, "call", call.UUID(), "stack", string(debug.Stack()))
			v.told(ReasonHandlerPanic)
		}
	}()
	v.Handle(ctx, call)
}

// reject counts and logs a connection that was turned away or cut. A flood
// must not become a flood of lines: those of strangers are at level debug.
func (v *serving) reject(reason string, peer net.Addr, err error) {
	v.told(reason)
	level := slog.LevelWarn
	if reason == ReasonNotAllowed || reason == ReasonTooMany {
		level = slog.LevelDebug
	}
	v.log.Log(context.Background(), level, "outbound connection rejected", "reason", reason, "peer", peer, "error", err)
}

func (v *serving) told(reason string) {
	if v.Rejected != nil {
		v.Rejected(reason)
	}
}

func (v *serving) count(delta int) {
	if v.Connections != nil {
		v.Connections(delta)
	}
}

// allowed reports whether addr is in one of the prefixes.
func allowed(prefixes []netip.Prefix, addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
