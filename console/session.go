package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/store"
	"tapedeck/store/index"
)

const (
	// defaultIdle ends a session that is not used, defaultLifetime one that is.
	defaultIdle     = 30 * time.Minute
	defaultLifetime = 12 * time.Hour
	// slideEvery is how often at most it is written down that a session is used.
	slideEvery = time.Minute

	// The cookie. A browser takes one that begins with __Host- only over HTTPS
	// and for this host alone, so that no other host of the domain can set it.
	plainCookie = "tapedeck_session"
	tlsCookie   = "__Host-tapedeck_session"

	secretLen = 32 // bytes, of the cookie and of the CSRF token
)

// session is one browser that has signed in.
type session struct {
	csrf string // what its forms and scripts have to send back
	id   string // in the store
}

// errNotKnown: neither a session nor a bearer token that counts. 401, or the
// page to sign in.
var errNotKnown = errors.New("sign in, or send a bearer token")

// visitor says who asks. Of a request that changes something it also sees to it
// that it comes from a page of ours. Whoever sends a bearer token, right or
// wrong, is not looked up by a cookie. What else is in Authorization is not for
// us: a proxy that asks for a password of its own passes it on.
func (s *Server) visitor(r *http.Request) (*visit, error) {
	from := s.client(r)
	for _, header := range r.Header.Values("Authorization") {
		if scheme, secret, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
			return s.bearer(strings.TrimSpace(secret), from)
		}
	}
	stay, err := s.stay(r, from)
	if err != nil {
		return nil, err
	}
	if !safe(r.Method) {
		if err := checkCSRF(r, stay.CSRF); err != nil {
			return nil, err
		}
	}
	account, stamp, err := s.holder(stay)
	if err != nil {
		return nil, err
	}
	return &visit{account: account, stamp: stamp, session: &session{csrf: stay.CSRF, id: stay.ID}, from: from.String()}, nil
}

func (s *Server) bearer(secret string, from client) (*visit, error) {
	account, id, ok := s.cfg.Accounts.Token(secret)
	if !ok {
		return nil, errNotKnown
	}
	_, stamp, _ := s.cfg.Accounts.Account(account.Name)
	return &visit{account: account, stamp: stamp, token: id, from: from.String()}, nil
}

// stay is the session whose secret the request's cookie has.
func (s *Server) stay(r *http.Request, from client) (store.Session, error) {
	cookie, err := r.Cookie(cookieName(from.tls))
	if err != nil || len(cookie.Value) != base64.RawURLEncoding.EncodedLen(secretLen) {
		return store.Session{}, errNotKnown
	}
	stay, err := s.cfg.Store.Session(r.Context(), sessionID(cookie.Value))
	if errors.Is(err, index.ErrUnknown) {
		return stay, errNotKnown
	}
	if err != nil {
		return stay, err
	}
	now := time.Now()
	if now.Sub(stay.Began) >= s.cfg.Lifetime || now.Sub(stay.Seen) >= s.cfg.Idle {
		return stay, errNotKnown
	}
	if now.Sub(stay.Seen) >= min(slideEvery, s.cfg.Idle/2) {
		stay.Seen = now
		err = s.cfg.Store.SaveSession(r.Context(), stay, s.ttl(stay))
		if errors.Is(err, index.ErrUnknown) { // it was ended at this moment
			return stay, errNotKnown
		} else if err != nil {
			s.cfg.Log.Warn("session not prolonged", "error", err)
		}
	}
	return stay, nil
}

// ttl is how long a session lasts if it is not used from now on.
func (s *Server) ttl(stay store.Session) time.Duration {
	return min(s.cfg.Idle, s.cfg.Lifetime-stay.Seen.Sub(stay.Began))
}

// holder is the account of a session. A session ends when its account is not any
// more what it was when the session began.
func (s *Server) holder(stay store.Session) (access.Account, string, error) {
	account, stamp, ok := s.cfg.Accounts.Account(stay.Account)
	if !ok || stamp != stay.Stamp {
		return access.Account{}, "", errNotKnown
	}
	return account, stamp, nil
}

// still reports whether a visitor may stay: a stream asks now and then. The
// session is not prolonged by it. The errors are errNotKnown, and those of
// package store: then it is not known.
func (s *Server) still(ctx context.Context, v *visit) error {
	_, stamp, ok := s.cfg.Accounts.Account(v.account.Name)
	switch {
	case !ok || stamp != v.stamp:
		return errNotKnown
	case v.token != "":
		if !s.cfg.Accounts.HasToken(v.token, v.account.Name) {
			return errNotKnown
		}
		return nil
	}
	stay, err := s.cfg.Store.Session(ctx, v.session.id)
	if errors.Is(err, index.ErrUnknown) || err == nil && time.Since(stay.Began) >= s.cfg.Lifetime {
		return errNotKnown
	}
	return err
}

// begin makes a session for an account that has just signed in, and gives the
// browser its secret. It is always a new one: what the browser had before counts
// for nothing.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, account access.Account, stamp string) error {
	secret, now, from := random(), time.Now(), s.client(r)
	stay := store.Session{ID: sessionID(secret), Account: account.Name, Stamp: stamp, CSRF: random(),
		From: from.String(), Began: now, Seen: now}
	if err := s.cfg.Store.SaveSession(r.Context(), stay, s.ttl(stay)); err != nil {
		return fmt.Errorf("console: sign in: %w", err)
	}
	setCookie(w, from.tls, secret, 0)
	return nil
}

// setCookie gives the browser a secret for as long as it is open; a negative age
// takes it away.
func setCookie(w http.ResponseWriter, tls bool, secret string, age int) {
	http.SetCookie(w, &http.Cookie{Name: cookieName(tls), Value: secret, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: tls, SameSite: http.SameSiteLaxMode})
}

func cookieName(tls bool) string {
	if tls {
		return tlsCookie
	}
	return plainCookie
}

// sessionID is what the store knows a session by: nobody who reads Redis can sign
// in with it.
func sessionID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func random() string {
	b := make([]byte, secretLen)
	rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// checkCSRF sees to it that a request has its session's token, in the header
// X-CSRF-Token or in the field csrf of a form.
func checkCSRF(r *http.Request, want string) error {
	got := r.Header.Get("X-CSRF-Token")
	if got == "" {
		if err := parseForm(r); err != nil {
			return err
		}
		got = r.PostForm.Get("csrf")
	}
	if want == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return errForged
	}
	return nil
}

// parseForm reads a form that was sent. One that is not url-encoded is empty.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil || isFault(err) {
		return err
	}
	return badRequest("the form is not readable")
}

func isFault(err error) bool {
	_, known := errors.AsType[*fault](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	return known || tooLarge
}
