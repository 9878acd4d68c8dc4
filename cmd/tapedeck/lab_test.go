package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/esl/esltest"
)

// served is a serve that runs in this process.
type served struct {
	*testing.T
	dir, policy string // where its files are, and its policy file
	socket, web string // addresses
	log         *journal
	cancel      context.CancelFunc
	ended       chan int // its exit code
}

// labConfig is a daemon file on free ports, with more lines.
func labConfig(dir, more string) string {
	return fmt.Sprintf("listen: 127.0.0.1:0\nmetrics: { listen: 127.0.0.1:0 }\nhttp: { listen: 127.0.0.1:0, accounts: %s/accounts.yaml }\npolicy: %s/policy.yaml\nrecordings: { dir: %s/spool }\nprompts: { dir: %s/sounds }\n%s",
		dir, dir, dir, dir, more)
}

// startServe runs serve with a policy file (none if it is empty) and more lines
// in its daemon file, until the test ends.
func startServe(t *testing.T, policy, more string) *served {
	t.Helper()
	dir, err := os.MkdirTemp("", "tapedeck-cmd-") // t.TempDir may have names that are no recordings.dir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &served{T: t, dir: dir, policy: filepath.Join(dir, "policy.yaml"), log: newJournal(), ended: make(chan int, 1)}
	if policy != "" {
		s.replacePolicy(policy)
	}
	if err := os.MkdirAll(filepath.Join(dir, "sounds", "en"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "accounts.yaml"), []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "tapedeck.yaml")
	if err := os.WriteFile(config, []byte(labConfig(dir, more)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.cancel = cancel
	go func() { s.ended <- run(ctx, []string{"serve", "--config", config}, io.Discard, s.log) }()
	t.Cleanup(func() { s.stop() })
	line := s.logged(1, "tapedeck serves")
	s.socket, s.web = attribute(line, "socket"), attribute(line, "metrics")
	return s
}

// stop ends it and returns its exit code and how long that took.
func (s *served) stop() (code int, took time.Duration) {
	s.Helper()
	began := time.Now()
	s.cancel()
	select {
	case code = <-s.ended:
		s.ended <- code
	case <-time.After(patience):
		s.Fatalf("serve does not end; its log:\n%s", s.log)
	}
	return code, time.Since(began)
}

// logged waits for the nth line with all of the words.
func (s *served) logged(n int, words ...string) string {
	s.Helper()
	line, err := s.log.find(n, words...)
	if err != nil {
		s.Fatal(err)
	}
	return line
}

// attribute is a value without spaces in a line of slog's text.
func attribute(line, key string) string {
	_, rest, _ := strings.Cut(line, " "+key+"=")
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return value
}

// replacePolicy puts a policy file in place by renaming, as editors do.
func (s *served) replacePolicy(text string) {
	s.Helper()
	fresh := s.policy + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(fresh, s.policy); err != nil {
		s.Fatal(err)
	}
}

// get asks its HTTP server.
func (s *served) get(path string) (status int, body string) {
	s.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Get("http://" + s.web + path)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// metric waits until a metric has a value.
func (s *served) metric(name, value string) {
	s.Helper()
	s.until(name+" "+value, func() bool {
		_, body := s.get("/metrics")
		return strings.Contains(body, "\n"+name+" "+value+"\n")
	})
}

// until asks again and again what has no event to wait for.
func (s *served) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not so: %s; the log:\n%s", what, s.log)
		}
	}
}

// complaints are the lines of the log above info.
func (s *served) complaints() (lines []string) {
	for line := range strings.Lines(s.log.String()) {
		if !strings.Contains(line, "level=INFO") {
			lines = append(lines, line)
		}
	}
	return lines
}

// testSwitch is a simulated FreeSWITCH, and the lines of a daemon file that say
// where it is.
func testSwitch(t *testing.T, name, password string) (*esltest.Switch, string) {
	t.Helper()
	return clockedSwitch(t, name, password, esltest.Manual)
}

// clockedSwitch is a simulated FreeSWITCH and its line of the daemon file. What
// is written beside a file agrees with its audio in real time alone.
func clockedSwitch(t *testing.T, name, password string, clock esltest.Clock) (*esltest.Switch, string) {
	t.Helper()
	sw := esltest.New(esltest.Options{Name: name, Clock: clock})
	t.Cleanup(func() { _ = sw.Close() })
	address, err := sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return sw, fmt.Sprintf("  - { name: %s, address: %q, password: %s }\n", name, address, password)
}

func office(sw *esltest.Switch, socket string) *esltest.Office {
	return &esltest.Office{Switch: sw, Socket: socket, Domain: "acme.example.net", Outside: "+447700900123", ToneHz: outsideHz, Phones: phones}
}

// redisServer is a real Redis on a port of its own.
type redisServer struct {
	t    *testing.T
	port int
	cmd  *exec.Cmd
}

// newRedis finds a port for a Redis that is not started yet.
func newRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on PATH: not tested on a real Redis")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &redisServer{t: t, port: l.Addr().(*net.TCPAddr).Port}
}

func (r *redisServer) url() string { return "redis://127.0.0.1:" + strconv.Itoa(r.port) }

func (r *redisServer) config() string { return "store: { redis: '" + r.url() + "' }\n" }

// start starts it and waits until it answers.
func (r *redisServer) start() *redisServer {
	r.t.Helper()
	r.cmd = exec.Command("redis-server", "--port", strconv.Itoa(r.port), "--bind", "127.0.0.1", "--dir", r.t.TempDir(), "--save", "")
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _, _ = r.cmd.Process.Kill(), r.cmd.Wait() })
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(r.port), MaxRetries: -1})
	defer client.Close()
	for end := time.Now().Add(patience); client.Ping(r.t.Context()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("redis-server does not answer")
		}
	}
	return r
}

// stores runs a test with the embedded Redis and with a real one.
func stores(t *testing.T, test func(t *testing.T, config string)) {
	t.Run("embedded", func(t *testing.T) {
		leakFree(t)
		test(t, "")
	})
	t.Run("redis-server", func(t *testing.T) {
		leakFree(t)
		test(t, newRedis(t).start().config())
	})
}
