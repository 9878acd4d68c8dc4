package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// fault is what is wrong with a request, or why it cannot be served now, in
// words for whoever asked. Its Error is shown as it is.
type fault struct {
	status int
	code   string        // a word for programs
	detail string        // a sentence for people
	after  time.Duration // 0, or when it may be tried again
}

func (f *fault) Error() string { return f.detail }

func badRequest(format string, args ...any) error {
	return &fault{status: http.StatusBadRequest, code: "bad_request", detail: fmt.Sprintf(format, args...)}
}

var (
	errNoAudit = &fault{http.StatusServiceUnavailable, "no_audit", "the audit log cannot be written, so nothing was done", 10 * time.Second}
	errAway    = &fault{http.StatusServiceUnavailable, "away", "the index is not there just now", 2 * time.Second}
	errBusy    = &fault{http.StatusServiceUnavailable, "busy", "the switch did not answer in time: look how the call stands", time.Second}
	errHeld    = &fault{http.StatusConflict, "held", "it, or another part of its call, is under a hold", 0}
	errLive    = &fault{http.StatusConflict, "live", "it, or another part of its call, is still being recorded", 0}
	errNoSound = &fault{http.StatusNotFound, "no_sound", "this recording has no sound that can be read", 0}
	errBroken  = &fault{http.StatusInternalServerError, "internal", "something went wrong here: the log says what", 0}
)

// faultOf is what a request is answered with. What is not for those who ask
// becomes errBroken.
func faultOf(err error) *fault {
	var known *fault
	var tooLarge *http.MaxBytesError
	var refused toggle.Refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, errNotKnown):
		return &fault{http.StatusUnauthorized, "unknown", errNotKnown.Error(), 0}
	case errors.Is(err, errNotFound), errors.Is(err, toggle.ErrNoCall), errors.Is(err, index.ErrUnknown):
		return &fault{http.StatusNotFound, "not_found", errNotFound.Error(), 0}
	case errors.Is(err, errNotAllowed):
		return &fault{http.StatusForbidden, "not_allowed", errNotAllowed.Error(), 0}
	case errors.As(err, &refused):
		return refusal(refused)
	case errors.As(err, &tooLarge):
		return &fault{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit), 0}
	case errors.Is(err, recording.ErrHeld):
		return errHeld
	case errors.Is(err, recording.ErrLive):
		return errLive
	case errors.Is(err, recording.ErrNoSound):
		return errNoSound
	case errors.Is(err, toggle.ErrBusy), errors.Is(err, context.DeadlineExceeded):
		return errBusy
	case errors.Is(err, store.ErrAway):
		return errAway
	}
	return errBroken
}

// refusal is a switch that was not obeyed: 409 if it is the call that is not such
// that it could be, 403 if it is the person.
func refusal(r toggle.Refusal) *fault {
	switch r {
	case toggle.NoRecording:
		return &fault{http.StatusConflict, string(r), "nothing is recorded for this organisation", 0}
	case toggle.Locked:
		return &fault{http.StatusConflict, string(r), "the policy has locked this call's recording", 0}
	case toggle.NotItsUser:
		return &fault{http.StatusForbidden, string(r), "nobody of this organisation is named, or talks on the call", 0}
	case toggle.NotGranted:
		return &fault{http.StatusForbidden, string(r), "this organisation may not switch recordings this way", 0}
	case toggle.UserDisabled:
		return &fault{http.StatusForbidden, string(r), "this user may not switch recordings", 0}
	}
	return &fault{http.StatusConflict, string(r), "it was not obeyed", 0}
}

// statusOf is the status that an error is answered with.
func statusOf(err error) int { return faultOf(err).status }

// problemBody is application/problem+json (RFC 9457).
type problemBody struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// problem answers an error as application/problem+json.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // nobody is there any more
		return
	}
	f := s.headFault(w, r, err)
	body, _ := json.Marshal(problemBody{"about:blank", http.StatusText(f.status), f.status, f.code, f.detail})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // whoever has gone needs no answer
}

// headFault sets the headers that go with an error, and logs one that is ours.
func (s *Server) headFault(w http.ResponseWriter, r *http.Request, err error) *fault {
	f := faultOf(err)
	if f == errBroken {
		s.cfg.Log.Error("request failed", "method", r.Method, "route", r.Pattern, "error", err)
	}
	for _, name := range []string{"Content-Disposition", "Accept-Ranges", "Etag", "Last-Modified", "Content-Length"} {
		w.Header().Del(name) // of what was to be sent
	}
	if f.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.after+time.Second-1)/time.Second)))
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tapedeck"`)
	}
	return f
}
