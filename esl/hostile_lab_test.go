package esl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/wire"
)

// lab is a Server that is attacked and serves real calls meanwhile. A real call is a
// captured session, played by a peer that sends what FreeSWITCH sent.
type lab struct {
	*served
	call     wire.Capture
	uuid     string
	commands []Command // what the handler sends in a captured call
	// strange, if set, handles a peer that sends a channel's data and is not the
	// captured call.
	strange func(context.Context, *Call)
}

func newLab(t *testing.T, s *Server) *lab {
	t.Helper()
	l := &lab{call: wire.Captures(t)[0], uuid: "65aca76e-95f6-423f-b420-05f63341293c"}
	for _, text := range l.call.Commands()[1:] {
		l.commands = append(l.commands, Command{name: "captured", text: &text})
	}
	s.Handle = func(ctx context.Context, c *Call) {
		if c.UUID() == l.uuid {
			_, _ = c.SendAll(ctx, l.commands)
		} else if l.strange != nil {
			l.strange(ctx, c)
		}
	}
	l.served = serve(t, s)
	return l
}

// freeSWITCH is the address from which the real calls come.
const freeSWITCH = "127.0.0.1"

// dialFrom connects from an address of this host.
func (l *lab) dialFrom(from string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if from != freeSWITCH { // that is the default, and binding is slow with many open connections
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	return d.Dial("tcp", l.addr)
}

// leg plays the captured call until it has sent most bytes, and then closes the
// connection. It returns how long all of it took.
func (l *lab) leg(from string, most int) (time.Duration, error) {
	began := time.Now()
	nc, err := l.dialFrom(from)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	_ = nc.SetDeadline(began.Add(20 * time.Second))
	got := make([]byte, 1<<10)
	sent := 0
	for _, turn := range l.call.Turns {
		if !turn.Sent {
			n, err := nc.Write(turn.Text[:min(len(turn.Text), most-sent)])
			if sent += n; err != nil && !bytes.Contains(turn.Text, []byte("disconnect-notice")) {
				return 0, err
			}
		} else if _, err := io.ReadFull(nc, got[:len(bytes.TrimSpace(turn.Text))+2]); err != nil {
			return 0, fmt.Errorf("after %d bytes: %w", sent, err)
		} else if text := bytes.TrimSpace(turn.Text); !bytes.HasPrefix(got, text) {
			return 0, fmt.Errorf("command %q, want %q", got[:len(text)], text)
		}
		if sent >= most {
			break
		}
	}
	return time.Since(began), nil
}

const whole = 1 << 30 // bytes: the whole captured call

// slowest is the longest that a call may take in these tests. A busy machine must pass.
// What the calls took is logged.
const slowest = 5 * time.Second

// during plays at least three captured calls, one after the other, while attack runs,
// and checks that each is served.
func (l *lab) during(attack func()) {
	l.t.Helper()
	attacked := make(chan struct{})
	var attacking sync.WaitGroup
	attacking.Go(func() { defer close(attacked); attack() })
	defer attacking.Wait()
	var took []time.Duration
	for over := false; !over || len(took) < 3; {
		select {
		case <-attacked:
			over = true
		default:
		}
		d, err := l.leg(freeSWITCH, whole)
		if err != nil || d > slowest {
			l.t.Errorf("a real call during the attack, after %v: %v", d, err)
			return
		}
		took = append(took, d)
	}
	slices.Sort(took)
	l.t.Logf("%d real calls meanwhile: median %v, slowest %v", len(took), took[len(took)/2], took[len(took)-1])
}

// counted waits for n rejections and returns how many of each reason.
func (l *lab) counted(n int) map[string]int {
	l.t.Helper()
	reasons := map[string]int{}
	for i := range n {
		select {
		case r := <-l.reasons:
			reasons[r]++
		case <-time.After(20 * time.Second):
			l.t.Fatalf("%d rejections of %d: %v", i, n, reasons)
		}
	}
	return reasons
}

// cost is what the process holds.
type cost struct {
	heap       int64
	goroutines int
}

func costs() cost {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return cost{int64(m.HeapAlloc), runtime.NumGoroutine()}
}

// gauge measures the most that the process holds beyond what it held at the start. It
// measures until within is called.
type gauge struct {
	before  cost
	stop    chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	most    cost
}

// newGauge measures by itself. It counts garbage too.
func newGauge() *gauge {
	g := newQuietGauge()
	g.running.Go(func() {
		for {
			g.sample()
			select {
			case <-g.stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return g
}

// newQuietGauge measures only when sample is called; exactly, if nothing else runs.
func newQuietGauge() *gauge { return &gauge{before: costs(), stop: make(chan struct{})} }

func (g *gauge) sample() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := costs()
	g.most.heap = max(g.most.heap, now.heap-g.before.heap)
	g.most.goroutines = max(g.most.goroutines, now.goroutines-g.before.goroutines)
}

// within checks the bounds, and waits until nearly nothing is held any more.
func (g *gauge) within(t *testing.T, heap int64, goroutines int) {
	t.Helper()
	close(g.stop)
	g.running.Wait()
	if g.most.heap > heap || g.most.goroutines > goroutines {
		t.Errorf("%d KB and %d goroutines held, bounds %d KB and %d", g.most.heap>>10, g.most.goroutines, heap>>10, goroutines)
	}
	var left cost
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		left = costs()
		left.heap -= g.before.heap
		left.goroutines -= g.before.goroutines
		if left.heap < 2<<20 && left.goroutines <= 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("afterwards %d KB and %d goroutines are left", left.heap>>10, left.goroutines)
			break
		}
	}
	t.Logf("at most %d KB and %d goroutines held, %d KB and %d left", g.most.heap>>10, g.most.goroutines, left.heap>>10, left.goroutines)
}

// pour writes text repeatedly until the peer cuts the connection.
func pour(nc net.Conn, text string) {
	for {
		if _, err := io.WriteString(nc, text); err != nil {
			return
		}
	}
}

// trickle writes text byte by byte, with pauses, until the peer cuts the connection.
func trickle(nc net.Conn, text string, pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for _, c := range []byte(text) {
		if _, err := nc.Write([]byte{c}); err != nil {
			return
		}
		<-tick.C
	}
}

// channelNamed is the message of channel data with this Unique-ID.
func channelNamed(id string) string {
	return strings.Replace(channelData, "Unique-ID: u-1", "Unique-ID: "+id, 1)
}
