package console

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxConns is how many connections there may be, and maxAddressConns how many
	// of one client that is no trusted proxy: an office behind one address has a
	// few for each browser.
	maxConns        = 2000
	maxAddressConns = 200
	// maxStreams is how many requests one HTTP/2 connection may have at once.
	maxStreams = 100
	// silence is how long an HTTP/2 connection may say nothing before it is asked
	// whether it is still there, and how long that may take.
	silence = time.Minute
)

// HTTPServer is a server of h, which is Handler or stands before it. Whoever it is
// that asks, and does not read the answer, holds nothing of it for long.
func (s *Server) HTTPServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: silence, PingTimeout: silence,
			// A stream's deadline only queues the frame that ends it, behind what is not read.
			WriteByteTimeout: writeWithin},
		ConnState: (&crowd{spared: s.trusts, of: map[netip.Prefix]int{}}).changed,
		ErrorLog:  slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // strangers make these lines
	}
}

// crowd is the connections that there are.
type crowd struct {
	spared func(netip.Addr) bool // who may have more than one client may

	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

// changed is http.Server's ConnState. One connection too many is closed at once.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	addr := address(conn.RemoteAddr().String())
	from := network(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.all++
		c.of[from]++
		if c.all > maxConns || c.of[from] > maxAddressConns && !c.spared(addr) {
			_ = conn.Close() // which comes here again
		}
	case http.StateClosed:
		c.all--
		if c.of[from]--; c.of[from] == 0 {
			delete(c.of, from)
		}
	}
}
