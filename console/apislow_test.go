package console

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/index"
)

// slowServer is a console without a store, for what needs none.
func slowServer(t *testing.T) *Server {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-slow-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	dir, err := recording.NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, accounts: filepath.Join(root, "accounts.yaml")}
	l.writeAccounts(labAccounts)
	accounts, err := access.Open(l.accounts, discard)
	if err != nil {
		t.Fatal(err)
	}
	policy := flowtest.Policy(t, labPolicy)
	s, err := New(Config{Dir: dir, Audit: audit.New(dir.String()), Accounts: accounts, Policy: func() *flow.Policy { return policy }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// takes reads some of an answer each while, until it ends.
func takes(c net.Conn, some int, every time.Duration, stop chan struct{}) (whole int) {
	for {
		select {
		case <-stop:
			return whole
		case <-time.After(every):
		}
		n, err := io.ReadFull(c, make([]byte, some))
		if whole += n; err != nil {
			return whole
		}
	}
}

// TestSlowListener: who asks for a recording and does not take it holds nothing
// for long; who takes it slowly, as a player does, gets it.
func TestSlowListener(t *testing.T) {
	const size = 8 << 20
	for _, tc := range []struct {
		every time.Duration // 64 KB are taken
		whole bool
	}{{time.Hour, false}, {9 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			s := slowServer(t)
			side := labSidecar("acme", recAlice, "alice")
			path, err := side.Path(s.cfg.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			conn := wire(t, s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				v := &visit{account: access.Account{Name: "anna"}}
				ended <- s.sendSound(w, r, v, sound{entry: index.Recording{ID: recAlice, Organisation: "acme"}, side: side, path: path}, path, "audio/wav")
			})))
			began, stop := time.Now(), make(chan struct{})
			go send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\nConnection: close\r\n\r\n")
			took := make(chan int, 1)
			go func() { took <- takes(conn, 64<<10, tc.every, stop) }()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if after := time.Since(began); !tc.whole && after > writeWithin+time.Second || tc.whole && after < 10*time.Minute {
				t.Errorf("64 KB each %v: over after %v", tc.every, after)
			}
			if !tc.whole {
				close(stop)
			}
			if n := <-took; (n > size) != tc.whole {
				t.Errorf("64 KB each %v: %d bytes", tc.every, n)
			}
		})
	}
}

// TestSlowViewer: one who does not read his stream is left, and keeps nobody
// else from seeing what happens.
func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slowServer(t)
		account, stamp, _ := s.cfg.Accounts.Account("anna")
		ended := make(chan string, 2)
		h := s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := &visit{account: account, stamp: stamp, token: "t-anna"}
			if err := s.getEvents(w, r, v); err != nil {
				t.Error(err)
			}
			ended <- r.URL.Path
		}))
		slow, quick := wire(t, h), wire(t, h)
		go send(t, slow, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
		go send(t, quick, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(quick), nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := make(chan string)
		go func() {
			defer close(lines)
			for in := bufio.NewScanner(res.Body); in.Scan(); {
				if strings.HasPrefix(in.Text(), "event: ") {
					lines <- in.Text()
				}
			}
		}()
		began := time.Now()
		for i := range int64(60) {
			call := liveView{ID: callAlice, Organisation: "acme", External: strings.Repeat("0", int(i)), Since: time.Now()}
			s.hub.mu.Lock()
			s.hub.show(&picture{serial: i + 1, calls: []liveEntry{{view: call, changed: i + 1}}})
			s.hub.mu.Unlock()
			if got, ok := <-lines; !ok || time.Since(began) > time.Duration(i+1)*time.Second {
				t.Fatalf("%d: %q after %v", i, got, time.Since(began))
			}
			time.Sleep(time.Second)
		}
		select {
		case who := <-ended:
			if who != "/slow" {
				t.Errorf("%s was left", who)
			}
		default:
			t.Error("a minute later the one who does not read is still there")
		}
		s.hub.mu.Lock()
		if len(s.hub.viewers) != 1 {
			t.Errorf("%d viewers", len(s.hub.viewers))
		}
		s.hub.mu.Unlock()
	})
}
