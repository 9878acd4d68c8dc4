package esl

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"
)

// A Server takes the outbound connections that FreeSWITCH opens for a call.
// Its fields are not changed after Serve was called.
type Server struct {
	// Allow says who may connect; nobody if it is empty. An IPv4 address that is
	// written as IPv6 (::ffff:127.0.0.1) counts as IPv4.
	Allow []netip.Prefix
	// MaxConns is how many connections there may be at once, before and during
	// Handle: 1024, and never more than half of the file descriptors that this
	// process may have. At the limit, each new connection displaces one that has
	// not sent its channel's data within 100 ms: the oldest of the address that
	// has the most of them. Calls that Handle has are never cut; if there is
	// nothing else, the new connection is turned away.
	MaxConns int
	// MaxHeld is how many bytes all connections may hold together, in unfinished
	// messages, channel data and events that were not taken: 64 MB. Above it, the
	// connection that holds the most is cut. A reply that a Send waits for is not
	// counted; Limits.Body bounds it.
	MaxHeld int
	// ConnectTimeout is how long a peer may take to send its channel's data: 5 s.
	ConnectTimeout time.Duration
	// Grace is how long Handle may go on with its calls after Serve's context has
	// ended: 10 s. Then their connections are cut.
	Grace time.Duration
	// Limits has the defaults of a Conn, except for Body: 256 KB, because all
	// replies to a channel's own commands are short; and for Block: 8 MB, because the
	// channel's data is one block. It has what the caller wrote, up to 2 MB of SIP over
	// TCP (nta.c, sa_maxsize), and each byte may be three.
	Limits Limits
	// Handle owns the call until it returns; then the connection is closed and,
	// on a synchronous socket, the dialplan goes on. Its context ends with the
	// connection, and when Grace is over. A panic ends this connection only.
	Handle func(context.Context, *Call)
	Logger *slog.Logger // nil: slog.Default
	// Rejected, if set, is called once for each connection that the Server turned
	// away or cut, with the reason (see ReasonNotAllowed and the others).
	Rejected func(reason string)
	// Connections, if set, is called with +1 when a connection is taken and with -1
	// when it has ended.
	Connections func(delta int)
}

// A Call is one channel that FreeSWITCH has connected to the outbound socket.
type Call struct {
	*Conn
	Data *Event // the channel's data, as `connect` answered it
}

// UUID is the channel's id.
func (c *Call) UUID() string { return c.Data.Get("Unique-ID") }

// From is the address of the peer, without its port.
func (c *Call) From() string { return host(c.nc.RemoteAddr()) }

// Refuse ends the connection, because the peer is not what it says. The Server counts
// and logs it. why is constant text.
func (c *Call) Refuse(why string) { c.fail(fmt.Errorf("%w: %s", errStranger, why)) }

// serving is one Serve that runs.
type serving struct {
	*Server
	limits       Limits
	throttledLog *throttledLog
	log          *slog.Logger
	admission    *admission
	stopping     context.Context // Serve's
	ctx          context.Context // of the connections: ends after the grace period
	conns        sync.WaitGroup
}

// Serve takes connections from ln until ctx ends, waits for the calls that
// Handle has, and returns nil, or the listener's error. It closes ln. When it
// returns, every goroutine that it started has ended; so every Handle must return
// when its context ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	connCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	log := cmp.Or(s.Logger, slog.Default())
	v := &serving{
		Server:       s,
		limits:       s.Limits,
		throttledLog: &throttledLog{log: log},
		log:          log,
		admission:    newAdmission(min(cmp.Or(s.MaxConns, 1024), max(1, openFiles()/2)), cmp.Or(s.MaxHeld, 64<<20)),
		stopping:     ctx,
		ctx:          connCtx,
	}
	v.limits.Body = cmp.Or(s.Limits.Body, 256<<10)
	v.limits.Block = cmp.Or(s.Limits.Block, 8<<20)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	err := v.accept(ctx, ln)
	stop()
	_ = ln.Close()
	grace := time.AfterFunc(cmp.Or(s.Grace, 10*time.Second), cut)
	defer grace.Stop()
	v.conns.Wait()
	return err
}

// admit starts a connection or turns it away. One that is turned away never has
// a goroutine.
func (v *serving) admit(nc net.Conn) {
	addr, ok := allowed(v.Allow, nc.RemoteAddr())
	if !ok {
		v.reject(ReasonNotAllowed, nc.RemoteAddr(), nil)
		_ = nc.Close()
		return
	}
	conn := NewConn(nc, v.limits)
	c, later := v.admission.enter(addr, conn)
	for later > 0 && v.stopping.Err() == nil {
		wait(v.stopping, later)
		c, later = v.admission.enter(addr, conn)
	}
	if c == nil && later > 0 { // the server was stopped
		_ = nc.Close()
		return
	}
	if c == nil {
		v.reject(ReasonTooMany, nc.RemoteAddr(), nil)
		_ = nc.Close()
		return
	}
	conn.onHeld = func(bytes int) { v.admission.report(c, bytes) }
	conn.quota.Store(int64(conn.lim.Block + readSize)) // the channel's data is one block
	v.conns.Go(func() {
		defer v.admission.leave(c)
		v.countConnection(+1)
		defer v.countConnection(-1)
		v.carry(conn, c)
	})
}

// carry runs one connection from its first byte to its last.
func (v *serving) carry(conn *Conn, c *client) {
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		_ = conn.Run(ctx) // why it ended is in conn.Err
		cancel()
	})
	defer running.Wait()
	defer conn.Close()

	data, err := v.connect(ctx, conn)
	if err == nil && !v.admission.promote(c, data.size()) {
		err = conn.cause()
	}
	switch {
	case v.ctx.Err() != nil: // the grace period is over: no rejection
		return
	case err != nil:
		v.reject(reasonBefore(err), conn.RemoteAddr(), err)
		return
	}
	conn.quota.Store(0)
	if !v.handle(ctx, &Call{Conn: conn, Data: data}) {
		v.countRejection(ReasonHandlerPanic)
	} else if err := conn.cause(); err != nil {
		if reason := reasonOf(err); reason != "" {
			v.reject(reason, conn.RemoteAddr(), err)
		}
	}
}

// connect asks the peer for its channel's data, and checks that it is a channel's.
func (v *serving) connect(ctx context.Context, conn *Conn) (*Event, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(v.ConnectTimeout, 5*time.Second))
	defer cancel()
	reply, err := conn.Send(ctx, Connect())
	if err != nil {
		return nil, err
	}
	data := reply.Event()
	switch complaint := channelID(data.Get("Unique-ID")); {
	case data.Get("Unique-ID") == "":
		return nil, fmt.Errorf("%w: no Unique-ID in the reply %q", errNoChannel, clip(reply.Text()))
	case complaint != "":
		return nil, fmt.Errorf("%w: the Unique-ID %q %s", errNoChannel, clip(data.Get("Unique-ID")), complaint)
	}
	return data, nil
}

// handle calls Handle and recovers from its panic. It reports false after a panic.
func (v *serving) handle(ctx context.Context, call *Call) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			v.log.Error("handler panicked, connection closed", "panic", p, "call", call.UUID(), "stack", string(debug.Stack()))
		}
	}()
	v.Handle(ctx, call)
	return true
}

// reject counts and logs a connection that was turned away or cut.
func (v *serving) reject(reason string, peer net.Addr, err error) {
	v.countRejection(reason)
	v.throttledLog.warn("outbound connection rejected", reason, "reason", reason, "peer", peer, "error", err)
}

func (v *serving) countRejection(reason string) {
	if v.Rejected != nil {
		v.Rejected(reason)
	}
}

func (v *serving) countConnection(delta int) {
	if v.Connections != nil {
		v.Connections(delta)
	}
}

// allowed returns the address without its port, and whether one of the prefixes
// contains it.
func allowed(prefixes []netip.Prefix, addr net.Addr) (netip.Addr, bool) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(ip) {
			return ip, true
		}
	}
	return netip.Addr{}, false
}
