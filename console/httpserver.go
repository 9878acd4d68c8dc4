package console

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tapedeck/console/identity"
)

const (
	// maxConns is how many connections there may be, and maxAddressConns how many
	// of one client that is no trusted proxy: an office behind one address has a
	// few for each browser.
	maxConns        = 2000
	maxAddressConns = 200
	// maxStreams is how many requests one HTTP/2 connection may have at once.
	maxStreams = 100
	// silence is after how long without traffic an HTTP/2 connection gets a ping, and
	// how long the answer may take.
	silence = time.Minute
)

// HTTPServer returns a server of h, which is Handler or wraps it. A client that does
// not read its answer is cut off after writeWithin.
func (s *Server) HTTPServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: silence, PingTimeout: silence,
			// a stream's deadline only queues a reset behind what the client does not read
			WriteByteTimeout: writeWithin},
		ConnState: (&crowd{trusted: s.proxies.Trusts, of: map[netip.Prefix]int{}}).changed,
		ErrorLog:  slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // anybody can cause these lines
	}
}

// crowd counts the open connections.
type crowd struct {
	trusted func(netip.Addr) bool // proxies, which may have more connections than a client

	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

// changed is http.Server's ConnState. It closes a connection that is one too many.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	addr := identity.Address(conn.RemoteAddr().String())
	from := identity.Network(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.all++
		c.of[from]++
		if c.all > maxConns || c.of[from] > maxAddressConns && !c.trusted(addr) {
			_ = conn.Close() // changed is called again for it
		}
	case http.StateClosed:
		c.all--
		if c.of[from]--; c.of[from] == 0 {
			delete(c.of, from)
		}
	}
}
