package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// fault is one row of TestFaults: calls during which something breaks. Each has
// instances of Tapedeck, a folder of recordings and an organisation of its own. While it
// runs, it has the switches for itself.
type fault struct {
	name     string
	settings settings
	needs    needs
	run      func(*faultTalk)
}

// needs is what a fault needs besides one instance of Tapedeck.
type needs struct {
	two   bool  // two instances; the dialplan connects to the first, if it runs
	redis bool  // a real Redis
	proxy bool  // between the first instance and the switch's event socket
	disk  int64 // the recordings are on a disk of so many bytes
}

// faultTalk is one fault while it runs.
type faultTalk struct {
	*talk
	instances []*lab.Tapedeck
	redis     *lab.Redis
	proxy     *lab.Proxy
	disk      string // the folder of recordings
}

// TestFaults makes calls while a process is killed, a connection cut, or a disk
// full. Two faults run at the same time, each on switches of its own.
func TestFaults(t *testing.T) {
	ctx, binary := begin(t)
	dir := workDir(t)
	program := build(t, ctx, dir)
	faults := allFaults()
	confDir, err := filepath.Abs("../freeswitch-conf")
	must(t, err)
	free := make(chan *faultLab, faultLabs)
	for i := range faultLabs {
		free <- startFaultLab(t, ctx, binary, filepath.Join(dir, fmt.Sprintf("lab%d", i+1)), confDir, len(faults))
	}
	total := &suite{}
	t.Cleanup(func() { // after the last fault
		t.Logf("%d pauses are heard: the sidecars' differ by %v at most", total.spans, total.furthest)
	})
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			l := <-free
			t.Cleanup(func() { free <- l })
			ctx, cancel := context.WithTimeout(ctx, faultLimit)
			defer cancel()
			s := stage{program: program, dir: filepath.Join(dir, fmt.Sprintf("fault%02d", i)), prompts: filepath.Join(confDir, "sounds"), sockets: l.sockets}
			c := s.set(t, ctx, f, l.Lab, lab.Org(i))
			f.run(c)
			c.verified()
			total.add(c.suite)
		})
	}
}

// add takes over what a fault has noted of its pauses, for the summary.
func (s *suite) add(one *suite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans, s.furthest = s.spans+one.spans, max(s.furthest, one.furthest)
}

// faultLabs is how many faults run at the same time.
const faultLabs = 2

// faultLab is the switches that one fault at a time has for itself, and where their
// dialplan looks for Tapedeck.
type faultLab struct {
	*lab.Lab
	sockets []string
}

// startFaultLab starts switches with so many organisations. t's cleanup stops them.
func startFaultLab(t *testing.T, ctx context.Context, binary, dir, confDir string, organisations int) *faultLab {
	t.Helper()
	orgs := make([]lab.Org, organisations)
	for i := range orgs {
		orgs[i] = lab.Org(i)
	}
	ports, err := lab.FreePorts(2)
	must(t, err)
	l := &faultLab{sockets: []string{fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])}}
	l.Lab, err = lab.Start(ctx, lab.Config{
		FreeSWITCH: binary, Dir: dir, ConfDir: confDir, Socket: strings.Join(l.sockets, "|"), Orgs: orgs,
		Recordings: dir + ".keys", Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(l.Stop)
	return l
}

// faultLimit is how long one fault may take. The long form waits longer.
const faultLimit = 3 * time.Minute

// stage is what an instance of Tapedeck is started with.
type stage struct {
	program, dir, prompts string
	sockets               []string
}

// set starts what a fault needs. t's cleanup stops it.
func (s stage) set(t *testing.T, ctx context.Context, f fault, l *lab.Lab, org lab.Org) *faultTalk {
	t.Helper()
	c := &faultTalk{talk: &talk{T: t, ctx: ctx, suite: &suite{lab: l}, org: org}, disk: lab.RecordingsIn(s.dir)}
	must(t, os.MkdirAll(c.disk, 0o750))
	if f.needs.disk > 0 {
		mount(t, c.disk, f.needs.disk)
	}
	t.Cleanup(func() { _ = l.HangUpAll(context.WithoutCancel(ctx)) }) // the calls of a scenario that failed
	conf := lab.TapedeckConfig{Program: s.program, Prompts: s.prompts, Switch: l.ESL, Recordings: c.disk,
		Policy: policyHead + f.settings.yaml(org)}
	if f.needs.redis {
		var err error
		c.redis, err = lab.StartRedis(ctx, filepath.Join(s.dir, "redis"))
		if errors.Is(err, lab.ErrNoRedis) {
			t.Skip(err)
		}
		must(t, err)
		t.Cleanup(func() { _ = c.redis.Stop(stopsWithin) })
		conf.Store = c.redis.URL()
	}
	if f.needs.proxy {
		var err error
		c.proxy, err = lab.StartProxy(l.ESL)
		must(t, err)
		t.Cleanup(c.proxy.Stop)
		conf.Switch = c.proxy.Port
	}
	instances := 1
	if f.needs.two {
		instances = 2
	}
	for i := range instances {
		conf.Dir, conf.Socket = filepath.Join(s.dir, fmt.Sprintf("tapedeck%d", i+1)), s.sockets[i]
		instance, err := lab.StartTapedeck(ctx, conf)
		must(t, err)
		c.instances = append(c.instances, instance)
		t.Cleanup(func() {
			if err := instance.Stop(stopsWithin); err != nil && !errors.Is(err, lab.ErrKilled) {
				t.Errorf("tapedeck serve, after SIGTERM: %v", err)
			}
		})
	}
	c.suite.tapedeck = c.instances[0]
	return c
}

// mount mounts an empty disk of so many bytes at a folder, or skips the test.
func mount(t *testing.T, dir string, size int64) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("no disk of its own can be made for recordings (root can): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil { // a call that failed may have a file open
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// sound is the path of one part of a call's recording; the first is 1.
func (c *faultTalk) sound(call string, part int) string {
	c.Helper()
	name := call + ".wav"
	if part > 1 {
		name = fmt.Sprintf("%s.part%d.wav", call, part)
	}
	return filepath.Join(c.day(), name)
}

// day is the folder of today's recordings.
func (c *faultTalk) day() string {
	c.Helper()
	days, err := filepath.Glob(filepath.Join(c.disk, c.org.ID(), "*", "*", "*"))
	c.do(err)
	if len(days) == 0 {
		c.Fatalf("there is no recording of %s", c.org.ID())
	}
	return days[len(days)-1]
}

// awaitLog waits for a line of an instance's log with all these words, and returns
// when it came: within some milliseconds.
func (c *faultTalk) awaitLog(instance *lab.Tapedeck, limit time.Duration, words ...string) time.Time {
	c.Helper()
	testkit.Within(c, limit, fmt.Sprintf("line of the log with %q", words), func() bool { return logged(instance, words...) > 0 })
	return time.Now()
}

// logged is how many lines of an instance's log have all these words.
func logged(instance *lab.Tapedeck, words ...string) (n int) {
	for _, line := range instance.Log(words[0]) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

// hasMetric asserts a metric's value.
func (c *faultTalk) hasMetric(instance *lab.Tapedeck, series string, want float64) {
	c.Helper()
	if got, err := instance.Metric(c.ctx, series); err != nil || got != want {
		c.Errorf("%s is %v, %v; want %v", series, got, err, want)
	}
}

// traced asserts that the trace has an entry.
func (r *take) traced(what, result string) {
	r.Helper()
	for _, n := range r.about.Trace {
		if n.What == what && (result == "" || n.Result == result) {
			return
		}
	}
	r.Errorf("the trace does not say %s %s: %+v", what, result, r.about.Trace)
}

// verified asserts that `recordings verify` finds nothing wrong: what the fault broke
// is in the sidecars.
func (c *faultTalk) verified() {
	c.Helper()
	for _, instance := range c.instances {
		if instance.Runs() {
			said, err := instance.Run(c.ctx, "recordings", "verify")
			if err != nil {
				c.Errorf("%v\n%s", err, said)
			}
			c.Log(strings.TrimSpace(said))
			return
		}
	}
}
