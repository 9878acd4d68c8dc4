// Package web is the pages of the console: the templates, the static files, the
// forms' targets, signing in and out, and the stream of the live page.
package web

import (
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/flow"
)

// Config is what Pages work on.
type Config struct {
	Operations *ops.Operations
	Checker    *identity.Checker
	Accounts   *access.Accounts
	Policy     func() *flow.Policy // the one in force; never nil
	Beat       time.Duration       // how often a stream is looked after
	Log        *slog.Logger
}

// Pages serves the pages. New makes them.
type Pages struct {
	Config
	mux       *http.ServeMux
	attempts  *attempts
	held      held // answers to failed attempts to sign in
	templates *templates
}

// Handler is a page, or the target of a form. An error that it returns has not
// been answered yet; ops.FaultOf says how it is.
type Handler func(w http.ResponseWriter, r *http.Request, v *identity.Visit) error

// New makes the pages and adds their routes to a mux. As in the API, handlers ask
// for a right to do a thing only when it is known that the visitor may see it.
func New(cfg Config, mux *http.ServeMux) (*Pages, error) {
	t, err := newTemplates()
	if err != nil {
		return nil, err
	}
	s := &Pages{cfg, mux, newAttempts(), make(held, maxHeld), t}
	s.signInRoutes()
	mux.HandleFunc("GET /static/{name}", t.assets.serve)
	s.Handle("GET /{$}", access.See, s.getListPage)
	s.Handle("GET /recordings.csv", access.See, s.getCSV)
	s.Handle("POST /recordings.zip", access.See, s.postSelection)
	s.Handle("GET /recordings/{id}", access.See, s.getRecordingPage)
	s.Handle("GET /recordings/{id}/delete", access.See, s.getDeletePage)
	s.Handle("POST /recordings/{id}/delete", access.See, s.postDelete)
	s.Handle("POST /recordings/{id}/hold", access.See, s.postHold)
	s.Handle("POST /recordings/{id}/release", access.See, s.postRelease)
	s.Handle("POST /recordings/{id}/verify", access.See, s.postVerifyPage)
	s.Handle("GET /live", access.See, s.getLivePage)
	s.Handle("GET /live/events", access.See, s.getLiveRows)
	s.Handle("POST /live/{id}", access.See, s.postLive)
	s.Handle("GET /audit", access.Audit, s.getAuditPage)
	s.Handle("/", access.See, func(http.ResponseWriter, *http.Request, *identity.Visit) error { return ops.ErrNotFound })
	return s, nil
}

// Handle adds a page, or the target of a form. A visitor who is not known is sent
// to sign in.
func (s *Pages) Handle(pattern string, right access.Right, do Handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := s.Checker.Visit(r)
		if err == ops.ErrNotKnown {
			next := "/"
			if r.Method == http.MethodGet {
				next = r.URL.RequestURI()
			}
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(next), http.StatusSeeOther)
			return
		}
		if err == nil && !v.Account.May(right) {
			err = ops.ErrNotAllowed
		}
		if err == nil {
			err = do(w, r, v)
		}
		if err != nil {
			s.ErrorPage(w, r, v, err)
		}
	})
}
