package console_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/internal/testkit"
)

// Frames of HTTP/2 (RFC 9113, section 6), and the flag that a header block is whole.
const (
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	frameContinuation = 9
	endStream         = 1
	endHeaders        = 4
)

// getRoot is the header block of GET https://x/ (RFC 7541, appendix A).
var getRoot = []byte{0x82, 0x84, 0x87, 0x41, 1, 'x'}

// frame is one frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return append(binary.BigEndian.AppendUint32(append(head, flags), stream), payload...)
}

// flooder is a hostile client's connection over TLS and HTTP/2. Its answers are thrown away.
func flooder(t *testing.T, web *httptest.Server) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", web.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Fatalf("the console speaks %q", got)
	}
	_, _ = conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...))
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	return conn
}

// flood writes what next returns until the server has cut the connection, and returns how
// many times that was. It fails after most times.
func flood(t *testing.T, conn *tls.Conn, most int, next func(i int) []byte) int {
	t.Helper()
	_ = conn.SetWriteDeadline(time.Now().Add(testkit.Patience))
	for i := range most {
		if _, err := conn.Write(next(i)); os.IsTimeout(err) {
			break
		} else if err != nil {
			return i
		}
	}
	t.Error("not cut")
	return most
}

// overTLS serves h as the console is served over HTTPS.
func overTLS(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := newServer(t, console.Config{})
	web := httptest.NewUnstartedServer(nil)
	web.Config = s.HTTPServer(s.Limit(h))
	web.EnableHTTP2 = true
	web.StartTLS()
	t.Cleanup(web.Close)
	return web
}

// wantAnswer checks that another client is answered.
func wantAnswer(t *testing.T, web *httptest.Server) {
	t.Helper()
	res, err := web.Client().Get(web.URL + "/other")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
		t.Errorf("another client gets %s over %s", res.Status, res.Proto)
	}
}

// TestRapidReset: a client that resets each request at once, while its handler still works,
// has no more handlers than one that does not. Then it is cut (CVE-2023-44487).
func TestRapidReset(t *testing.T) {
	var working, most atomic.Int32
	release := make(chan struct{})
	web := overTLS(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			return
		}
		if n := working.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer working.Add(-1)
		<-release
	})
	conn := flooder(t, web)
	sent := flood(t, conn, 1<<20, func(i int) []byte {
		stream := uint32(2*i + 1)
		return append(frame(frameHeaders, endStream|endHeaders, stream, getRoot), frame(frameReset, 0, stream, []byte{0, 0, 0, 8})...)
	})
	wantAnswer(t, web)
	t.Logf("cut after %d requests; at most %d handlers worked at once", sent, most.Load())
	if n := most.Load(); n == 0 || n > console.MaxStreams {
		t.Errorf("%d handlers worked at once, at most %d may", n, console.MaxStreams)
	}
	close(release)
	testkit.Until(t, "no handler works any more", func() bool { return working.Load() == 0 })
}

// TestContinuationFlood: a header that never ends is cut, and not kept (CVE-2023-45288).
func TestContinuationFlood(t *testing.T) {
	asked := make(chan string, 10)
	web := overTLS(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path })
	conn := flooder(t, web)
	part := []byte{0x40, 1, 'a', 0x7f, 0x80, 0x7f} // a header with a value of 16,383 bytes; 0x7f...: its length
	part = append(part, make([]byte, 16383-len(part))...)
	sent := flood(t, conn, 1<<16, func(i int) []byte {
		if i == 0 {
			return frame(frameHeaders, endStream, 1, getRoot)
		}
		return frame(frameContinuation, 0, 1, part)
	})
	wantAnswer(t, web)
	if t.Logf("cut after %d frames of 16 KB", sent); sent > 1000 {
		t.Error("that is more than a client may make the console keep")
	}
	if path := <-asked; path != "/other" {
		t.Errorf("%s is answered", path)
	}
}
