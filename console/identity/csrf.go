package identity

import (
	"crypto/subtle"
	"errors"
	"net/http"

	"tapedeck/console/ops"
)

// ErrForged: a request that changes something does not come from a page that was
// made for its session.
var ErrForged = &ops.Fault{Status: http.StatusForbidden, Code: "forged",
	Detail: "this did not come from a page of ours, or the page is too old: load the page again"}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// checkCSRF checks that a request has its session's token, in the header
// X-CSRF-Token or in the field csrf of a form.
func checkCSRF(r *http.Request, want string) error {
	got := r.Header.Get("X-CSRF-Token")
	if got == "" {
		if err := ParseForm(r); err != nil {
			return err
		}
		got = r.PostForm.Get("csrf")
	}
	if want == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return ErrForged
	}
	return nil
}

// ParseForm reads the form in a request's body into r.PostForm. A body that is not
// url-encoded is an empty form. The errors are for whoever asked.
func ParseForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil || isFault(err) {
		return err
	}
	return ops.BadRequest("the form is not readable")
}

func isFault(err error) bool {
	_, known := errors.AsType[*ops.Fault](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	return known || tooLarge
}
