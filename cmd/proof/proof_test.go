package proof

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/flow"
	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/recording/chain"
)

// lab is a daemon file whose recordings, logs and key are in a folder of their own.
type lab struct {
	*testing.T
	cfg    *config.Config
	root   string
	logged testkit.Log
	counts []int // what each verification found
}

func newLab(t *testing.T) *lab {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-proof-") // t.TempDir may have names that are no recordings.dir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	l := &lab{T: t, cfg: config.Default(), root: root}
	if err := os.Mkdir(l.path("spool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if l.cfg.Recordings.Dir, err = recording.NewDir(l.path("spool")); err != nil {
		t.Fatal(err)
	}
	l.cfg.Audit.Dir, l.cfg.Audit.Key, l.cfg.Audit.Copies = l.path("audit"), l.path("audit.key"), []string{l.path("copies")}
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.root, name) }

func (l *lab) keeper() *Keeper {
	return NewKeeper(l.cfg, func(n int) { l.counts = append(l.counts, n) }, slog.New(slog.NewTextHandler(&l.logged, nil)))
}

// key makes the key without signing anything.
func (l *lab) key() {
	l.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err == nil {
		err = writeKey(l.cfg.Audit.Key, public, private)
	}
	if err != nil {
		l.Fatal(err)
	}
}

// copies are the checkpoints that were copied to the file.
func (l *lab) copies() []chain.Entry {
	l.Helper()
	text, err := os.ReadFile(l.path("copies"))
	if err != nil {
		l.Fatal(err)
	}
	var all []chain.Entry
	for line := range strings.Lines(string(text)) {
		e, err := chain.Decode([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			l.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// TestKeeper: a checkpoint at the start, each hour and at the end, signed and copied; a
// line for each policy; the log is verified once a day.
func TestKeeper(t *testing.T) {
	l := newLab(t)
	l.key()
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		k.PolicyInForce(&flow.Policy{Revision: "one"}, "policy file")
		k.PolicyInForce(&flow.Policy{Revision: "one"}, "redis")
		k.PolicyInForce(&flow.Policy{Revision: "two"}, "redis")
		synctest.Wait()
		if r := k.Result(); r != nil {
			t.Errorf("verified at once: %+v", r)
		}
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		if r := k.Result(); r == nil || r.Err != nil || r.Summary.Findings > 0 || r.Checkpoint.Seq == 0 || time.Since(r.At) != 2*time.Hour {
			t.Errorf("%+v", r)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var why []string
	for _, e := range l.copies() {
		if e.Signature == "" {
			t.Errorf("%+v", e)
		}
		why = append(why, e.Why)
	}
	if got := strings.Join(why, " "); got != "start hour hour stop" {
		t.Errorf("checkpoints: %s", got)
	}
	var lines []string
	for _, line := range testkit.JSONLines[audit.Line](t, audit.New(l.cfg.Recordings.Dir.String(), nil).Path()) {
		lines = append(lines, line.Who+" "+line.What+" "+line.From+": "+line.Detail)
	}
	if got := strings.Join(lines, ", "); got != "tapedeck serve policy policy file: revision one, tapedeck serve policy redis: revision two replaces one" {
		t.Errorf("lines: %s", got)
	}
	if s, err := Check(t.Context(), l.cfg, FilesOf(l.cfg), true, func(f chain.Finding) { t.Error(f) }); err != nil || s.Since != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if log := l.logged.String(); strings.Contains(log, "WARN") || strings.Contains(log, "ERROR") {
		t.Error(log)
	}
}

// TestKeeperWithoutKey: the log is chained and not signed, which is said once; a key that
// is made meanwhile is used from the next checkpoint on.
func TestKeeperWithoutKey(t *testing.T) {
	l := newLab(t)
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		l.key()
		time.Sleep(time.Hour)
		cancel()
		<-ended
	})
	var signed []bool
	for _, e := range l.copies() {
		signed = append(signed, e.Signature != "")
	}
	if len(signed) != 4 || signed[0] || signed[1] || !signed[2] || !signed[3] {
		t.Errorf("%v", signed)
	}
	if log := l.logged.String(); strings.Count(log, "the evidence log is not signed") != 1 {
		t.Errorf("log:\n%s", log)
	}
	if _, err := Check(t.Context(), l.cfg, FilesOf(l.cfg), true, func(f chain.Finding) {
		if !f.Note {
			t.Error(f)
		}
	}); err != nil {
		t.Error(err)
	}
}

// TestKeeperFinds: what the daily verification finds is logged and shown.
func TestKeeperFinds(t *testing.T) {
	l := newLab(t)
	l.key()
	k := l.keeper()
	if err := k.Audit().Add(audit.Line{What: audit.Listen}); err != nil {
		t.Fatal(err)
	}
	k.checkpoint(t.Context(), chain.AtHour)
	if err := os.Remove(k.Audit().Path()); err != nil {
		t.Fatal(err)
	}
	k.check(t.Context())
	if r := k.Result(); r == nil || r.Summary.Findings != 1 || len(r.Findings) != 1 || r.Findings[0].What != chain.Truncated {
		t.Errorf("%+v", r)
	}
	l.logged.Await(t, 1, "level=ERROR", "the evidence log disagrees", "findings=1")
	if len(l.counts) != 1 || l.counts[0] != 1 {
		t.Errorf("counted: %v", l.counts)
	}
}

// TestKeeperWithoutFolder: calls are recorded and audited without an evidence log, and
// the log of the daemon says so.
func TestKeeperWithoutFolder(t *testing.T) {
	l := newLab(t)
	l.cfg.Audit.Dir = "/proc/tapedeck/audit"
	k := l.keeper()
	l.logged.Await(t, 1, "level=ERROR", "there is no evidence log")
	if err := k.Audit().Add(audit.Line{What: audit.Listen}); err != nil {
		t.Error(err)
	}
	k.checkpoint(t.Context(), chain.AtStart)
	k.check(t.Context())
	l.logged.Await(t, 1, "level=ERROR", "evidence not verified")
	if k.Audit().Evidence() != nil || len(l.counts) != 1 || l.counts[0] != -1 {
		t.Errorf("there is one, or it is counted as right: %v", l.counts)
	}
}

// TestCopies: a checkpoint goes to a file and to a server; a place that fails is named
// and does not keep the others from getting it.
func TestCopies(t *testing.T) {
	l := newLab(t)
	var got []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		if strings.Contains(r.URL.Path, "full") {
			w.WriteHeader(http.StatusInsufficientStorage)
		}
	}))
	defer server.Close()
	trusted := http.DefaultClient
	http.DefaultClient = server.Client()
	defer func() { http.DefaultClient = trusted }()
	log, err := Open(l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	line, err := log.Evidence().Checkpoint(chain.AtHour, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = copyTo(t.Context(), []string{server.URL + "/full", l.path("no/folder/copies"), server.URL + "/c/", l.path("copies")}, line)
	if err == nil || !strings.Contains(err.Error(), "/full: the server answered 507") || !strings.Contains(err.Error(), "no/folder/copies") {
		t.Errorf("%v", err)
	}
	e := l.copies()[0]
	if len(got) != 2 || got[1] != "PUT /c/"+e.Log+"/2.json "+string(line) {
		t.Errorf("%q", got)
	}
}

// TestTornCopy: after a copy that a full disk has torn the next ones are read.
func TestTornCopy(t *testing.T) {
	l := newLab(t)
	l.key()
	k := l.keeper()
	if err := os.WriteFile(l.path("copies"), []byte(`{"seq":1,"prev":"","at":"2026-`), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		k.checkpoint(t.Context(), chain.AtHour)
	}
	notes := 0
	if _, err := Check(t.Context(), l.cfg, FilesOf(l.cfg), false, func(f chain.Finding) {
		if notes++; !f.Note {
			t.Error(f)
		}
	}); err != nil || notes != 1 {
		t.Errorf("%d notes, %v", notes, err)
	}
	text, err := os.ReadFile(l.path("copies"))
	if err != nil || strings.Count(string(text), "\n{") != 2 {
		t.Errorf("%s, %v", text, err)
	}
}

// TestKeeperMeanwhile: checkpoints and lines are written while a verification takes hours.
func TestKeeperMeanwhile(t *testing.T) {
	l := newLab(t)
	l.key()
	synctest.Test(t, func(t *testing.T) {
		verified, end := make(chan int), make(chan int)
		k := NewKeeper(l.cfg, func(n int) { verified <- n; <-end }, slog.New(slog.NewTextHandler(&l.logged, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		if n := <-verified; n != 0 { // and now it goes on
			t.Errorf("found %d", n)
		}
		k.PolicyInForce(&flow.Policy{Revision: "one"}, "redis")
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		if copies := l.copies(); len(copies) != 2 || copies[1].Why != chain.AtHour {
			t.Errorf("checkpoints: %+v", copies)
		}
		if lines := testkit.JSONLines[audit.Line](t, k.Audit().Path()); len(lines) != 1 {
			t.Errorf("lines: %+v", lines)
		}
		end <- 0
		time.Sleep(25 * time.Hour)
		if n := <-verified; n != 0 {
			t.Errorf("found %d", n)
		}
		end <- 0
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestKeeperStops: a log that somebody has locked does not hold a daemon that starts or
// ends.
func TestKeeperStops(t *testing.T) {
	l := newLab(t)
	l.keeper()
	names, err := filepath.Glob(l.path("audit/*.jsonl"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	f, err := os.Open(names[0])
	if err == nil {
		err = durable.Lock(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.keeper().Run(ctx) }()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(testkit.Patience):
		t.Error("it waits for the lock")
	}
	f.Close()
	l.logged.Await(t, 1, "level=ERROR", "no checkpoint at the end")
}

// TestSyslog: a checkpoint is one message, which has the whole line.
func TestSyslog(t *testing.T) {
	l := newLab(t)
	server, err := net.ListenPacket("unixgram", l.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := toSyslog("unixgram", l.path("log"), []byte("{a checkpoint}\n")); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 4096)
	n, _, err := server.ReadFrom(message)
	if text := string(message[:n]); err != nil || !strings.HasPrefix(text, "<85>") || !strings.HasSuffix(text, ": {a checkpoint}\n") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestKeyFiles: both files are what openssl reads, too; what is no such key is refused.
func TestKeyFiles(t *testing.T) {
	l := newLab(t)
	id, err := NewKey(l.cfg)
	if err != nil {
		t.Fatal(err)
	}
	private, err := readKey(l.cfg.Audit.Key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := readPublicKey(l.cfg.Audit.Key + publicExt)
	if err != nil || !public.Equal(private.Public()) || chain.KeyID(public) != id {
		t.Errorf("%v, %v", public, err)
	}
	if durable.OpenToOthers(l.cfg.Audit.Key) != 0 {
		t.Error("others may read the key")
	}
	if _, err := readKey(l.cfg.Audit.Key + publicExt); err == nil {
		t.Error("a public key is taken for a private one")
	}
	if _, err := readPublicKey(l.cfg.Audit.Key); err == nil {
		t.Error("a private key is taken for a public one")
	}
	bad := pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: []byte("no key")})
	if err := os.WriteFile(l.path("bad"), bad, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readKey(l.path("bad")); err == nil || durable.OpenToOthers(l.path("bad")) == 0 {
		t.Errorf("%v", err)
	}
	var s struct{ Kind, Why, Signature string }
	names, _ := filepath.Glob(l.path("audit/*.jsonl"))
	text, err := os.ReadFile(names[0])
	lines := strings.Split(string(text), "\n")
	if err != nil || json.Unmarshal([]byte(lines[1]), &s) != nil || s.Kind != chain.Checkpoint || s.Why != chain.AtKey || s.Signature == "" {
		t.Errorf("%q, %v", lines, err)
	}
}

// TestSuspicions: strangers and forged records are lines in the audit log, one an hour for
// each cause, however many there are and wherever they come from.
func TestSuspicions(t *testing.T) {
	l := newLab(t)
	l.key()
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Run(ctx) }()
		for hour := range 2 {
			for i := range 1000 {
				k.Stranger(fmt.Sprintf("127.0.%d.%d", hour, i%250), "no leg")
				k.Stranger("", "another Core-UUID")
				k.Forged("session")
				k.Forged("ask")
			}
			time.Sleep(time.Hour)
		}
		cancel()
		<-ended
	})
	var lines []string
	for _, line := range testkit.JSONLines[audit.Line](t, audit.New(l.cfg.Recordings.Dir.String(), nil).Path()) {
		if line.Who != "tapedeck serve" || line.Seq == 0 {
			t.Errorf("%+v", line)
		}
		lines = append(lines, line.What+", "+line.From+", "+line.Detail)
	}
	more := "; 999 more since the last such line"
	want := []string{"stranger, 127.0.0.0, at the outbound socket: no leg", "stranger, outbound socket, at the outbound socket: another Core-UUID",
		"forged, redis, a record without a valid seal: session", "forged, redis, a record without a valid seal: ask",
		"stranger, 127.0.1.0, at the outbound socket: no leg" + more, "stranger, outbound socket, at the outbound socket: another Core-UUID" + more,
		"forged, redis, a record without a valid seal: session" + more, "forged, redis, a record without a valid seal: ask" + more}
	if !slices.Equal(lines, want) {
		t.Errorf("lines:\n%s", strings.Join(lines, "\n"))
	}
}
