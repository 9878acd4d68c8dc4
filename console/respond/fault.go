// Package respond is what the API and the pages answer alike: the headers of an
// error, lists as CSV, selections as ZIP, and the stream of the live calls.
package respond

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"tapedeck/console/ops"
)

// Fault sets the headers that go with an error, and logs the error if its visitor
// is not told of it. The caller writes the answer.
func Fault(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) *ops.Fault {
	f := ops.FaultOf(err)
	if f == ops.ErrBroken {
		log.Error("request failed", "method", r.Method, "route", r.Pattern, "error", err)
	}
	for _, name := range []string{"Content-Disposition", "Accept-Ranges", "Etag", "Last-Modified", "Content-Length"} {
		w.Header().Del(name) // of what was to be sent
	}
	if f.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.After+time.Second-1)/time.Second)))
	}
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="tapedeck"`)
	}
	return f
}

// abort cuts the connection of an answer that was begun and cannot be finished: an
// answer that is not whole must not look it.
func abort(r *http.Request, log *slog.Logger, err error) {
	if r.Context().Err() == nil {
		log.Error("answer cut off", "route", r.Pattern, "error", err)
	}
	panic(http.ErrAbortHandler)
}
