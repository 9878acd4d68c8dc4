package call

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

// BenchmarkPress measures a pressed code with 1,000 live calls, each answered: from
// the arrival of the event on the watch link until the mask or unmask (on the first
// press, the start) is handed to the link's socket. What the simulated switch does
// with its 1,000 files in between does not count.
func BenchmarkPress(b *testing.B) {
	p := testPolicy(b)
	p.Organisations["acme"].OnDemand = flow.OnDemand{DTMF: "*1"}
	var arrived atomic.Int64
	handed, answered := make(chan time.Time, 1), make(chan struct{}, 1)
	isRecordCommand := func(commands []esl.Command) bool {
		return slices.ContainsFunc(commands, func(c esl.Command) bool { return c.Name() == "uuid_record" })
	}
	spy := &observedLink{handed: func(commands []esl.Command) {
		if isRecordCommand(commands) && arrived.Load() != 0 {
			handed <- time.Now()
		}
	}, answered: func(commands []esl.Command) {
		if isRecordCommand(commands) && arrived.Load() != 0 {
			answered <- struct{}{}
		}
	}}
	f := newLoadedController(b, p, func(ev *esl.Event) {
		if ev.Subclass() == toggleSubclass {
			arrived.Store(time.Now().UnixNano())
		}
	}, spy)
	phones := make([]*esltest.Channel, len(f.legs))
	for i, a := range f.legs {
		phones[i] = a.Dial(esltest.Leg{Profile: "internal", Destination: "1004",
			Variables: map[string]string{"dialed_user": "1004", "dialed_domain": "acme.example.net"}})
		phones[i].Answer()
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		phones[i%len(phones)].PressDigits("*1")
		at := <-handed
		<-answered
		took = append(took, at.Sub(time.Unix(0, arrived.Load())))
	}
	reportTimes(b, took)
}

// reportTimes reports the median and the 99th percentile.
func reportTimes(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for name, q := range map[string]float64{"p50-ms": 0.50, "p99-ms": 0.99} {
		at := took[min(len(took)-1, int(q*float64(len(took))))]
		b.ReportMetric(float64(at)/float64(time.Millisecond), name)
	}
}

// BenchmarkEntry measures an entry, from connect to exit, with 1,000 live calls.
func BenchmarkEntry(b *testing.B) {
	f := newLoadedController(b, testPolicy(b), nil, nil)
	var took []time.Duration
	for b.Loop() {
		a := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
		began := time.Now()
		if _, err := a.Socket(b.Context(), f.socket); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		a.Hangup("")
	}
	reportTimes(b, took)
}

// BenchmarkUnmask measures, with 1,000 live calls, the time from the answer until
// the unmask reaches the switch.
func BenchmarkUnmask(b *testing.B) {
	f := newLoadedController(b, testPolicy(b), nil, nil)
	unmasked := make(chan struct{}, 1)
	f.sw.Fail(func(command, args string) (string, bool) {
		if command == "uuid_record" && strings.Contains(args, " unmask ") {
			unmasked <- struct{}{}
		}
		return "", false
	})
	for b.Loop() {
		b.StopTimer()
		a := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001"})
		if _, err := a.Socket(b.Context(), f.socket); err != nil {
			b.Fatal(err)
		}
		phone := a.Dial(esltest.Leg{Profile: "internal", Destination: "1004",
			Variables: map[string]string{"dialed_user": "1004", "dialed_domain": "acme.example.net"}})
		b.StartTimer()
		phone.Answer()
		<-unmasked
		b.StopTimer()
		a.Hangup("")
		b.StartTimer()
	}
}

// loadedController is a Controller with 1,000 live calls.
type loadedController struct {
	sw     *esltest.Switch
	socket string
	legs   []*esltest.Channel // of the outside parties
}

// observedLink is a watch link that reports when commands are handed to its socket
// and when they have been answered.
type observedLink struct {
	Link
	handed, answered func([]esl.Command)
}

func (s observedLink) Post(ctx context.Context, commands []esl.Command) func() ([]esl.Reply, error) {
	s.handed(commands)
	wait := s.Link.Post(ctx, commands)
	return func() ([]esl.Reply, error) {
		defer s.answered(commands)
		return wait()
	}
}

// newLoadedController makes a loadedController. seen, if not nil, gets every event
// that arrives; spy, if not nil, is put before the watch link.
func newLoadedController(b *testing.B, p *flow.Policy, seen func(*esl.Event), spy *observedLink) *loadedController {
	b.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn}))
	f := &loadedController{sw: esltest.New(esltest.Options{Clock: esltest.Manual})}
	address, err := f.sw.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	dir, err := recording.NewDir(b.TempDir())
	if err != nil {
		dir, _ = recording.NewDir("/tmp/tapedeck-bench")
	}
	link := &esl.Link{Name: "fs1", Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: Events, Logger: log}
	var watch Link = link
	if spy != nil {
		spy.Link = link
		watch = spy
	}
	ctl := New(Config{Policy: testPolicyOf(p), Recordings: dir, Stereo: true,
		Switches: map[string]Link{"fs1": watch}, Calls: noStore{}, Index: noIndex{}, Archive: noArchive{}, Meter: &countingMeter{of: map[string]int{}}, Log: log})
	up := make(chan struct{})
	once := sync.OnceFunc(func() { close(up) })
	link.OnConnect = func(ctx context.Context, conn *esl.Conn) error {
		defer once()
		return ctl.Connected(ctx, "fs1", conn)
	}
	link.OnEvent = func(ev *esl.Event) {
		if seen != nil {
			seen(ev)
		}
		ctl.Watched("fs1", ev)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	f.socket = ln.Addr().String()
	server := &esl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Handle: ctl.Handle, Logger: log}
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = ctl.Run(ctx) })
	parts.Go(func() { _ = link.Run(ctx) })
	parts.Go(func() { _ = server.Serve(ctx, ln) })
	b.Cleanup(func() {
		stop()
		parts.Wait()
		_ = f.sw.Close()
	})
	<-up
	for range 1000 {
		a := f.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460004"})
		if _, err := a.Socket(b.Context(), f.socket); err != nil {
			b.Fatal(err)
		}
		f.legs = append(f.legs, a)
	}
	testkit.Until(b, "1,000 live calls", func() (live bool) {
		ctl.ask(b.Context(), func(now time.Time) { live = len(ctl.calls) == 1000 })
		return live
	})
	return f
}
