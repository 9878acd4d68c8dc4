package call

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// Tones: who is heard.
const (
	outside = 440
	alice   = 880
	bob     = 1320
	carol   = 1760
	dave    = 2200
	frank   = 2600
	grace   = 3000
)

var tones = []float64{outside, alice, bob, carol, dave, frank, grace}

// lab is a Controller on a simulated FreeSWITCH whose clock stands still but for talk.
type lab struct {
	*testing.T
	sw     *esltest.Switch
	ctl    *Controller
	socket string
	dir    string
	log    *testkit.Log
	meter  *counts

	address string // of the switch's event socket
	stop    func() // ends the Controller that was started last
}

// counts is a Meter that remembers.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[name] += n
}

func (c *counts) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[name]
}

func (c *counts) Call(direction, state string)   { c.add("call "+direction+" "+state, 1) }
func (c *counts) Decision(time.Duration)         { c.add("decision", 1) }
func (c *counts) Command(command, result string) { c.add(command+" "+result, 1) }
func (c *counts) Recording(result string)        { c.add("recording "+result, 1) }
func (c *counts) Toggle(method, result string)   { c.add("toggle "+method+" "+result, 1) }
func (c *counts) Problem(problem string)         { c.add("problem "+problem, 1) }
func (c *counts) Adopted(outcome string)         { c.add("adopted "+outcome, 1) }
func (c *counts) Missing()                       { c.add("missing", 1) }
func (c *counts) Event(string)                   {}
func (c *counts) Live(calls, recording, paused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of["live"], c.of["on"], c.of["paused"] = calls, recording, paused
}

// nowhere is a Calls for tests that do not look at it.
type nowhere struct{}

// noIndex keeps nothing.
type noIndex struct{}

func (noIndex) Save(index.Recording) {}

func (nowhere) Save(calls.Call)                             {}
func (nowhere) End(string, string)                          {}
func (nowhere) Instance() string                            { return "here" }
func (nowhere) Holds() bool                                 { return true }
func (nowhere) Alone() bool                                 { return true }
func (nowhere) Alive(context.Context, string) (bool, error) { return false, nil }
func (nowhere) Claim(_ context.Context, c calls.Call) (calls.Call, error) {
	return c, nil
}
func (nowhere) List(context.Context) ([]calls.Call, error) { return nil, nil }

// unwritten is an Archive for tests that do not look at it.
type unwritten struct{}

func (unwritten) Draft(recording.Sidecar) {}
func (unwritten) Discard(string)          {}
func (unwritten) Finish(s recording.Sidecar, then func(recording.Sidecar, error)) {
	s.Complete = true
	then(s, nil)
}
func (unwritten) Drafts() ([]recording.Sidecar, error) { return nil, nil }
func (unwritten) Probe(string) (int64, error)          { return time.Now().UnixNano(), nil }
func (unwritten) LastWrite(string) (time.Time, error)  { return time.Now(), nil }

func newLab(t *testing.T) *lab {
	t.Helper()
	return newLabWith(t, testPolicy(t))
}

func newLabWith(t *testing.T, p *flow.Policy) *lab {
	t.Helper()
	base, err := os.MkdirTemp("", "tapedeck-call-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	l := &lab{T: t, dir: base, log: &testkit.Log{}, meter: &counts{of: map[string]int{}}}
	log := slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l.sw = esltest.New(esltest.Options{Clock: esltest.Manual, Logger: log, RecordTemplate: base + "/.keys/tapedeck-key-${uuid}.wav"})
	address, err := l.sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.ctl, l.socket = l.start(address, Config{Policy: func() *flow.Policy { return p }, Calls: nowhere{}, Index: noIndex{}, Archive: unwritten{}})
	t.Cleanup(func() {
		_ = l.sw.Close()
		if t.Failed() {
			t.Log(l.log.String())
		}
	})
	t.Cleanup(func() { l.stop() })
	return l
}

// start runs a Controller on the switch, with its watch link and its socket, until
// l.stop is called.
func (l *lab) start(address string, cfg Config) (d *Controller, socket string) {
	l.Helper()
	dir, err := recording.NewDir(l.dir)
	if err != nil {
		l.Fatal(err)
	}
	sounds, err := filepath.Abs("../freeswitch-conf/sounds")
	if err != nil {
		l.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	link := &esl.Link{Name: "fs1", Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: Events, Logger: log}
	cfg.Prompts, cfg.Recordings, cfg.Stereo = Prompts{Dir: sounds, Language: "en"}, dir, true
	cfg.Switches, cfg.Meter, cfg.Log = map[string]Link{"fs1": link}, l.meter, log
	d = New(cfg)
	connected := make(chan struct{}, 16)
	link.OnConnect = func(ctx context.Context, conn *esl.Conn) error {
		err := d.Connected(ctx, "fs1", conn)
		connected <- struct{}{}
		return err
	}
	link.OnEvent = func(ev *esl.Event) { d.Watched("fs1", ev) }
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	server := &esl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Handle: d.Handle, Logger: log}
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = d.Run(ctx) })
	parts.Go(func() { _ = link.Run(ctx) })
	parts.Go(func() { _ = server.Serve(ctx, ln) })
	l.stop = func() {
		stop()
		parts.Wait()
	}
	<-connected
	l.address = address
	return d, ln.Addr().String()
}

// settleDoubt waits until the Controller has seen all that FreeSWITCH has told, and no
// command is on its way. It marks the end of the events with a leg of its own.
func (l *lab) settle() {
	l.Helper()
	mark := l.sw.Incoming(esltest.Leg{Number: "mark"})
	defer mark.Hangup("")
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		quiet := false
		l.ctl.ask(context.Background(), func(now time.Time) {
			quiet = l.ctl.legs.all[mark.UUID()] != nil
			for _, c := range l.ctl.calls {
				quiet = quiet && c.rec.Pending == 0 && !c.announced.sending && len(c.line.orders) == 0
			}
		})
		if quiet {
			return
		}
		time.Sleep(time.Millisecond)
	}
	l.ctl.ask(context.Background(), func(now time.Time) {
		for _, c := range l.ctl.calls {
			l.Logf("call %s: %+v telling %t", c.id, c.rec, c.announced.sending)
		}
	})
	l.Fatal("the controller does not come to rest")
}

// office is the company of policyText.
func (l *lab) office() *esltest.Office {
	return &esltest.Office{Switch: l.sw, Socket: l.socket, Domain: "acme.example.net", Outside: "07700900123", ToneHz: outside,
		Phones: map[string]int{"1001": alice, "1002": bob, "1003": carol, "1004": dave, "1005": frank, "1006": grace}}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) enter(leg *esltest.Channel) {
	l.Helper()
	l.must(l.office().Enter(l.Context(), leg, ""))
}

func (l *lab) element(leg *esltest.Channel, element string) {
	l.Helper()
	l.must(l.office().Enter(l.Context(), leg, element))
	if got := leg.Get("tapedeck_element"); got != "" {
		l.Errorf("tapedeck_element is still %q", got)
	}
}

func (l *lab) inbound(number string) *esltest.Channel {
	l.Helper()
	a, err := l.office().Inbound(l.Context(), number)
	l.must(err)
	return a
}

func (l *lab) from(extension, number string, shown ...string) *esltest.Channel {
	l.Helper()
	vars := map[string]string{}
	for _, number := range shown {
		vars["effective_caller_id_number"] = number
	}
	a, err := l.office().From(l.Context(), extension, number, vars)
	l.must(err)
	return a
}

func (l *lab) ring(a *esltest.Channel, extension string) *esltest.Channel {
	return l.office().Ring(a, extension)
}

func (l *lab) out(a *esltest.Channel) *esltest.Channel { return l.office().Out(a) }

func (l *lab) answer(b *esltest.Channel) {
	l.Helper()
	b.Answer()
	l.settle()
}

func (l *lab) talk(d time.Duration) { l.sw.Talk(d) }

// hear is what a call's only file holds: per stretch the tones of the recorded
// leg's own voice and of what it hears.
func (l *lab) hear() string {
	l.Helper()
	files := l.files()
	if len(files) == 0 {
		return "no file"
	}
	if len(files) > 1 {
		l.Fatalf("more than one file: %v", files)
	}
	heard, err := esltest.Listen(files[0], 100*time.Millisecond, tones...)
	if err != nil {
		l.Fatal(err)
	}
	var parts []string
	for _, h := range heard {
		parts = append(parts, h.String())
	}
	return strings.Join(parts, "; ")
}

func (l *lab) files() []string {
	var files []string
	_ = filepath.WalkDir(l.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !isMarker(path) {
			files = append(files, path)
		}
		return nil
	})
	slices.Sort(files)
	return files
}

// state is tapedeck_state of a leg.
func (l *lab) state(leg *esltest.Channel, want string) {
	l.Helper()
	if got := leg.Get("tapedeck_state"); got != want {
		l.Errorf("tapedeck_state is %q, want %q", got, want)
	}
}

func (l *lab) heard(want string) {
	l.Helper()
	if got := l.hear(); got != want {
		l.Errorf("heard  %s\nwanted %s", got, want)
	}
}
