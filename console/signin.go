package console

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording/audit"
)

// signInRoutes are the only ones that need no account.
//
//	GET  /sign-in?next=/…     the form
//	POST /sign-in             its fields name, password, next
//	POST /sign-out            with csrf as every form; everywhere=1: all sessions of the account
func (s *Server) signInRoutes() {
	s.mux.HandleFunc("GET /sign-in", s.askName)
	s.mux.HandleFunc("POST /sign-in", s.signIn)
	s.mux.HandleFunc("POST /sign-out", s.signOut)
}

// signInForm is what the page to sign in shows.
type signInForm struct {
	Name    string // as it was typed
	Next    string // where to go then: a path of ours
	Message string // why it has to be tried again; may be empty
}

// askName shows the form. Whoever has signed in already goes on.
func (s *Server) askName(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, err := s.visitor(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.signInPage(w, r, http.StatusOK, signInForm{Next: next})
}

// signIn takes a name and a password. The session that the browser had ends.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		s.errorPage(w, r, nil, err)
		return
	}
	f := signInForm{Name: r.PostForm.Get("name"), Next: localPath(r.PostForm.Get("next"))}
	name, from := strings.ToLower(strings.TrimSpace(f.Name)), s.client(r)
	if access.CheckName(name) != nil {
		name = "" // nobody's; it is treated as any
	}
	if wait := s.attempts.begin(name, from.addr, time.Now()); wait > 0 {
		s.tooOften(w, r, f, wait)
		return
	}
	account, stamp, err := s.cfg.Accounts.SignIn(r.Context(), name, r.PostForm.Get("password"))
	switch {
	case errors.Is(err, access.ErrWrong):
		s.auditFailure(name, from)
		f.Message = "Name or password is wrong."
		s.signInPage(w, r, http.StatusUnauthorized, f)
		return
	case errors.Is(err, access.ErrBusy):
		s.attempts.untried(name, from.addr)
		w.Header().Set("Retry-After", "2")
		f.Message = "Too many people are signing in at this moment. Try again."
		s.signInPage(w, r, http.StatusServiceUnavailable, f)
		return
	case err != nil: // the browser has gone
		return
	}
	s.attempts.right(name, from.addr)
	s.dropOwn(r, from)
	if err := s.begin(w, r, account, stamp); err != nil {
		s.errorPage(w, r, nil, err)
		return
	}
	s.auditSession(account, audit.SignIn, from, "")
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
}

// tooOften answers an attempt that comes too soon.
func (s *Server) tooOften(w http.ResponseWriter, r *http.Request, f signInForm, wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", fmt.Sprint(seconds))
	f.Message = fmt.Sprintf("Too many attempts. Try again in %s.", time.Duration(seconds)*time.Second)
	s.signInPage(w, r, http.StatusTooManyRequests, f)
}

// dropOwn ends the session that a browser still has.
func (s *Server) dropOwn(r *http.Request, from client) {
	stay, err := s.stay(r, from)
	if err == nil {
		err = s.cfg.Store.DropSession(r.Context(), stay.ID)
	}
	if err != nil && err != errNotKnown {
		s.cfg.Log.Warn("session not ended", "error", err)
	}
}

// signOut ends a session, or all of its account's. A token cannot sign out.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	v, err := s.visitor(r)
	if err == nil && v.session != nil {
		err = s.leave(r, v)
	}
	if err != nil && err != errNotKnown {
		s.errorPage(w, r, v, err)
		return
	}
	setCookie(w, s.client(r).tls, "", -1)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

func (s *Server) leave(r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if r.PostForm.Get("everywhere") == "" {
		if err := s.cfg.Store.DropSession(r.Context(), v.session.id); err != nil {
			return err
		}
		s.auditSession(v.account, audit.SignOut, s.client(r), "")
		return nil
	}
	n, err := s.cfg.Store.DropSessions(r.Context(), v.account.Name)
	if err != nil {
		return err
	}
	s.auditSession(v.account, audit.SignOut, s.client(r), fmt.Sprintf("everywhere: %d sessions", n))
	return nil
}

// auditSession takes down that somebody came or went. If that cannot be written the log
// says so, and whoever mends it can still sign in: what is done then needs a line
// of its own.
func (s *Server) auditSession(account access.Account, what string, from client, detail string) {
	err := s.cfg.Audit.Add(audit.Line{At: time.Now(), Who: account.Name, What: what,
		Organisation: account.Organisation, Brand: account.Brand, From: from.String(), Detail: detail})
	if err != nil {
		s.cfg.Log.Error("not in the audit log", "what", what, "account", account.Name, "from", from.String(), "error", err)
	}
}

// auditFailure takes down a wrong password. A name that nobody has is not
// written: it may be a password in the wrong field.
func (s *Server) auditFailure(name string, from client) {
	account, _, known := s.cfg.Accounts.Account(name)
	detail := ""
	if !known {
		account.Name, detail = "", "no such account"
	}
	s.auditSession(account, audit.SignInFailed, from, detail)
}

// localPath is a path of ours to go to, whatever was asked for.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) ||
		strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, "/sign-") {
		return "/"
	}
	return next
}

// signInPage shows the form.
func (s *Server) signInPage(w http.ResponseWriter, r *http.Request, status int, f signInForm) {
	if err := s.render(w, r, nil, status, "signin", f); err != nil {
		s.errorPage(w, r, nil, err)
	}
}
