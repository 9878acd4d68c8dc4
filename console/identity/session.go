package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/ops"
	"tapedeck/store/session"
)

const (
	// prolongEvery is how often at most the store is told that a session is used.
	prolongEvery = time.Minute

	// The cookie. A browser takes one that begins with __Host- only over HTTPS
	// and for this host alone, so that no other host of the domain can set it.
	plainCookie = "tapedeck_session"
	tlsCookie   = "__Host-tapedeck_session"

	secretLen = 32 // bytes, of the cookie and of the CSRF token
)

// session returns the session whose secret is in the request's cookie, and
// prolongs it.
func (c *Checker) session(r *http.Request, from Client) (session.Session, error) {
	cookie, err := r.Cookie(cookieName(from.TLS))
	if err != nil || len(cookie.Value) != base64.RawURLEncoding.EncodedLen(secretLen) {
		return session.Session{}, ops.ErrNotKnown
	}
	s, err := c.cfg.Sessions.Find(r.Context(), sessionID(cookie.Value))
	if errors.Is(err, session.ErrUnknown) {
		return s, ops.ErrNotKnown
	}
	if err != nil {
		return s, err
	}
	now := time.Now()
	if now.Sub(s.Began) >= c.cfg.Lifetime || now.Sub(s.Seen) >= c.cfg.Idle {
		return s, ops.ErrNotKnown
	}
	if now.Sub(s.Seen) >= min(prolongEvery, c.cfg.Idle/2) {
		s.Seen = now
		err = c.cfg.Sessions.Save(r.Context(), s, c.ttl(s))
		if errors.Is(err, session.ErrUnknown) { // it was ended at this moment
			return s, ops.ErrNotKnown
		} else if err != nil {
			c.cfg.Log.Warn("session not prolonged", "error", err)
		}
	}
	return s, nil
}

// ttl is how long a session lasts if it is not used from now on.
func (c *Checker) ttl(s session.Session) time.Duration {
	return min(c.cfg.Idle, c.cfg.Lifetime-s.Seen.Sub(s.Began))
}

// holder returns the account of a session. A session is over when its account has
// changed since the session began.
func (c *Checker) holder(s session.Session) (access.Account, error) {
	account, stamp, ok := c.cfg.Accounts.Account(s.Account)
	if !ok || stamp != s.Stamp {
		return access.Account{}, ops.ErrNotKnown
	}
	return account, nil
}

// Begin begins a session for an account that has just signed in, and gives the
// browser its secret. The session is always a new one, and the one that the
// browser had before ends.
func (c *Checker) Begin(w http.ResponseWriter, r *http.Request, account access.Account, stamp string) error {
	c.endOld(r)
	secret, now, from := random(), time.Now(), c.Client(r)
	s := session.Session{ID: sessionID(secret), Account: account.Name, Stamp: stamp, CSRF: random(),
		From: from.String(), Began: now, Seen: now}
	if err := c.cfg.Sessions.Save(r.Context(), s, c.ttl(s)); err != nil {
		return fmt.Errorf("console: sign in: %w", err)
	}
	setCookie(w, from.TLS, secret, 0)
	return nil
}

// endOld ends the session that a browser still has.
func (c *Checker) endOld(r *http.Request) {
	s, err := c.session(r, c.Client(r))
	if err == nil {
		err = c.cfg.Sessions.End(r.Context(), s.ID)
	}
	if err != nil && err != ops.ErrNotKnown {
		c.cfg.Log.Warn("session not ended", "error", err)
	}
}

// End ends the session of a visit.
func (c *Checker) End(ctx context.Context, v *Visit) error {
	return c.cfg.Sessions.End(ctx, v.session.id)
}

// EndAll ends all sessions of a visitor's account, and returns how many.
func (c *Checker) EndAll(ctx context.Context, v *Visit) (int, error) {
	return c.cfg.Sessions.EndAll(ctx, v.Account.Name)
}

// Forget takes the secret from the browser.
func (c *Checker) Forget(w http.ResponseWriter, r *http.Request) {
	setCookie(w, c.Client(r).TLS, "", -1)
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

// sessionID is the id by which the store knows a session: nobody who reads Redis
// can sign in with it.
func sessionID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func random() string {
	b := make([]byte, secretLen)
	rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
