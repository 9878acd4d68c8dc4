package console

import (
	"errors"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
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
	errTooLarge = &ops.Fault{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: "the body has more than 1 MB"}
	errSlow     = &ops.Fault{Status: http.StatusRequestTimeout, Code: "slow", Detail: "the body took longer than 10 seconds"}
)

// limit handles every request before next does. It limits how much a client can
// send and how long it can take, and refuses what another site's page has sent. A
// panic ends only its own request.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		w := &limitedAnswer{ResponseWriter: plain, control: http.NewResponseController(plain)}
		defer s.after(w, r)
		if r.ProtoMajor == 1 { // over HTTP/2 a deadline would end the request even while nothing is written
			_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin)) // for what the server writes by itself; an error: the writer has no deadlines
		}
		for _, h := range headers {
			w.Header().Set(h[0], h[1])
		}
		if s.proxies.Client(r).TLS {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		if r.Body != nil && r.Body != http.NoBody {
			_ = w.control.SetReadDeadline(time.Now().Add(bodyWithin))
			w.body = &limitedBody{ReadCloser: http.MaxBytesReader(plain, r.Body, maxBody), header: w.Header()}
			r.Body = w.body
		}
		switch {
		case r.ContentLength > maxBody:
			w.Header().Set("Connection", "close")
			s.refuse(w, r, errTooLarge)
		case s.crossOrigin.Check(r) != nil:
			s.refuse(w, r, identity.ErrForged)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// after ends a request, also one that panicked. It cuts the connection of an answer
// that was begun and cannot be finished: that must not look whole.
func (s *Server) after(w *limitedAnswer, r *http.Request) {
	_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin)) // for what is still in a buffer
	cause := recover()
	if cause == nil {
		if w.body != nil && w.body.slow && !w.begun { // then its context is cancelled, so Problem and ErrorPage have not answered
			http.Error(w, errSlow.Detail, errSlow.Status)
		}
		if !w.begun {
			w.WriteHeader(http.StatusOK)
		}
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.log.Error("request panicked", "method", r.Method, "route", r.Pattern, "panic", cause, "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	s.refuse(w, r, ops.ErrBroken)
}

// refuse answers with an error before it is known who asks.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		s.api.Problem(w, r, err)
		return
	}
	s.pages.ErrorPage(w, r, nil, err)
}

// limitedAnswer is an answer that a client has to read in time. It hides the other
// interfaces of an http.ResponseWriter, so that every byte goes through Write.
type limitedAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
	body    *limitedBody // of the request; nil: it has none
}

// WriteHeader sends the header. An answer without Cache-Control, which net/http
// deletes from errors, is not stored.
func (w *limitedAnswer) WriteHeader(status int) {
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
func (w *limitedAnswer) Write(p []byte) (n int, err error) {
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
func (w *limitedAnswer) FlushError() error {
	w.begun = true
	_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin))
	defer w.control.SetWriteDeadline(time.Time{})
	return w.control.Flush()
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController too.
func (w *limitedAnswer) SetReadDeadline(t time.Time) error  { return w.control.SetReadDeadline(t) }
func (w *limitedAnswer) SetWriteDeadline(t time.Time) error { return w.control.SetWriteDeadline(t) }

// limitedBody is a body that has to come in time. (At its end the server removes the
// deadline by itself: net/http, startBackgroundRead.)
type limitedBody struct {
	io.ReadCloser
	header http.Header // of the answer
	slow   bool
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err, b.slow = errSlow, true
	}
	if b.slow || tooLarge {
		b.header.Set("Connection", "close") // the rest is not read
	}
	return n, err
}
