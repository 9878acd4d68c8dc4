package ops

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// Fault is what is wrong with a request, or why it cannot be served now. Whoever
// asked is shown its text as it is.
type Fault struct {
	Status int           // of the HTTP answer
	Code   string        // a word for programs
	Detail string        // a sentence for people
	After  time.Duration // 0, or when it may be tried again
}

func (f *Fault) Error() string { return f.Detail }

// BadRequest is a fault of the request itself, with the status 400.
func BadRequest(format string, args ...any) error {
	return &Fault{Status: http.StatusBadRequest, Code: "bad_request", Detail: fmt.Sprintf(format, args...)}
}

// What is wrong, if it is none of the request's own mistakes.
var (
	// ErrNotKnown: neither a session nor a bearer token that is valid. The pages
	// send the visitor to sign in.
	ErrNotKnown       = &Fault{http.StatusUnauthorized, "unknown", "sign in, or send a bearer token", 0}
	ErrNotFound       = &Fault{http.StatusNotFound, "not_found", "there is no such thing, or you may not see it", 0}
	ErrNotAllowed     = &Fault{http.StatusForbidden, "not_allowed", "your account may not do that", 0}
	ErrNoAudit        = &Fault{http.StatusServiceUnavailable, "no_audit", "the audit log cannot be written, so nothing was done", 10 * time.Second}
	ErrAway           = &Fault{http.StatusServiceUnavailable, "away", "the index is not there just now", 2 * time.Second}
	ErrBusy           = &Fault{http.StatusServiceUnavailable, "busy", "the switch did not answer in time: look how the call stands", time.Second}
	ErrHeld           = &Fault{http.StatusConflict, "held", "it, or another part of its call, is under a hold", 0}
	ErrLive           = &Fault{http.StatusConflict, "live", "it, or another part of its call, is still being recorded", 0}
	ErrNoSound        = &Fault{http.StatusNotFound, "no_sound", "this recording has no sound that can be read", 0}
	ErrTooMany        = &Fault{http.StatusServiceUnavailable, "too_many", "too many are looking at the live calls already", 10 * time.Second}
	ErrTooManyWaiting = &Fault{http.StatusTooManyRequests, "too_many_waiting", "your account waits for three MP3s already: ask again when one is there", 30 * time.Second}
	// ErrBroken is the answer to every error that visitors are not told of. It is
	// logged.
	ErrBroken = &Fault{http.StatusInternalServerError, "internal", "something went wrong here: the log says what", 0}
)

// FaultOf is what an error is answered with. An error that visitors are not told
// of becomes ErrBroken.
func FaultOf(err error) *Fault {
	var known *Fault
	var tooLarge *http.MaxBytesError
	var refused toggle.Refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, toggle.ErrNoCall), errors.Is(err, index.ErrUnknown):
		return ErrNotFound
	case errors.As(err, &refused):
		return refusal(refused)
	case errors.As(err, &tooLarge):
		return &Fault{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body has more than %d bytes", tooLarge.Limit), 0}
	case errors.Is(err, recording.ErrHeld):
		return ErrHeld
	case errors.Is(err, recording.ErrLive):
		return ErrLive
	case errors.Is(err, recording.ErrNoSound):
		return ErrNoSound
	case errors.Is(err, recording.ErrTooManyWaiting):
		return ErrTooManyWaiting
	case errors.Is(err, toggle.ErrBusy), errors.Is(err, context.DeadlineExceeded):
		return ErrBusy
	case errors.Is(err, store.ErrAway):
		return ErrAway
	}
	return ErrBroken
}

// refusal is the answer to a press that was not obeyed: 409 if the call does not
// allow it, 403 if the person may not.
func refusal(r toggle.Refusal) *Fault {
	switch r {
	case toggle.NoRecording:
		return &Fault{http.StatusConflict, string(r), "nothing is recorded for this organisation", 0}
	case toggle.Locked:
		return &Fault{http.StatusConflict, string(r), "the policy has locked this call's recording", 0}
	case toggle.Elsewhere:
		return &Fault{http.StatusConflict, string(r), "another instance follows a recording of the same conference room", 0}
	case toggle.NotItsUser:
		return &Fault{http.StatusForbidden, string(r), "nobody of this organisation is named, or talks on the call", 0}
	case toggle.NotGranted:
		return &Fault{http.StatusForbidden, string(r), "this organisation may not switch recordings this way", 0}
	case toggle.UserDisabled:
		return &Fault{http.StatusForbidden, string(r), "this user may not switch recordings", 0}
	}
	return &Fault{http.StatusConflict, string(r), "it was not obeyed", 0}
}

// StatusOf is the status that an error is answered with.
func StatusOf(err error) int { return FaultOf(err).Status }
