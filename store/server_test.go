package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"tapedeck/flow"
)

// Tests that take long because they wait for something, run in parallel after
// the others, and their leaks are found at the end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// server is a Redis that a test can stop and start again with its data.
type server interface {
	client(limits) redis.UniversalClient
	stop()
	start() error
}

// onServers runs a test on the embedded server and on a real one.
func onServers(t *testing.T, test func(t *testing.T, srv server)) {
	t.Run("embedded", func(t *testing.T) {
		leakFree(t)
		e, err := newEmbedded()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.stop)
		test(t, e)
	})
	t.Run("redis-server", func(t *testing.T) {
		leakFree(t)
		test(t, startRedis(t))
	})
}

// leakFree checks at the end of a test, after its other cleanups, that none of
// its goroutines is left. go-redis's own redial notices up to a second late
// that its client is closed (internal/pool, tryDial).
func leakFree(t *testing.T) {
	t.Cleanup(func() {
		var err error
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			if err = goleak.Find(); err == nil {
				return
			}
		}
		t.Error(err)
	})
}

// realRedis is a redis-server process with a directory and a port of its own.
type realRedis struct {
	dir  string
	port int
	args []string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T, args ...string) *realRedis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: not tested on a real Redis")
	}
	var err error
	for range 5 { // another process may take the port first
		r := &realRedis{dir: t.TempDir(), port: freePort(t), args: args}
		if err = r.start(); err == nil {
			t.Cleanup(r.stop)
			return r
		}
	}
	t.Fatal(err)
	return nil
}

// freePort finds a port with another one 10000 above it, which the nodes of a
// cluster use for each other.
func freePort(t *testing.T) int {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port < 1<<16-10000 {
			return port
		}
	}
}

func (r *realRedis) address() string { return "redis://127.0.0.1:" + strconv.Itoa(r.port) }

func (r *realRedis) client(l limits) redis.UniversalClient {
	c, err := newClient(r.address(), l)
	if err != nil {
		panic(err)
	}
	return c
}

func (r *realRedis) start() error {
	args := append([]string{"--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.dir,
		"--save", "", "--appendonly", "yes",
		// While it waits for the disk, Redis answers before it writes; a test that kills it would lose that.
		"--appendfsync", "no"}, r.args...)
	return r.exec(args)
}

func (r *realRedis) exec(args []string) error {
	var out bytes.Buffer
	r.cmd = exec.Command("redis-server", args...)
	r.cmd.Stdout, r.cmd.Stderr = &out, &out
	if err := r.cmd.Start(); err != nil {
		return err
	}
	ping := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(r.port), MaxRetries: -1})
	defer ping.Close()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ours, err := ping.Info(context.Background(), "server").Result()
		if err == nil && strings.Contains(ours, fmt.Sprintf("process_id:%d\r", r.cmd.Process.Pid)) {
			return nil
		}
	}
	r.stop()
	return fmt.Errorf("redis-server did not start: %s", &out)
}

// stop kills the process, as a machine that loses its power does.
func (r *realRedis) stop() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

const stopSignal, goSignal = syscall.SIGSTOP, syscall.SIGCONT

func (r *realRedis) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// spy records what a Store tells, and wakes whoever waits for it.
type spy struct {
	mu       sync.Mutex
	changed  *sync.Cond
	seen     map[string]int
	policies []*flow.Policy
	ups      []bool
	log      bytes.Buffer
}

func newSpy() *spy {
	s := &spy{seen: map[string]int{}}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *spy) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

func (s *spy) Write(b []byte) (n int, err error) {
	s.note(func() { n, err = s.log.Write(b) })
	return n, err
}

func (s *spy) config() Config {
	return Config{
		Timeout:  5 * time.Second, // the machine may be busy
		Logger:   slog.New(slog.NewTextHandler(s, nil)),
		Observe:  func(operation string, _ time.Duration, _ error) { s.note(func() { s.seen[operation]++ }) },
		OnUp:     func(up bool) { s.note(func() { s.ups = append(s.ups, up) }) },
		OnPolicy: func(p *flow.Policy) { s.note(func() { s.policies = append(s.policies, p) }) },
	}
}

func (s *spy) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[operation]
}

func (s *spy) logged(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.log.String(), text)
}

// await waits until ok holds; it looks again whenever the Store tells anything,
// which a running one does twice a second at least.
func (s *spy) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := false
	alarm := time.AfterFunc(patience, func() { s.note(func() { late = true }) })
	defer alarm.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.mu.Unlock()
		done := ok()
		s.mu.Lock()
		if done {
			return
		}
		if late {
			t.Fatalf("waited in vain for: %s\nlog:\n%s", what, s.log.String())
		}
		s.changed.Wait()
	}
}

// openOn makes a Store on a server; the test's end closes it.
func openOn(t *testing.T, srv server, tell *spy) *Store {
	t.Helper()
	cfg := tell.config()
	s, err := newStore(t.Context(), cfg, srv.client(cfg.limits()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// runOn is openOn with Run going on.
func runOn(t *testing.T, srv server, tell *spy) *Store {
	t.Helper()
	s := openOn(t, srv, tell)
	run(t, s)
	return s
}

func run(t *testing.T, s *Store) {
	t.Helper()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// rawClient is a plain client for looking into a server.
func rawClient(t *testing.T, srv server) redis.UniversalClient {
	c := srv.client(limits{dial: patience, wait: patience})
	t.Cleanup(func() { c.Close() })
	return c
}

// policy makes a policy of some organisations that all bear its number.
func policy(t testing.TB, number, organisations, users int) *flow.Policy {
	t.Helper()
	mark := strconv.Itoa(number)
	p := &flow.Policy{Version: flow.Version, Region: "GB", Organisations: map[string]*flow.Organisation{}}
	if number%2 == 1 {
		p.Precedence = flow.First
	}
	for i := range organisations {
		id := fmt.Sprintf("org-%d", i)
		o := &flow.Organisation{
			Name: mark, Domains: []string{id + ".example.net"}, Recording: true, Retention: time.Hour,
			Numbers:      map[string]*flow.NumberEntry{fmt.Sprintf("+4420794600%02d", i): {Record: flow.Settings{flow.Yes}, Route: flow.Element{Kind: flow.RingGroup, ID: "sales"}}},
			RingGroups:   map[string]*flow.RingGroupEntry{"sales": {Members: []string{"user-0"}}},
			Applications: map[string]*flow.ApplicationEntry{"version-" + mark: {Record: flow.Settings{flow.No, flow.Force}}},
			Users:        map[string]*flow.UserEntry{},
		}
		for u := range users {
			o.Users[fmt.Sprintf("user-%d", u)] = &flow.UserEntry{Extension: strconv.Itoa(1000 + u), Record: flow.Settings{flow.Setting((u + number) % 5)}}
		}
		p.Organisations[id] = o
	}
	if err := p.Compile(); err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, s *Store, p *flow.Policy) {
	t.Helper()
	if err := s.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// swallower accepts connections and never answers.
func swallower(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return "redis://" + l.Addr().String()
}

func mustAway(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrAway) {
		t.Fatalf("error %v, want ErrAway", err)
	}
}

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
