package console_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/internal/testkit"
)

// limitedServer returns a handler behind the limits of a console, and the console's log.
func limitedServer(t *testing.T, h http.HandlerFunc) (http.Handler, *testkit.Log) {
	t.Helper()
	log := new(testkit.Log)
	return newServer(t, console.Config{Log: slog.New(slog.NewTextHandler(log, nil))}).Limit(h), log
}

// newServer makes a console. Parts that a test does not use may be missing in cfg.
func newServer(t *testing.T, cfg console.Config) *console.Server {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s, err := console.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHeaders(t *testing.T) {
	l := newLab(t)
	for _, path := range []string{"/sign-in", "/", "/nothing", "/api/v1/recordings", "/api/v1/nothing", "/static/nothing.css"} {
		res, _ := l.Get(l.Client(), path)
		for _, h := range console.Headers {
			if got := res.Header.Values(h[0]); len(got) != 1 || h[0] != "Cache-Control" && got[0] != h[1] || h[0] == "Cache-Control" && !strings.Contains(got[0], console.NoStore) {
				t.Errorf("%s: %s is %q, want %q", path, h[0], got, h[1])
			}
		}
		if res.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS without TLS", path)
		}
	}
	if csp := console.Headers[0][1]; strings.Contains(csp, "unsafe") || !strings.HasPrefix(csp, "default-src 'none'; ") {
		t.Errorf("CSP is %s", csp)
	}
	h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=60")
		if r.URL.Path == "/gone" { // as http.ServeContent does when there is nothing to serve
			w.Header().Del("Cache-Control")
		}
	})
	for path, want := range map[string]string{"/": "private, max-age=60", "/gone": "no-store"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if got := w.Result().Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, want)
		}
	}
}

func TestHSTS(t *testing.T) {
	l := consoletest.NewStill(t)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://console.example/sign-in", nil)
	l.Server.Handler().ServeHTTP(w, r)
	if got := w.Header().Get("Strict-Transport-Security"); !strings.HasPrefix(got, "max-age=") {
		t.Errorf("HSTS is %q", got)
	}
}

func TestPanic(t *testing.T) {
	h, log := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/begun":
			_, _ = w.Write([]byte("half of it"))
			_ = http.NewResponseController(w).Flush()
		case "/abort":
			panic(http.ErrAbortHandler)
		}
		panic("secret of mine")
	})
	web := httptest.NewUnstartedServer(h)
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	web.Start()
	defer web.Close()
	for _, path := range []string{"/", "/api/v1/x"} {
		res, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusInternalServerError || strings.Contains(string(text), "secret") || strings.Contains(string(text), "goroutine") {
			t.Errorf("%s: %d %s", path, res.StatusCode, text)
		}
	}
	if strings.Count(log.String(), "secret of mine") != 2 || !strings.Contains(log.String(), "limits_test.go") {
		t.Errorf("the log does not say where:\n%s", log)
	}
	res, err := http.Get(web.URL + "/begun")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looks whole")
	}
	if res, err := http.Get(web.URL + "/abort"); err == nil {
		t.Errorf("an abort is answered with %d", res.StatusCode)
	}
}

func TestBodyLimit(t *testing.T) {
	l := newLab(t)
	l.whoami()
	big := strings.Repeat("a", console.MaxBody+1)
	for _, c := range []struct{ path, body string }{{"/sign-in", big}, {"/api/test/read", big}, {"/api/test/who", big}} {
		for _, length := range []int64{int64(len(big)), -1} { // told, and in chunks
			r, err := http.NewRequest(http.MethodPost, l.URL+c.path, io.MultiReader(strings.NewReader(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = length
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := l.Client().Do(r)
			if err != nil { // it may be cut off while it writes
				continue
			}
			_ = res.Body.Close()
			if want := http.StatusRequestEntityTooLarge; res.StatusCode != want && (length > 0 || c.path == "/sign-in") {
				t.Errorf("%s, length %d: %d, want %d", c.path, length, res.StatusCode, want)
			}
		}
	}
	res, body := l.Post(l.As("anna"), "/test/who", map[string][]string{"more": {big[:console.MaxBody/2]}})
	l.expect(http.StatusOK, res, body)
}

// TestHugeCookies: a request with strange cookies is answered as one without a session.
func TestHugeCookies(t *testing.T) {
	l := newLab(t)
	l.whoami()
	var many []string
	for i := range 2000 {
		many = append(many, fmt.Sprintf("c%d=%s", i, strings.Repeat("x", 20)))
	}
	for _, cookie := range []string{"tapedeck_session=" + strings.Repeat("A", 30_000), "tapedeck_session=", "tapedeck_session", "=;=;;;tapedeck_session=\x80", strings.Join(many, "; ")} {
		r, err := http.NewRequest(http.MethodGet, l.URL+"/api/test/who", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Cookie"] = []string{cookie}
		res, err := l.Client().Do(r)
		if err != nil {
			t.Errorf("%.30q: %v", cookie, err)
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%.30q: %d", cookie, res.StatusCode)
		}
	}
}

// wire serves a handler to one connection, in virtual time.
func wire(t *testing.T, h http.Handler) net.Conn {
	ours, theirs := net.Pipe()
	ln := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	ln.conn <- theirs
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := newServer(t, console.Config{}).HTTPServer(h)
	s.Protocols = protocols
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() {
		_, _ = s.Close(), ours.Close()
		synctest.Wait()
	})
	return ours
}

type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Error(err)
	}
}

// TestSlowBody: a body may take ten seconds, whether or not a handler reads it. A body
// whose length is too large is refused at once.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := limitedServer(t, func(http.ResponseWriter, *http.Request) { t.Error("it is handled") })
		c, began := wire(t, h), time.Now()
		send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\na")
		answer, err := io.ReadAll(c)
		if took := time.Since(began); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413 ") || took > 5*time.Second {
			t.Errorf("too large: %.80q, %v after %v", answer, err, took)
		}
	})
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			began, got := time.Now(), error(nil)
			h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
				if reads {
					_, got = io.ReadAll(r.Body)
				}
				if got != nil && r.Context().Err() == nil { // as Problem does: the client has left
					w.WriteHeader(http.StatusTeapot)
				}
			})
			c := wire(t, h)
			send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
			answer, err := io.ReadAll(c) // until the connection is closed
			if err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took < console.BodyWithin || took > console.BodyWithin+5*time.Second {
				t.Errorf("reads %v: the connection is held for %v", reads, took)
			}
			if want := map[bool]string{true: "HTTP/1.1 408 ", false: "HTTP/1.1 200 "}[reads]; !strings.HasPrefix(string(answer), want) {
				t.Errorf("reads %v: answered %q, want %s", reads, answer, want)
			}
			if reads && !errors.Is(got, console.ErrSlow) {
				t.Errorf("read: %v", got)
			}
		})
	}
}

// TestLongAnswer: once the request is whole, the answer may take long and be silent,
// also if the handler has not read the body to its end.
func TestLongAnswer(t *testing.T) {
	for name, request := range map[string]string{
		"no body":    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"length":     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"chunked":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"not wanted": "POST /unread HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			const long = 10 * time.Minute
			h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/unread" {
					_, _ = io.ReadFull(r.Body, make([]byte, 2)) // as a JSON decoder does: not to the end
				}
				control := http.NewResponseController(w)
				for range 2 {
					if _, err := w.Write([]byte("x")); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					if err := control.Flush(); err != nil {
						t.Errorf("%s: %v", name, err)
					}
					select {
					case <-time.After(long):
					case <-r.Context().Done():
						t.Errorf("%s: the request ends: %v", name, context.Cause(r.Context()))
					}
				}
			})
			c := wire(t, h)
			go send(t, c, request)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, err := io.ReadAll(res.Body); string(text) != "xx" || err != nil {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		})
	}
}

// TestKeptAlive: the deadline of one request does not end the next on its connection.
func TestKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(text)
		})
		c := wire(t, h)
		in := bufio.NewReader(c)
		for range 3 {
			go send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
			for _, want := range []int{http.StatusContinue, http.StatusOK} {
				res, err := http.ReadResponse(in, nil)
				if err != nil || res.StatusCode != want {
					t.Fatalf("%+v, %v; want %d", res, err, want)
				}
				if want == http.StatusContinue {
					go send(t, c, "ab")
				} else if text, err := io.ReadAll(res.Body); string(text) != "ab" {
					t.Errorf("%q, %v", text, err)
				}
			}
			time.Sleep(50 * time.Second) // longer than an answer may stand still
		}
	})
}

// TestSlowReader: a client that reads nothing for half a minute is cut off; one that
// reads slowly is not.
func TestSlowReader(t *testing.T) {
	const size = 4 << 20
	for _, c := range []struct {
		every time.Duration // 64 KB are read
		whole bool
	}{{time.Hour, false}, {10 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			began, ended := time.Now(), make(chan error, 1)
			h, _ := limitedServer(t, func(w http.ResponseWriter, _ *http.Request) {
				_, err := io.Copy(w, bytes.NewReader(make([]byte, size))) // in one Write
				ended <- err
			})
			conn := wire(t, h)
			go send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(c.every):
					}
					if _, err := io.ReadFull(conn, make([]byte, 64<<10)); err != nil {
						return
					}
				}
			}()
			err := <-ended
			if took := time.Since(began); (err == nil) != c.whole || !c.whole && took > console.WriteWithin+time.Second {
				t.Errorf("64 KB each %v: %v after %v", c.every, err, took)
			}
		})
	}
}
