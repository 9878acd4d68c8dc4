package call

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/calls"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// verdict is what the proxy does with a message.
type verdict int

const (
	pass  verdict = iota
	lose          // the message is dropped
	twice         // the message is passed on twice
	cut           // the connection ends before it
	stall         // it and what follows in its direction wait for release
)

// proxy is the network between the Controller and the watch link's port. A judge sees
// every message: a command before it reaches the switch, its reply, an event.
type proxy struct {
	sw    string // address of the switch
	ln    net.Listener
	conns sync.WaitGroup

	mu    sync.Mutex
	judge func(kind, about string) verdict
	free  chan struct{} // closed: stalled messages go on
	open  map[net.Conn]bool
	shut  bool
}

func newProxy(t *testing.T, address string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &proxy{sw: address, ln: ln, free: make(chan struct{}), open: map[net.Conn]bool{}}
	w.conns.Go(w.accept)
	return w
}

func (w *proxy) judgeBy(j func(kind, about string) verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judge = j
}

// release lets stalled messages go on, now and later.
func (w *proxy) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.free:
	default:
		close(w.free)
	}
}

func (w *proxy) close() {
	w.release()
	_ = w.ln.Close()
	w.mu.Lock()
	w.shut = true
	for c := range w.open {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.conns.Wait()
}

func (w *proxy) accept() {
	for {
		near, err := w.ln.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.sw)
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.open[near], w.open[far] = true, true
		if w.shut {
			_, _ = near.Close(), far.Close()
		}
		w.mu.Unlock()
		p := &proxyConn{proxy: w, near: near, far: far}
		w.conns.Go(p.commands)
		w.conns.Go(p.frames)
	}
}

// proxyConn is one connection through the proxy.
type proxyConn struct {
	*proxy
	near, far net.Conn
	mu        sync.Mutex
	asked     []string // commands whose reply has not come
}

func (p *proxyConn) end() { _, _ = p.near.Close(), p.far.Close() }

// decide asks the judge, and waits if the verdict is stall. It returns how often the
// message is passed on, and whether the connection goes on.
func (p *proxyConn) decide(kind, about string) (times int, ok bool) {
	p.proxy.mu.Lock()
	v := pass
	if p.judge != nil {
		v = p.judge(kind, about)
	}
	free := p.free
	p.proxy.mu.Unlock()
	switch v {
	case cut:
		return 0, false
	case lose:
		return 0, true
	case twice:
		return 2, true
	case stall:
		<-free
	}
	return 1, true
}

func (p *proxyConn) commands() {
	defer p.end()
	in := bufio.NewReader(p.near)
	for {
		var text strings.Builder
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			text.WriteString(line)
			if line == "\n" {
				break
			}
		}
		about := strings.TrimSpace(text.String())
		times, ok := p.decide("command", about)
		if !ok {
			return
		}
		p.mu.Lock()
		p.asked = append(p.asked, about)
		p.mu.Unlock()
		for range times {
			if _, err := io.WriteString(p.far, text.String()); err != nil {
				return
			}
		}
	}
}

func (p *proxyConn) frames() {
	defer p.end()
	in := bufio.NewReader(p.far)
	for {
		frame, kind, about, err := p.frame(in)
		if err != nil {
			return
		}
		times, ok := p.decide(kind, about)
		if !ok {
			return
		}
		for range times {
			if _, err := p.near.Write(frame); err != nil {
				return
			}
		}
	}
}

// frame reads one frame. It returns the kind of frame, and what it is about: the
// command of a reply, the name and the leg's UUID of an event.
func (p *proxyConn) frame(in *bufio.Reader) (frame []byte, kind, about string, err error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, "", "", err
		}
		head.WriteString(line)
		if line == "\n" {
			break
		}
	}
	headers, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(head.String()))).ReadMIMEHeader()
	n, _ := strconv.Atoi(headers.Get("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(in, body); err != nil {
		return nil, "", "", err
	}
	frame = append([]byte(head.String()), body...)
	switch headers.Get("Content-Type") {
	case "command/reply", "api/response":
		p.mu.Lock()
		defer p.mu.Unlock()
		about, p.asked = p.asked[0], p.asked[1:]
		return frame, "reply", about, nil
	case "text/event-plain":
		event, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(string(body)))).ReadMIMEHeader()
		about = strings.TrimSpace(event.Get("Event-Name") + " " + event.Get("Event-Subclass") + " " + event.Get("Unique-Id"))
		return frame, "event", strings.ReplaceAll(about, "%3A", ":"), nil
	}
	return frame, "", "", nil
}

// liveCallsStore is a Calls that remembers which calls are live.
type liveCallsStore struct {
	mu sync.Mutex
	noStore
	live map[string]calls.Call
}

func (d *liveCallsStore) Save(c calls.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.live[c.ID] = c
}

func (d *liveCallsStore) End(_, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, id)
}

func (d *liveCallsStore) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.live)
}

// proxied is a fixture whose watch link goes through a proxy.
type proxied struct {
	*fixture
	proxy          *proxy
	liveCalls      *liveCallsStore
	connected      chan struct{} // one for each connection of the watch link
	stopController context.CancelFunc
	handled        atomic.Int32 // legs that were served
}

func newProxied(t *testing.T) *proxied {
	t.Helper()
	return newProxiedWith(t, testPolicy(t), Prompts{})
}

func newProxiedWith(t *testing.T, p *flow.Policy, prompts Prompts) *proxied {
	t.Helper()
	base, err := os.MkdirTemp("", "tapedeck-call-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	fx := &fixture{T: t, dir: base, log: &testkit.Log{}, meter: &countingMeter{of: map[string]int{}}}
	w := &proxied{fixture: fx, liveCalls: &liveCallsStore{live: map[string]calls.Call{}}, connected: make(chan struct{}, 64)}
	log := slog.New(slog.NewTextHandler(fx.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	fx.sw = esltest.New(esltest.Options{Clock: esltest.Manual, RecordTemplate: base + "/.keys/tapedeck-key-${uuid}.wav"})
	address, err := fx.sw.Listen("127.0.0.1:0")
	fx.must(err)
	fx.address, w.proxy = address, newProxy(t, address)
	dir, err := recording.NewDir(fx.dir)
	fx.must(err)
	link := &esl.Link{Name: "fs1", Address: w.proxy.ln.Addr().String(), Password: esl.NewSecret("ClueCon"), Subscribe: Events,
		Logger: log, MinBackoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond}
	fx.ctl = New(Config{Policy: testPolicyOf(p), Recordings: dir, Stereo: true, Prompts: prompts,
		EntryDeadline: testkit.Patience, Switches: map[string]Link{"fs1": link}, Calls: w.liveCalls, Index: noIndex{}, Archive: noArchive{}, Meter: fx.meter, Log: log})
	link.OnConnect = func(ctx context.Context, conn *esl.Conn) error {
		err := fx.ctl.Connected(ctx, "fs1", conn)
		select {
		case w.connected <- struct{}{}:
		default: // it does not come back, and the test is about to fail
		}
		return err
	}
	link.OnEvent = func(ev *esl.Event) { fx.ctl.Watched("fs1", ev) }
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	fx.must(err)
	fx.socket = ln.Addr().String()
	handle := func(ctx context.Context, leg *esl.Call) {
		defer w.handled.Add(1)
		fx.ctl.Handle(ctx, leg)
	}
	server := &esl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Handle: handle, Logger: log}
	ctx, stop := context.WithCancel(context.Background())
	ctlCtx, stopDesk := context.WithCancel(ctx)
	w.stopController = stopDesk
	var parts sync.WaitGroup
	parts.Go(func() { _ = fx.ctl.Run(ctlCtx) })
	parts.Go(func() { _ = link.Run(ctx) })
	parts.Go(func() { _ = server.Serve(ctx, ln) })
	t.Cleanup(func() {
		w.proxy.release()
		stop()
		parts.Wait()
		w.proxy.close()
		_ = fx.sw.Close()
		if t.Failed() {
			t.Log(fx.log.String())
		}
	})
	w.reconnected()
	return w
}

// reconnected waits for one connection of the watch link.
func (w *proxied) reconnected() {
	w.Helper()
	select {
	case <-w.connected:
	case <-time.After(testkit.Patience):
		w.Fatal("the watch link does not connect")
	}
}

// waitFor waits until the Controller's state fulfils a condition.
func (w *proxied) waitFor(what string, so func(*Controller) bool) {
	w.Helper()
	testkit.Until(w, what, func() (ok bool) {
		if !w.ctl.ask(w.Context(), func(time.Time) { ok = so(w.ctl) }) {
			w.Fatalf("the controller is gone, waiting for: %s", what)
		}
		return ok
	}, w.log)
}

// endAll hangs up all legs and checks that the Controller has forgotten all of them.
func (w *proxied) endAll() {
	w.Helper()
	for _, c := range w.sw.Channels() {
		c.Hangup("")
	}
	w.waitFor("no calls, no legs and no files to be described", func(ctl *Controller) bool { return len(ctl.calls)+len(ctl.legs.all)+len(ctl.describer.working) == 0 })
	w.settle()
	if n := w.liveCalls.len(); n != 0 {
		w.Errorf("%d calls are live in the store after their end", n)
	}
}
