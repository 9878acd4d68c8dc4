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
	// Allow is who may connect; nobody if it is empty. An IPv4 address that
	// comes in IPv6 dress (::ffff:127.0.0.1) is taken for what it is.
	Allow []netip.Prefix
	// MaxConns is how many connections there may be at once, before and during
	// Handle: 1024, and never more than half of the file descriptors that this
	// process may have. At the limit, one that has not given its channel's data
	// within 100 ms is cut for each that comes: of the address that has most of
	// them, the oldest. Calls that Handle has are not cut; if there is nothing
	// else, the newcomer is turned away.
	MaxConns int
	// MaxHeld is how many bytes of unfinished messages, channel data and events
	// that were not taken all connections may hold together: 64 MB. Above it,
	// the one that holds the most is cut. A reply that a Send waits for is not
	// counted; Limits.Body bounds it.
	MaxHeld int
	// ConnectTimeout is how long a peer may take to give its channel's data: 5 s.
	ConnectTimeout time.Duration
	// Grace is how long calls in hand may go on when Serve's context has
	// ended; then they are cut. 10 s.
	Grace time.Duration
	// Limits has the defaults of a Conn, except for Body: 256 KB, for all
	// replies to a channel's own commands are short.
	Limits Limits
	// Handle has the call until it returns; then the connection is closed and,
	// on a synchronous socket, the dialplan goes on. Its context ends with the
	// connection, and when Grace is over. A panic is contained: it costs this
	// connection alone.
	Handle func(context.Context, *Call)
	Logger *slog.Logger // nil: slog.Default
	// Rejected, if set, is told the reason (see ReasonNotAllowed and the others)
	// for each connection that was turned away or cut by the Server, once.
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
	limits     Limits
	complaints *complaints
	log        *slog.Logger
	room       *admission
	stopping   context.Context // Serve's
	ctx        context.Context // of the connections: ends after the grace period
	conns      sync.WaitGroup
}

// Serve takes connections from ln until ctx ends, waits for the calls in hand
// and returns nil, or the listener's error. It closes ln. When it returns,
// every goroutine it started is gone, which needs every Handle to return when
// its context ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	connCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	log := cmp.Or(s.Logger, slog.Default())
	v := &serving{
		Server:     s,
		limits:     s.Limits,
		complaints: &complaints{log: log},
		log:        log,
		room:       newAdmission(min(cmp.Or(s.MaxConns, 1024), max(1, openFiles()/2)), cmp.Or(s.MaxHeld, 64<<20)),
		stopping:   ctx,
		ctx:        connCtx,
	}
	v.limits.Body = cmp.Or(s.Limits.Body, 256<<10)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	err := v.accept(ctx, ln)
	stop()
	_ = ln.Close()
	grace := time.AfterFunc(cmp.Or(s.Grace, 10*time.Second), cut)
	defer grace.Stop()
	v.conns.Wait()
	return err
}

// admit starts the connection or turns it away. Turning away costs no
// goroutine.
func (v *serving) admit(nc net.Conn) {
	addr, ok := allowed(v.Allow, nc.RemoteAddr())
	if !ok {
		v.reject(ReasonNotAllowed, nc.RemoteAddr(), nil)
		_ = nc.Close()
		return
	}
	conn := NewConn(nc, v.limits)
	g, later := v.room.enter(addr, conn)
	for later > 0 && v.stopping.Err() == nil {
		wait(v.stopping, later)
		g, later = v.room.enter(addr, conn)
	}
	if g == nil && later > 0 { // the server was stopped
		_ = nc.Close()
		return
	}
	if g == nil {
		v.reject(ReasonTooMany, nc.RemoteAddr(), nil)
		_ = nc.Close()
		return
	}
	conn.account = func(bytes int) { v.room.hold(g, bytes) }
	conn.quota.Store(int64(conn.lim.Block + readSize)) // its channel's data is one block
	v.conns.Go(func() {
		defer v.room.leave(g)
		v.count(+1)
		defer v.count(-1)
		v.carry(conn, g)
	})
}

// carry runs one connection from its first byte to its last.
func (v *serving) carry(conn *Conn, g *guest) {
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
	if err == nil && !v.room.promote(g, data.size()) {
		err = conn.cause()
	}
	switch {
	case v.ctx.Err() != nil: // grace is over: nobody's fault
		return
	case err != nil:
		v.reject(reasonBefore(err), conn.RemoteAddr(), err)
		return
	}
	conn.quota.Store(0)
	if !v.handle(ctx, &Call{Conn: conn, Data: data}) {
		v.told(ReasonHandlerPanic)
	} else if err := conn.cause(); err != nil {
		if reason := reasonOf(err); reason != "" {
			v.reject(reason, conn.RemoteAddr(), err)
		}
	}
}

// connect asks the peer for its channel's data.
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

// handle calls Handle and contains its panic; false if it panicked.
func (v *serving) handle(ctx context.Context, call *Call) (sound bool) {
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
	v.told(reason)
	v.complaints.warn("outbound connection rejected", reason, "reason", reason, "peer", peer, "error", err)
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

// allowed reports whether addr is in one of the prefixes, and its address.
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
