package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
)

// signInRoutes are the only ones that need no account.
//
//	GET  /sign-in?next=/…     the form
//	POST /sign-in             its fields name, password, next
//	POST /sign-out            with csrf as every form; everywhere=1: all sessions of the account
func (s *Pages) signInRoutes() {
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

// askName shows the form. A browser that has signed in already goes on.
func (s *Pages) askName(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, err := s.Checker.Visit(r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	s.signInPage(w, r, http.StatusOK, signInForm{Next: next})
}

// signIn takes a name and a password. The session that the browser had ends, and from
// then on the browser is known.
func (s *Pages) signIn(w http.ResponseWriter, r *http.Request) {
	if err := identity.ParseForm(r); err != nil {
		s.ErrorPage(w, r, nil, err)
		return
	}
	f := signInForm{Name: r.PostForm.Get("name"), Next: localPath(r.PostForm.Get("next"))}
	name, from := strings.ToLower(strings.TrimSpace(f.Name)), s.Checker.Client(r)
	if access.CheckName(name) != nil {
		name = "" // no account has it; the attempt counts as any other
	}
	_, _, exists := s.Accounts.Account(name)
	t := attempt{name: name, exists: exists, from: from.Addr, browser: s.Checker.KnownBrowser(r, name)}
	if wait := s.attempts.begin(t); wait > 0 {
		s.signInFailed(r.Context(), name, from, ops.SignInSlowed)
		s.tooOften(w, r, f, wait)
		return
	}
	account, stamp, err := s.Accounts.SignIn(r.Context(), name, r.PostForm.Get("password"), t.browser != "")
	switch {
	case errors.Is(err, access.ErrWrong):
		s.attempts.wrong(t)
		s.signInFailed(r.Context(), name, from, ops.SignInWrong)
		f.Message = "Name or password is wrong."
		s.signInPage(w, r, http.StatusUnauthorized, f)
		return
	case errors.Is(err, access.ErrBusy):
		s.attempts.untried(t)
		s.signInFailed(r.Context(), name, from, ops.SignInBusy)
		w.Header().Set("Retry-After", "2")
		f.Message = "Too many people are signing in at this moment. Try again."
		s.signInPage(w, r, http.StatusServiceUnavailable, f)
		return
	case err != nil: // the browser has gone
		return
	}
	s.attempts.right(t)
	if err := s.Checker.Begin(w, r, account, stamp); err != nil {
		s.ErrorPage(w, r, nil, err)
		return
	}
	s.Checker.Remember(w, r, account)
	s.Operations.Audit.SignedIn(ops.Visitor{Account: account, From: from.String()})
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
}

// tooOften answers an attempt that comes too soon.
func (s *Pages) tooOften(w http.ResponseWriter, r *http.Request, f signInForm, wait time.Duration) {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", fmt.Sprint(seconds))
	f.Message = fmt.Sprintf("Too many attempts. Try again in %s, or use a browser in which you have signed in before.", time.Duration(seconds)*time.Second)
	s.signInPage(w, r, http.StatusTooManyRequests, f)
}

// signOut ends a session, or all of its account's. A token cannot sign out.
func (s *Pages) signOut(w http.ResponseWriter, r *http.Request) {
	v, err := s.Checker.Visit(r)
	if err == nil && v.BySession() {
		err = s.leave(r, v)
	}
	if err != nil && err != ops.ErrNotKnown {
		s.ErrorPage(w, r, v, err)
		return
	}
	s.Checker.Forget(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// leave ends the session of a visit, or all of its account's.
func (s *Pages) leave(r *http.Request, v *identity.Visit) error {
	if err := identity.ParseForm(r); err != nil {
		return err
	}
	if r.PostForm.Get("everywhere") == "" {
		if err := s.Checker.End(r.Context(), v); err != nil {
			return err
		}
		s.Operations.Audit.SignedOut(v.Visitor, "")
		return nil
	}
	n, err := s.Checker.EndAll(r.Context(), v)
	if err != nil {
		return err
	}
	s.Operations.Audit.SignedOut(v.Visitor, fmt.Sprintf("everywhere: %d sessions", n))
	return nil
}

// signInFailed has an attempt counted and written down. A name that no account has is not
// written: it may be a password in the wrong field. In a flood the answer then waits, so that
// who waits for each answer before he tries again takes less time from calls.
func (s *Pages) signInFailed(ctx context.Context, name string, from identity.Client, result ops.SignInResult) {
	account, _, known := s.Accounts.Account(name)
	detail := ""
	if !known {
		account.Name, detail = "", "no such account"
	}
	if s.Operations.Audit.SignInFailed(ops.Visitor{Account: account, From: from.String()}, result, detail) {
		s.held.hold(ctx)
	}
}

const (
	holdFor = time.Second
	maxHeld = 1000 // answers at once: more do not wait
)

// held holds answers back; it has a value for each.
type held chan struct{}

func (h held) hold(ctx context.Context) {
	select {
	case h <- struct{}{}:
		defer func() { <-h }()
	default:
		return
	}
	select {
	case <-time.After(holdFor):
	case <-ctx.Done():
	}
}

// localPath returns next if it is a path of ours, and else "/".
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
func (s *Pages) signInPage(w http.ResponseWriter, r *http.Request, status int, f signInForm) {
	if err := s.render(w, r, nil, status, "signin", f); err != nil {
		s.ErrorPage(w, r, nil, err)
	}
}
