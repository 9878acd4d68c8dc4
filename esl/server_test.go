package esl

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tapedeck/internal/wire"
)

// loopback are the addresses of the tests' peers.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// served is a Server that runs on loopback.
type served struct {
	t       *testing.T
	addr    string
	stop    context.CancelFunc
	ended   chan error
	reasons chan string
	counts  chan int
}

func serve(t *testing.T, s *Server) *served {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, s, ln)
}

func serveOn(t *testing.T, s *Server, ln net.Listener) *served {
	v := &served{t: t, addr: ln.Addr().String(), ended: make(chan error, 1),
		reasons: make(chan string, 1<<16), counts: make(chan int, 1<<16)}
	s.Logger = slog.New(slog.DiscardHandler)
	s.Rejected = func(reason string) { v.reasons <- reason }
	s.Connections = func(delta int) { v.counts <- delta }
	if s.Allow == nil {
		s.Allow = loopback
	}
	ctx, cancel := context.WithCancel(t.Context())
	v.stop = cancel
	go func() { v.ended <- s.Serve(ctx, ln) }()
	t.Cleanup(v.end)
	return v
}

// end stops the server and waits for its end.
func (v *served) end() {
	v.stop()
	if err := <-v.ended; err != nil {
		v.t.Errorf("Serve: %v", err)
	}
	v.ended <- nil
}

// dial connects to the server as FreeSWITCH's outbound socket does.
func (v *served) dial() *peer {
	v.t.Helper()
	nc, err := net.Dial("tcp", v.addr)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = nc.Close() })
	return newPeer(v.t, nc)
}

// isCut waits for the server to close the connection.
func (p *peer) isCut() {
	p.t.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, p.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Error("the connection was not cut")
	}
}

const channelData = "Event-Name: CHANNEL_DATA\nUnique-ID: u-1\nvariable_a: b%20c\nContent-Type: command/reply\nReply-Text: %2BOK%0A\n\n"

func TestServer(t *testing.T) {
	handled := make(chan string, 1)
	v := serve(t, &Server{Handle: func(ctx context.Context, c *Call) {
		replies, err := c.SendAll(ctx, []Command{SetVar(c.UUID(), "x", "y"), Exit()})
		if err != nil || !replies[1].OK() {
			t.Errorf("%v, %v", replies, err)
		}
		handled <- c.Data.Variable("a")
	}})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	p.expect("api uuid_setvar u-1 x y", "exit")
	p.write(apiText("+OK\n"))
	p.reply("+OK bye")
	p.isCut()
	if got := <-handled; got != "b c" {
		t.Errorf("variable %q", got)
	}
	if up, down := <-v.counts, <-v.counts; up != 1 || down != -1 {
		t.Errorf("counted %d, %d", up, down)
	}
	if len(v.reasons) != 0 {
		t.Errorf("rejected: %s", <-v.reasons)
	}
}

// TestServerCapture: the handler of a captured call gets exactly the channel's data.
func TestServerCapture(t *testing.T) {
	for _, c := range wire.Captures(t) {
		if !strings.Contains(c.Name, "outbound") {
			continue
		}
		done := make(chan *Event, 1)
		v := serve(t, &Server{Handle: func(_ context.Context, c *Call) { done <- c.Data }})
		p := v.dial()
		p.expect("connect")
		p.write(string(c.Turns[1].Text))
		data := <-done
		if data.Name() != "CHANNEL_DATA" || data.Get("Control") != "full" || data.Variable("current_application") != "socket" {
			t.Errorf("%s: %q %q", c.Name, data.Name(), data.Variable("current_application"))
		}
		p.isCut()
	}
}

func TestServerRejects(t *testing.T) {
	tests := []struct {
		name   string
		server Server
		send   string // in answer to connect
		close  bool
		reason string
	}{
		{"stranger", Server{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "", false, ReasonNotAllowed},
		{"nobody allowed", Server{Allow: []netip.Prefix{}}, "", false, ReasonNotAllowed},
		{"silent", Server{ConnectTimeout: 30 * time.Millisecond}, "", false, ReasonNoChannelData},
		{"closes", Server{}, "", true, ReasonClosedEarly},
		{"no channel", Server{}, "Content-Type: command/reply\nReply-Text: -ERR command not found\n\n", false, ReasonNotAChannel},
		{"HTTP", Server{}, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, ReasonBadProtocol},
		{"negative length", Server{}, "Content-Type: command/reply\nContent-Length: -1\n\n", false, ReasonBadProtocol},
		{"huge block", Server{}, strings.Repeat("variable_x: y\n", 150_000), false, ReasonTooLarge},
		{"promised body", Server{ConnectTimeout: 30 * time.Millisecond}, "Content-Type: command/reply\nContent-Length: 262144\n\n", false, ReasonNoChannelData},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := test.server
			s.Handle = func(context.Context, *Call) { t.Error("handled") }
			v := serve(t, &s)
			p := v.dial()
			if strings.HasPrefix(test.send, "Content-Type") { // a reply before connect is another mistake
				p.expect("connect")
			}
			_, _ = io.WriteString(p.nc, test.send)
			if test.close {
				_ = p.nc.Close()
			} else {
				p.isCut()
			}
			if reason := <-v.reasons; reason != test.reason {
				t.Errorf("%s, want %s", reason, test.reason)
			}
		})
	}
}

// TestServerRejectsLater: invalid data during a call ends the call's context.
func TestServerRejectsLater(t *testing.T) {
	v := serve(t, &Server{Handle: func(ctx context.Context, c *Call) { <-ctx.Done() }})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	p.write("boo\n")
	p.isCut()
	if reason := <-v.reasons; reason != ReasonBadProtocol {
		t.Error(reason)
	}
}

// TestServerPanic: a handler's panic ends only its own connection.
func TestServerPanic(t *testing.T) {
	v := serve(t, &Server{Handle: func(_ context.Context, c *Call) {
		if has(c.Data, "variable_a") {
			panic("boo")
		}
	}})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	p.isCut()
	if reason := <-v.reasons; reason != ReasonHandlerPanic {
		t.Error(reason)
	}
	p = v.dial()
	p.expect("connect")
	p.write(strings.Replace(channelData, "variable_a", "variable_b", 1))
	p.isCut()
	v.end()
	if len(v.reasons) != 0 {
		t.Error(<-v.reasons)
	}
}

// TestServerMaxConns: one connection too many is turned away. When one ends, there is
// room again.
func TestServerMaxConns(t *testing.T) {
	handled := make(chan bool, 10)
	v := serve(t, &Server{MaxConns: 2, Handle: func(ctx context.Context, c *Call) {
		handled <- true
		<-ctx.Done()
	}})
	first, second := v.dial(), v.dial()
	for _, p := range []*peer{first, second} {
		p.expect("connect")
		p.write(channelData)
	}
	<-handled
	<-handled
	v.dial().isCut()
	if reason := <-v.reasons; reason != ReasonTooMany {
		t.Error(reason)
	}
	_ = first.nc.Close()
	for delta := range v.counts {
		if delta < 0 {
			break
		}
	}
	for { // the place becomes free just after the end was counted
		p := v.dial()
		if p.command() == "connect" {
			break
		}
	}
}

// TestServerGrace: when the server is stopped, its calls go on. Those that do not end
// within Grace are cut, and Serve returns when they have ended.
func TestServerGrace(t *testing.T) {
	started, proceed, finished := make(chan bool), make(chan bool), make(chan error, 1)
	v := serve(t, &Server{Handle: func(ctx context.Context, c *Call) {
		started <- true
		<-proceed
		_, err := c.Send(ctx, Exit())
		finished <- err
	}})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	<-started
	v.stop()
	for { // until the listener is closed
		nc, err := net.Dial("tcp", v.addr)
		if err != nil {
			break
		}
		_ = nc.Close()
	}
	close(proceed)
	p.expect("exit")
	p.reply("+OK bye")
	if err := <-finished; err != nil {
		t.Errorf("the call in hand: %v", err)
	}
	v.end()
}

func TestServerCutsAfterGrace(t *testing.T) {
	finished := make(chan error, 1)
	v := serve(t, &Server{Grace: 20 * time.Millisecond, Handle: func(ctx context.Context, c *Call) {
		<-ctx.Done()
		finished <- c.Err()
	}})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	silent := v.dial() // it has not answered connect
	silent.expect("connect")
	v.end()
	<-finished
	p.isCut()
	silent.isCut()
	if len(v.reasons) != 0 {
		t.Errorf("a peer is blamed for the stop: %s", <-v.reasons)
	}
}

// failingListener fails a few times before it works, as in a process without free file
// descriptors.
type failingListener struct {
	net.Listener
	mu   sync.Mutex
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	return l.Listener.Accept()
}

func TestServerAcceptErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := serveOn(t, &Server{Handle: func(context.Context, *Call) {}},
		&failingListener{Listener: ln, errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED}})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	p.isCut()

	if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s := &Server{Logger: slog.New(slog.DiscardHandler)}
	err = s.Serve(t.Context(), &failingListener{Listener: ln, errs: []error{syscall.EINVAL}})
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("a listener that is broken: %v", err)
	}
}

func TestAllowed(t *testing.T) {
	prefixes := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10")}
	tests := map[string]bool{
		"127.0.0.1:1": true, "[::ffff:127.0.0.1]:1": true, "[::1]:1": true, "[fe80::1%eth0]:1": true,
		"128.0.0.1:1": false, "[::ffff:128.0.0.1]:1": false, "[::2]:1": false, "[::127.0.0.1]:1": false,
	}
	for addr, want := range tests {
		if _, got := allowed(prefixes, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	_, named := allowed(prefixes, &net.UnixAddr{Name: "x"})
	_, listed := allowed(nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if named || listed {
		t.Error("allowed without a reason")
	}
}

// TestServerPeerGone: the handler's context ends when FreeSWITCH closes the connection.
func TestServerPeerGone(t *testing.T) {
	ended := make(chan error, 1)
	v := serve(t, &Server{Handle: func(ctx context.Context, c *Call) {
		<-ctx.Done()
		ended <- c.Err()
	}})
	p := v.dial()
	p.expect("connect")
	p.write(channelData)
	_ = p.nc.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
