// Package daemontest runs a daemon in a test's process, with simulated FreeSWITCHes
// and a real Redis.
package daemontest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/daemon"
	"tapedeck/cmd/spooltest"
	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// Daemon is a daemon that runs until the test ends or Stop.
type Daemon struct {
	*testing.T
	Folder  string // has its files
	Policy  string // path of its policy file
	Socket  string // address of the outbound socket
	Metrics string // address of /metrics, /healthz and /readyz
	Logged  *testkit.Log

	cancel context.CancelFunc
	ended  chan error
}

// Start runs a daemon with a policy file (none if the text is empty) and more lines
// in its daemon file, until the test ends.
func Start(t *testing.T, policy, more string) *Daemon {
	t.Helper()
	dir := spooltest.Folder(t)
	d := &Daemon{T: t, Folder: dir, Policy: filepath.Join(dir, "policy.yaml"), Logged: &testkit.Log{}, ended: make(chan error, 1)}
	if policy != "" {
		testkit.Replace(t, d.Policy, policy)
	}
	cfg, err := config.Load(spooltest.Files(t, dir, more))
	if err != nil {
		t.Fatal(err)
	}
	cfg.EntryDeadline = testkit.Patience // these tests are not about it
	ctx, cancel := context.WithCancel(t.Context())
	d.cancel = cancel
	go func() { d.ended <- daemon.Run(ctx, cfg, slog.New(slog.NewTextHandler(d.Logged, nil))) }()
	t.Cleanup(func() { d.Stop() })
	d.Listens()
	return d
}

// Listens waits until the log says where the daemon listens.
func (d *Daemon) Listens() {
	d.Helper()
	line := d.Logged.Await(d, 1, "tapedeck serves")
	d.Socket, d.Metrics = Attribute(line, "socket"), Attribute(line, "metrics")
}

// Interrupt lets the daemon begin to stop.
func (d *Daemon) Interrupt() { d.cancel() }

// Stop stops it and returns how long that took, and its error.
func (d *Daemon) Stop() (took time.Duration, err error) {
	d.Helper()
	began := time.Now()
	d.cancel()
	select {
	case err = <-d.ended:
		d.ended <- err
	case <-time.After(testkit.Patience):
		d.Fatalf("the daemon does not end; its log:\n%s", d.Logged)
	}
	return time.Since(began), err
}

// Attribute is a value without spaces in a line of slog's text.
func Attribute(line, key string) string {
	_, rest, _ := strings.Cut(line, " "+key+"=")
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return value
}

// Get asks its metrics server.
func (d *Daemon) Get(path string) (status int, body string) {
	d.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testkit.Patience}
	res, err := client.Get("http://" + d.Metrics + path)
	if err != nil {
		d.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// Metric waits until a metric has a value.
func (d *Daemon) Metric(name, value string) {
	d.Helper()
	d.Until(name+" "+value, func() bool {
		_, body := d.Get("/metrics")
		return strings.Contains(body, "\n"+name+" "+value+"\n")
	})
}

// Ready waits until /readyz says so.
func (d *Daemon) Ready() {
	d.Helper()
	d.Until("ready", func() bool { status, _ := d.Get("/readyz"); return status == http.StatusOK })
}

// Until is testkit.Until with the daemon's log.
func (d *Daemon) Until(what string, ok func() bool) {
	d.Helper()
	testkit.Until(d, what, ok, d.Logged)
}

// Complaints are the lines of the log above info.
func (d *Daemon) Complaints() (lines []string) {
	for line := range strings.Lines(d.Logged.String()) {
		if !strings.Contains(line, "level=INFO") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Recorded places a call that is answered, and returns its outside leg once the
// recording runs.
func (d *Daemon) Recorded(sw *esltest.Switch) *esltest.Channel {
	d.Helper()
	o := Office(sw, d.Socket)
	leg, err := o.Inbound(d.Context(), "+442079460001")
	if err != nil {
		d.Fatal(err)
	}
	o.Ring(leg, "1002").Answer()
	d.Until("the recording runs", func() bool { return leg.Get("tapedeck_state") == "on" })
	return leg
}

// Lasts fails the test unless a leg's file is so long.
func (d *Daemon) Lasts(leg *esltest.Channel, want time.Duration) {
	d.Helper()
	got, err := esltest.Length(leg.Get("tapedeck_file"))
	if err != nil || got != want {
		d.Errorf("the file is %v long, want %v: %v", got, want, err)
	}
}

// Switch is a simulated FreeSWITCH that runs until the test ends, and its line below
// switches: in a daemon file. Only in real time does the sidecar of a recording agree
// with its audio.
func Switch(t *testing.T, name, password string, clock esltest.Clock) (sw *esltest.Switch, line string) {
	t.Helper()
	sw = esltest.New(esltest.Options{Name: name, Clock: clock})
	t.Cleanup(func() { _ = sw.Close() })
	address, err := sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return sw, fmt.Sprintf("  - { name: %s, address: %q, password: %s }\n", name, address, password)
}

// OutsideHz is the tone of the outside party of an Office.
const OutsideHz = 440

// Office places calls at a switch whose dialplan hands them to socket.
func Office(sw *esltest.Switch, socket string) *esltest.Office {
	return &esltest.Office{Switch: sw, Socket: socket, Domain: "acme.example.net", Outside: "+447700900123", ToneHz: OutsideHz,
		Phones: map[string]int{"1001": 880, "1002": 1320, "1003": 1760, "1004": 2200}}
}

// RedisLine is the line of a daemon file that names a Redis.
func RedisLine(r *testkit.Redis) string { return "store: { redis: '" + r.URL() + "' }\n" }

// SealedRedisLine is RedisLine with a key, which is made in the folder.
func SealedRedisLine(t *testing.T, r *testkit.Redis, folder string) string {
	t.Helper()
	key := filepath.Join(folder, "store.key")
	testkit.Replace(t, key, strings.Repeat("k", 64)+"\n")
	return fmt.Sprintf("store: { redis: '%s', key_file: %s }\n", r.URL(), key)
}

// EachStore runs a test with the embedded Redis and with a real one; line is what the
// daemon file has to say.
func EachStore(t *testing.T, test func(t *testing.T, line string)) {
	t.Run("embedded", func(t *testing.T) {
		testkit.NoLeaks(t)
		test(t, "")
	})
	t.Run("redis-server", func(t *testing.T) {
		testkit.NoLeaks(t)
		test(t, SealedRedisLine(t, testkit.StartRedis(t), t.TempDir()))
	})
}
