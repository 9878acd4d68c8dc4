package call

import (
	"cmp"
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

	"tapedeck/call/keyfile"
	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// The tone of each party, in Hz: it tells who is heard.
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

// fixture is a Controller on a simulated FreeSWITCH whose clock runs only during
// talk.
type fixture struct {
	*testing.T
	sw     *esltest.Switch
	ctl    *Controller
	socket string
	dir    string
	log    *testkit.Log
	meter  *countingMeter

	address string        // of the switch's event socket
	stop    func()        // ends the Controller that was started last
	mono    bool          // Controllers that are started from now on ask for one channel
	story   func() string // what a random walk has done
}

// countingMeter is a Meter that remembers.
type countingMeter struct {
	mu sync.Mutex
	of map[string]int
}

func (c *countingMeter) add(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[name] += n
}

func (c *countingMeter) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[name]
}

func (c *countingMeter) Call(direction, state string)   { c.add("call "+direction+" "+state, 1) }
func (c *countingMeter) Decision(time.Duration)         { c.add("decision", 1) }
func (c *countingMeter) Command(command, result string) { c.add(command+" "+result, 1) }
func (c *countingMeter) Recording(result string)        { c.add("recording "+result, 1) }
func (c *countingMeter) Toggle(method, result string)   { c.add("toggle "+method+" "+result, 1) }
func (c *countingMeter) Problem(problem string)         { c.add("problem "+problem, 1) }
func (c *countingMeter) Adopted(outcome string)         { c.add("adopted "+outcome, 1) }
func (c *countingMeter) UnknownAnswer()                 { c.add("unknown answer", 1) }
func (c *countingMeter) Missing()                       { c.add("missing", 1) }
func (c *countingMeter) Event(string)                   {}
func (c *countingMeter) Live(calls, recording, paused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of["live"], c.of["on"], c.of["paused"] = calls, recording, paused
}

// noStore is a Calls for tests that do not look at it.
type noStore struct{}

// noIndex keeps nothing.
type noIndex struct{}

func (noIndex) Save(index.Recording) {}

func (noStore) Save(calls.Call)                             {}
func (noStore) End(string, string)                          {}
func (noStore) Instance() string                            { return "here" }
func (noStore) Holds() bool                                 { return true }
func (noStore) Alone() bool                                 { return true }
func (noStore) Alive(context.Context, string) (bool, error) { return false, nil }
func (noStore) Claim(_ context.Context, c calls.Call) (calls.Call, error) {
	return c, nil
}
func (noStore) List(context.Context) ([]calls.Call, error) { return nil, nil }

// noArchive is an Archive for tests that do not look at it.
type noArchive struct{}

func (noArchive) Draft(recording.Sidecar) {}
func (noArchive) Discard(string)          {}
func (noArchive) Finish(s recording.Sidecar, then func(recording.Sidecar, error)) {
	s.Complete = true
	then(s, nil)
}
func (noArchive) Drafts() ([]recording.Sidecar, error) { return nil, nil }
func (noArchive) Probe(string) (int64, error)          { return time.Now().UnixNano(), nil }
func (noArchive) LastWrite(string) (time.Time, error)  { return time.Now(), nil }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, testPolicy(t))
}

func newFixtureWith(t *testing.T, p *flow.Policy) *fixture {
	t.Helper()
	base, err := os.MkdirTemp("", "tapedeck-call-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	fx := &fixture{T: t, dir: base, log: &testkit.Log{}, meter: &countingMeter{of: map[string]int{}}, story: func() string { return "" }}
	log := slog.New(slog.NewTextHandler(fx.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	fx.sw = esltest.New(esltest.Options{Clock: esltest.Manual, Logger: log, RecordTemplate: base + "/.keys/tapedeck-key-${uuid}.wav"})
	fx.sw.CheckTold(esltest.Told{
		Ignore: func(path string) bool { return keyfile.Is(path) || filepath.Dir(path) == base },
		Foreign: func(variable func(string) string, path string) bool {
			org, _, is := strings.Cut(cmp.Or(variable("domain_name"), variable("dialed_domain")), ".")
			return is && !strings.HasPrefix(path, filepath.Join(base, org)+"/")
		},
	})
	address, err := fx.sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fx.ctl, fx.socket = fx.start(address, Config{Policy: testPolicyOf(p)})
	t.Cleanup(func() {
		_ = fx.sw.Close()
		if t.Failed() {
			t.Log(fx.log.String())
		}
	})
	t.Cleanup(func() { fx.stop() })
	return fx
}

// serve runs another Controller on the switch, with its watch link and its socket, until
// fx.stop is called. Its store and archive keep nothing, unless cfg says other ones.
func (fx *fixture) serve(cfg Config) {
	fx.Helper()
	fx.ctl, fx.socket = fx.start(fx.address, cfg)
}

// start is serve for a Controller beside fx.ctl.
func (fx *fixture) start(address string, cfg Config) (d *Controller, socket string) {
	fx.Helper()
	dir, err := recording.NewDir(fx.dir)
	if err != nil {
		fx.Fatal(err)
	}
	sounds, err := filepath.Abs("../freeswitch-conf/sounds")
	if err != nil {
		fx.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(fx.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	link := &esl.Link{Name: "fs1", Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: Events, Logger: log}
	if cfg.Calls == nil {
		cfg.Calls = noStore{}
	}
	cfg.EntryDeadline = cmp.Or(cfg.EntryDeadline, testkit.Patience)
	if cfg.Index == nil {
		cfg.Index = noIndex{}
	}
	if cfg.Archive == nil {
		cfg.Archive = noArchive{}
	}
	cfg.Prompts, cfg.Recordings, cfg.Stereo = Prompts{Dir: sounds, Language: "en"}, dir, !fx.mono
	cfg.Stranger = func(from, why string) { fx.meter.add("stranger from "+from+": "+why, 1) }
	cfg.Switches, cfg.Meter, cfg.Log = map[string]Link{"fs1": link}, fx.meter, log
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
		fx.Fatal(err)
	}
	server := &esl.Server{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Handle: d.Handle, Logger: log,
		Rejected: func(reason string) { fx.meter.add("rejected "+reason, 1) }}
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = d.Run(ctx) })
	parts.Go(func() { _ = link.Run(ctx) })
	parts.Go(func() { _ = server.Serve(ctx, ln) })
	fx.stop = func() {
		stop()
		parts.Wait()
	}
	<-connected
	fx.address = address
	return d, ln.Addr().String()
}

// hurry lets legs that come to the socket from now on wait no longer than Tapedeck really
// does. Other tests wait longer, so that a busy machine changes nothing.
func (fx *fixture) hurry() { fx.ctl.cfg.EntryDeadline = entryDeadline }

// settle waits until the Controller has taken all events of FreeSWITCH and no
// command is on its way. It marks the end of the events with a leg of its own.
func (fx *fixture) settle() {
	fx.Helper()
	mark := fx.sw.Incoming(esltest.Leg{Number: "mark"})
	defer mark.Hangup("")
	if testkit.Happens(testkit.Patience, func() (quiet bool) {
		fx.ctl.ask(context.Background(), func(now time.Time) {
			quiet = fx.ctl.legs.all[mark.UUID()] != nil && len(fx.ctl.dissolved) == 0
			for _, c := range fx.ctl.calls {
				quiet = quiet && c.rec.Pending == 0 && !c.announced.sending && len(c.line.orders) == 0
			}
		})
		return quiet
	}) {
		fx.toldTrue()
		return
	}
	fx.ctl.ask(context.Background(), func(now time.Time) {
		for _, c := range fx.ctl.calls {
			fx.Logf("call %s: %+v sending %t", c.id, c.rec, c.announced.sending)
		}
	})
	fx.Fatal("the controller does not come to rest")
}

// office is the company of policyText.
func (fx *fixture) office() *esltest.Office {
	return &esltest.Office{Switch: fx.sw, Socket: fx.socket, Domain: "acme.example.net", Outside: "07700900123", ToneHz: outside,
		Phones: map[string]int{"1001": alice, "1002": bob, "1003": carol, "1004": dave, "1005": frank, "1006": grace}}
}

func (fx *fixture) must(err error) {
	fx.Helper()
	if err != nil {
		fx.Fatal(err)
	}
}

func (fx *fixture) enter(leg *esltest.Channel) {
	fx.Helper()
	fx.must(fx.office().Enter(fx.Context(), leg, ""))
}

func (fx *fixture) element(leg *esltest.Channel, element string) {
	fx.Helper()
	fx.must(fx.office().Enter(fx.Context(), leg, element))
	if got := leg.Get("tapedeck_element"); got != "" {
		fx.Errorf("tapedeck_element is still %q", got)
	}
}

func (fx *fixture) inbound(number string) *esltest.Channel {
	fx.Helper()
	a, err := fx.office().Inbound(fx.Context(), number)
	fx.must(err)
	return a
}

func (fx *fixture) from(extension, number string, shown ...string) *esltest.Channel {
	fx.Helper()
	vars := map[string]string{}
	for _, number := range shown {
		vars["effective_caller_id_number"] = number
	}
	a, err := fx.office().From(fx.Context(), extension, number, vars)
	fx.must(err)
	return a
}

func (fx *fixture) ring(a *esltest.Channel, extension string) *esltest.Channel {
	return fx.office().Ring(a, extension)
}

func (fx *fixture) out(a *esltest.Channel) *esltest.Channel { return fx.office().Out(a) }

func (fx *fixture) answer(b *esltest.Channel) {
	fx.Helper()
	b.Answer()
	fx.settle()
}

func (fx *fixture) talk(d time.Duration) { fx.sw.Talk(d) }

// writtenTones is what a call's only file holds: for each stretch the tones of the
// anchor's own voice and of what it hears.
func (fx *fixture) writtenTones() string {
	fx.Helper()
	files := fx.files()
	if len(files) == 0 {
		return "no file"
	}
	if len(files) > 1 {
		fx.Fatalf("more than one file: %v", files)
	}
	heard, err := esltest.Listen(files[0], 100*time.Millisecond, tones...)
	if err != nil {
		fx.Fatal(err)
	}
	var parts []string
	for _, h := range heard {
		parts = append(parts, h.String())
	}
	return strings.Join(parts, "; ")
}

func (fx *fixture) files() []string {
	var files []string
	_ = filepath.WalkDir(fx.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !keyfile.Is(path) {
			files = append(files, path)
		}
		return nil
	})
	slices.Sort(files)
	return files
}

// recordedInto are the recordings that a leg's voice is written into now; the marker of a
// Record key, which may run on the phone that hears it, is none.
func recordedInto(leg *esltest.Channel) []string {
	return slices.DeleteFunc(leg.WrittenTo(), keyfile.Is)
}

// wantState checks tapedeck_state of a leg.
func (fx *fixture) wantState(leg *esltest.Channel, want string) {
	fx.Helper()
	if got := leg.Get("tapedeck_state"); got != want {
		fx.Errorf("tapedeck_state is %q, want %q", got, want)
	}
}

func (fx *fixture) wantWritten(want string) {
	fx.Helper()
	if got := fx.writtenTones(); got != want {
		fx.Errorf("heard  %s\nwanted %s", got, want)
	}
}

// until waits for something that takes time.
func (fx *fixture) until(what string, happened func() bool) {
	fx.Helper()
	testkit.Until(fx, what, happened, fx.log)
}

// laterStore is the Calls of the Tapedeck after a restart.
type laterStore struct{ noStore }

func (laterStore) Instance() string { return "later" }

// restart ends the Controller without a word to anybody, and starts another.
func (fx *fixture) restart(p *flow.Policy, between func()) {
	fx.Helper()
	fx.settle()
	fx.sw.ExcuseTold(true) // nobody is there, and then not everything is taken over
	defer fx.sw.ExcuseTold(false)
	fx.stop()
	between()
	fx.serve(Config{Policy: testPolicyOf(p), Calls: laterStore{}})
	fx.settle()
}

// waitState waits until tapedeck_state of a leg has this value.
func (fx *fixture) waitState(leg *esltest.Channel, want string) {
	fx.Helper()
	fx.until("tapedeck_state is "+want, func() bool { return leg.Get("tapedeck_state") == want })
	fx.settle() // "on" is told before the command that lets the voice into the file
}
