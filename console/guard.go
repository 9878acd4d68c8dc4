package console

import (
	"errors"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

const (
	maxBody = 1 << 20 // bytes of a request

	// bodyWithin is how long a request's body may take.
	bodyWithin = 10 * time.Second
	// writeWithin is how long a client may take over writeAtOnce bytes: an answer
	// may go on for hours, but not stand still.
	writeWithin = 30 * time.Second
	writeAtOnce = 64 << 10
)

// headers that every answer has. A handler may change them.
var headers = [][2]string{
	{"Content-Security-Policy", "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; script-src 'self'; " +
		"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
	{"Cache-Control", noStore},
}

const noStore = "no-store"

var (
	errTooLarge = &fault{http.StatusRequestEntityTooLarge, "too_large", "the body has more than 1 MB", 0}
	errSlow     = &fault{http.StatusRequestTimeout, "slow", "the body took longer than 10 seconds", 0}
	// errForged: a request that changes something and does not come from a page
	// that we made for this session.
	errForged = &fault{http.StatusForbidden, "forged", "this did not come from a page of ours, or the page is too old: load the page again", 0}
)

// guard is what stands before every request: it bounds what a client can send
// and how long it can take, refuses what another site's page has sent, and sees
// to it that a panic is nobody's but the request's own.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		w := &guarded{ResponseWriter: plain, control: http.NewResponseController(plain)}
		defer s.after(w, r)
		if r.ProtoMajor == 1 { // over HTTP/2 it would end the request, although nothing is written
			_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin)) // for what the server writes by itself; a recorder has none
		}
		for _, h := range headers {
			w.Header().Set(h[0], h[1])
		}
		if s.client(r).tls {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		if r.Body != nil && r.Body != http.NoBody {
			_ = w.control.SetReadDeadline(time.Now().Add(bodyWithin))
			w.body = &guardedBody{ReadCloser: http.MaxBytesReader(plain, r.Body, maxBody), header: w.Header()}
			r.Body = w.body
		}
		switch {
		case r.ContentLength > maxBody:
			w.Header().Set("Connection", "close")
			s.refuse(w, r, errTooLarge)
		case s.crossOrigin.Check(r) != nil:
			s.refuse(w, r, errForged)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// after ends a request, one that panicked too. What was begun and cannot be
// finished must not look whole: the connection is cut.
func (s *Server) after(w *guarded, r *http.Request) {
	_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin)) // for what is still in a buffer
	cause := recover()
	if cause == nil {
		if w.body != nil && w.body.slow && !w.begun { // then the request counts as given up, and nobody answers it
			http.Error(w, errSlow.detail, errSlow.status)
		}
		if !w.begun {
			w.WriteHeader(http.StatusOK)
		}
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.cfg.Log.Error("request panicked", "method", r.Method, "route", r.Pattern, "panic", cause, "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	s.refuse(w, r, errBroken)
}

// refuse answers with an error before it is known who asks.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		s.problem(w, r, err)
		return
	}
	s.errorPage(w, r, nil, err)
}

// guarded is an answer that a client has to read in time. It hides what
// http.ResponseWriters can besides, so that every byte goes through Write.
type guarded struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
	body    *guardedBody // of the request; nil: it has none
}

// WriteHeader sends the header. What a handler, or the library for it, has taken
// the cache's orders from is not stored.
func (w *guarded) WriteHeader(status int) {
	if status >= 200 {
		w.begun = true
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", noStore)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write gives each part of p its own time. While nothing is written there is no
// limit: a stream may be silent.
func (w *guarded) Write(p []byte) (n int, err error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	defer w.control.SetWriteDeadline(time.Time{})
	for {
		part := p[n:min(len(p), n+writeAtOnce)]
		_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin))
		m, err := w.ResponseWriter.Write(part)
		if n += m; err != nil || n >= len(p) {
			return n, err
		}
	}
}

// FlushError sends what is in the buffers, for http.ResponseController.
func (w *guarded) FlushError() error {
	w.begun = true
	_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin))
	defer w.control.SetWriteDeadline(time.Time{})
	return w.control.Flush()
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController too.
func (w *guarded) SetReadDeadline(t time.Time) error  { return w.control.SetReadDeadline(t) }
func (w *guarded) SetWriteDeadline(t time.Time) error { return w.control.SetWriteDeadline(t) }

// guardedBody is a body that has to come in time. (At its end the server takes the
// deadline away by itself: net/http, startBackgroundRead.)
type guardedBody struct {
	io.ReadCloser
	header http.Header // of the answer
	slow   bool
}

func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err, b.slow = errSlow, true
	}
	if b.slow || tooLarge {
		b.header.Set("Connection", "close") // nobody reads the rest
	}
	return n, err
}
