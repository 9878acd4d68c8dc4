package web

import (
	"fmt"
	"net/http"

	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/console/respond"
)

// errorView is what the page of an error says.
type errorView struct {
	Status               int
	Title, Words, Detail string
	Href, Link           string
}

// errorWords has, for a status, the title of its page and what the visitor can do.
var errorWords = map[int][2]string{
	http.StatusBadRequest:            {"That request cannot be understood", "Go back and try again."},
	http.StatusForbidden:             {"Not allowed", "Your account may not do this. Whoever manages the accounts can change what it may."},
	http.StatusNotFound:              {"Not found", "There is nothing here, or your account may not see it."},
	http.StatusMethodNotAllowed:      {"Not found", "There is nothing here, or your account may not see it."},
	http.StatusConflict:              {"Not possible just now", "The recording is in a state in which this cannot be done."},
	http.StatusRequestEntityTooLarge: {"Too large", "What was sent is larger than this page takes."},
	http.StatusTooManyRequests:       {"Too many requests", "Wait a moment and try again."},
	http.StatusServiceUnavailable:    {"Not available just now", "Calls and recordings go on. Try again in a moment."},
}

func errorViewOf(f *ops.Fault, known bool) errorView {
	e := errorView{Status: f.Status, Title: "Something went wrong", Words: "The log of the server says what. Calls and recordings go on.", Href: "/", Link: "To the recordings"}
	if words, ok := errorWords[f.Status]; ok {
		e.Title, e.Words = words[0], words[1]
	}
	if f.Status != http.StatusInternalServerError && f.Status != http.StatusNotFound && f != ops.ErrNotAllowed {
		e.Detail = sentence(f.Detail)
	}
	if !known {
		e.Href, e.Link = "/sign-in", "To the sign-in page"
	}
	return e
}

// ErrorPage answers an error as a page. v is nil if it is not known who asks.
func (s *Pages) ErrorPage(w http.ResponseWriter, r *http.Request, v *identity.Visit, err error) {
	if r.Context().Err() != nil { // the browser has left
		return
	}
	f := respond.Fault(w, r, s.Log, err)
	w.Header().Del("WWW-Authenticate") // a browser would ask for a password by itself
	if err := s.render(w, r, v, f.Status, "error", errorViewOf(f, v != nil)); err != nil {
		s.Log.Error("page of an error not made", "error", err)
		http.Error(w, fmt.Sprintf("%d %s", f.Status, http.StatusText(f.Status)), f.Status)
	}
}
