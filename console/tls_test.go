package console_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/console/consoletest"
)

// TestOverTLS: a browser signs in and out over HTTP/2, with a cookie that is only sent
// over TLS.
func TestOverTLS(t *testing.T) {
	l := &lab{consoletest.NewStill(t)}
	l.whoami()
	web := httptest.NewUnstartedServer(l.Server.Handler())
	web.EnableHTTP2 = true
	web.StartTLS()
	defer web.Close()
	l.URL = web.URL
	c := l.Client()
	c.Transport = web.Client().Transport
	res, body := l.Do(c, http.MethodPost, "/sign-in", url.Values{"name": {"anna"}, "password": {consoletest.Password}}.Encode(),
		"Content-Type: application/x-www-form-urlencoded", "Origin: "+web.URL)
	l.expect(http.StatusSeeOther, res, body)
	if res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s, HSTS %q", res.Proto, res.Header.Get("Strict-Transport-Security"))
	}
	if set := res.Header.Get("Set-Cookie"); !strings.HasPrefix(set, "__Host-tapedeck_session=") || !strings.Contains(set, "; Secure") {
		t.Errorf("cookie %s", set)
	}
	if _, body := l.Get(c, "/test/who"); body != "anna" {
		t.Errorf("it is %.100q", body)
	}
	res, body = l.Do(c, http.MethodPost, "/test/who", "", "Origin: https://evil.example")
	l.expect(http.StatusForbidden, res, body)
	res, body = l.Post(c, "/sign-out", nil)
	l.expect(http.StatusSeeOther, res, body)
	res, body = l.Get(c, "/api/test/who")
	l.expect(http.StatusUnauthorized, res, body)
}

// TestSlowHandlerOverHTTP2: an answer may take long to begin: making the MP3 of an hour
// takes some 40 s.
func TestSlowHandlerOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(10 * time.Minute):
			case <-r.Context().Done():
				t.Errorf("the work is given up: %v", context.Cause(r.Context()))
			}
			_, _ = w.Write([]byte("sound"))
		})
		res, err := http2Client(t, wire(t, h)).RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://x/api/x", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, err := io.ReadAll(res.Body); string(text) != "sound" || err != nil || res.ProtoMajor != 2 {
			t.Errorf("%s: %q, %v", res.Proto, text, err)
		}
	})
}

// http2Client speaks HTTP/2 on one connection, without TLS.
func http2Client(t *testing.T, conn net.Conn) *http.Transport {
	c := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	c.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// TestStreamOverHTTP2: over HTTP/2 a write deadline ends a stream even while nothing is
// written. So there is none between two writes.
func TestStreamOverHTTP2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := limitedServer(t, func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			for i := range 3 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					t.Error(err)
				}
				if i == 1 {
					if err := control.Flush(); err != nil {
						t.Error(err)
					}
				}
				select {
				case <-time.After(10 * time.Minute):
				case <-r.Context().Done():
					t.Errorf("the stream ends: %v", context.Cause(r.Context()))
				}
			}
		})
		c := http2Client(t, wire(t, h))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/api/x", strings.NewReader("a body"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if text, err := io.ReadAll(res.Body); len(text) != 3*64<<10 || err != nil || res.ProtoMajor != 2 {
			t.Errorf("%s: %d bytes, %v", res.Proto, len(text), err)
		}
	})
}
