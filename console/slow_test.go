package console_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/console/consoletest"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// slowLab is a console in virtual time (testing/synctest), with one recording and one
// live call of acme. It has no Redis: connections outside would stop the virtual time.
type slowLab struct {
	server *console.Server
	dir    recording.Dir
	entry  index.Recording // the only one
	watch  func(string)    // tells the console that the call has changed

	mu   sync.Mutex
	call calls.Call
}

func newSlowLab(t *testing.T) *slowLab {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-slow-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	l := &slowLab{call: calls.Call{ID: "aaaa", Organisation: "acme"}}
	if l.dir, err = recording.NewDir(root); err != nil {
		t.Fatal(err)
	}
	file := &consoletest.Lab{T: t, AccountsFile: filepath.Join(root, "accounts.yaml")}
	file.WriteAccounts(consoletest.AccountsText)
	accounts, err := access.Open(file.AccountsFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	policy := flowtest.Policy(t, consoletest.PolicyText)
	l.server = newServer(t, console.Config{Index: l, Calls: l, Dir: l.dir, Audit: audit.New(l.dir.String(), nil), Accounts: accounts,
		Policy: func() *flow.Policy { return policy }})
	return l
}

func (l *slowLab) Search(context.Context, index.Query) ([]index.Recording, index.Cursor, error) {
	return []index.Recording{l.entry}, index.Cursor{}, nil
}

func (l *slowLab) Find(context.Context, string, ...string) (index.Recording, error) {
	return l.entry, nil
}
func (l *slowLab) Save(index.Recording)  {}
func (l *slowLab) Delete(string, string) {}

func (l *slowLab) List(context.Context) ([]calls.Call, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return []calls.Call{l.call}, nil
}

func (l *slowLab) Watch(ctx context.Context, changed func(string)) error {
	l.watch = changed
	<-ctx.Done()
	return nil
}

// change gives the call another number.
func (l *slowLab) change(number string) {
	l.mu.Lock()
	l.call = calls.Call{ID: "aaaa", Organisation: "acme", External: number}
	l.mu.Unlock()
	l.watch("acme")
}

// takes reads some bytes of an answer at intervals, until it ends or stop is closed. It
// returns how many bytes it has read.
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

// TestSlowListener: a client that asks for a recording and does not read it is cut off; a
// client that reads it slowly, as a player does, gets all of it.
func TestSlowListener(t *testing.T) {
	const size = 8 << 20
	for _, tc := range []struct {
		every time.Duration // 64 KB are read
		whole bool
	}{{time.Hour, false}, {9 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			l := newSlowLab(t)
			id := "aaaaaaaa-0000-4000-8000-000000000001"
			day := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
			side := recording.Sidecar{Version: recording.Version, Call: id, Organisation: "acme", Started: day, Answered: day,
				File: &recording.File{Name: id + ".wav", Channels: 2, Rate: 8000, Began: day}}
			path, err := side.Path(l.dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := recording.WriteSidecar(recording.SidecarPath(path), side); err != nil {
				t.Fatal(err)
			}
			l.entry = index.Recording{ID: id, Organisation: "acme", Path: strings.TrimPrefix(path, l.dir.String()+"/")}
			ended := make(chan error, 1)
			conn := wire(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				l.server.Handler().ServeHTTP(w, r)
				ended <- nil
			}))
			began, stop := time.Now(), make(chan struct{})
			go send(t, conn, "GET /api/v1/recordings/"+id+"/audio.wav HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\nConnection: close\r\n"+
				"Authorization: Bearer "+consoletest.Token("anna")+"\r\n\r\n")
			took := make(chan int, 1)
			go func() { took <- takes(conn, 64<<10, tc.every, stop) }()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if after := time.Since(began); !tc.whole && after > console.WriteWithin+time.Second || tc.whole && after < 10*time.Minute {
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

// TestSlowViewer: the stream of a client that does not read it is ended, and the streams
// of others are not held up.
func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newSlowLab(t)
		ctx, cancel := context.WithCancel(t.Context())
		finished := make(chan error, 1)
		go func() { finished <- l.server.Run(ctx) }()
		defer func() { cancel(); <-finished }()
		synctest.Wait() // until it watches
		ended := make(chan string, 2)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l.server.Handler().ServeHTTP(w, r)
			ended <- r.URL.RawQuery
		})
		slow, quick := wire(t, h), wire(t, h)
		go send(t, slow, stream("slow"))
		go send(t, quick, stream("quick"))
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
		if got := <-lines; got != "event: calls" {
			t.Fatalf("it begins with %q", got)
		}
		began := time.Now()
		for i := range int64(60) {
			l.change(strings.Repeat("0", int(i)+1))
			if got, ok := <-lines; !ok || time.Since(began) > time.Duration(i+1)*time.Second {
				t.Fatalf("%d: %q after %v", i, got, time.Since(began))
			}
			time.Sleep(time.Second)
		}
		select {
		case who := <-ended:
			if who != "slow" {
				t.Errorf("%s was left", who)
			}
		default:
			t.Error("a minute later the one who does not read is still there")
		}
		if len(ended) > 0 {
			t.Errorf("%s was left, too", <-ended)
		}
	})
}

// stream is a request for the live calls. The console ignores who.
func stream(who string) string {
	return "GET /api/v1/calls/events?" + who + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + consoletest.Token("anna") + "\r\n\r\n"
}
