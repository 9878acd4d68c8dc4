// Package identity says who sends a request to the console: the account of a
// bearer token or of a session, and the address that the request comes from. It
// begins and ends the sessions.
package identity

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/console/ops"
	"tapedeck/store/session"
)

// Sessions keeps the sessions, for all instances. The errors are session.ErrUnknown
// and store.ErrAway.
type Sessions interface {
	Find(ctx context.Context, id string) (session.Session, error)
	// Save saves a new session, or one that was not ended, for ttl.
	Save(ctx context.Context, s session.Session, ttl time.Duration) error
	End(ctx context.Context, id string) error
	// EndAll ends all sessions of an account, and returns how many.
	EndAll(ctx context.Context, account string) (int, error)
}

// Config is what a Checker works on.
type Config struct {
	Accounts *access.Accounts
	Sessions Sessions
	Proxies  Proxies
	Idle     time.Duration // ends a session that is not used; 0: 30 minutes
	Lifetime time.Duration // ends one that is; 0: 12 hours
	// WrongToken is told where a bearer token comes from that nobody has; it may be nil.
	WrongToken func(from string)
	Log        *slog.Logger
}

const (
	defaultIdle     = 30 * time.Minute
	defaultLifetime = 12 * time.Hour
)

// Checker says who sends a request. New makes one.
type Checker struct{ cfg Config }

// New makes a Checker.
func New(cfg Config) *Checker {
	cfg.Idle = cmp.Or(cfg.Idle, defaultIdle)
	cfg.Lifetime = cmp.Or(cfg.Lifetime, defaultLifetime)
	return &Checker{cfg}
}

// Visit is one request of a visitor who is known.
type Visit struct {
	ops.Visitor
	stamp   string        // of the account, when the session or the request began
	token   string        // id of the bearer token; empty: by a session
	session *visitSession // nil: by a bearer token
}

// visitSession is the session of a visit.
type visitSession struct {
	id   string // in the store
	csrf string // what its forms and scripts have to send back
}

// BySession reports whether the visitor has signed in with a browser.
func (v *Visit) BySession() bool { return v.session != nil }

// CSRF is what the visitor's forms and scripts have to send back; empty for a
// bearer token.
func (v *Visit) CSRF() string {
	if v.session == nil {
		return ""
	}
	return v.session.csrf
}

// Client says where a request comes from.
func (c *Checker) Client(r *http.Request) Client { return c.cfg.Proxies.Client(r) }

// Visit says who sends a request. A request of a session that changes something
// must come from a page of ours. If there is a bearer token, right or wrong, the
// cookie does not count. Other schemes of Authorization are ignored: a proxy that
// asks for a password of its own passes it on. The errors are ops.ErrNotKnown,
// ErrForged, those of ParseForm, and store.ErrAway.
func (c *Checker) Visit(r *http.Request) (*Visit, error) {
	from := c.Client(r)
	for _, header := range r.Header.Values("Authorization") {
		if scheme, secret, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
			return c.bearer(strings.TrimSpace(secret), from)
		}
	}
	s, err := c.session(r, from)
	if err != nil {
		return nil, err
	}
	if !safe(r.Method) {
		if err := checkCSRF(r, s.CSRF); err != nil {
			return nil, err
		}
	}
	account, err := c.holder(s)
	if err != nil {
		return nil, err
	}
	return &Visit{Visitor: ops.Visitor{Account: account, From: from.String()}, stamp: s.Stamp,
		session: &visitSession{id: s.ID, csrf: s.CSRF}}, nil
}

func (c *Checker) bearer(secret string, from Client) (*Visit, error) {
	account, id, ok := c.cfg.Accounts.Token(secret)
	if !ok {
		if c.cfg.WrongToken != nil {
			c.cfg.WrongToken(from.String())
		}
		return nil, ops.ErrNotKnown
	}
	_, stamp, _ := c.cfg.Accounts.Account(account.Name)
	return &Visit{Visitor: ops.Visitor{Account: account, From: from.String()}, stamp: stamp, token: id}, nil
}

// Still checks whether a visitor may stay: a stream asks now and then. It does not
// prolong the session. The error is ops.ErrNotKnown if he may not; another error
// means that it could not be found out.
func (c *Checker) Still(ctx context.Context, v *Visit) error {
	_, stamp, ok := c.cfg.Accounts.Account(v.Account.Name)
	switch {
	case !ok || stamp != v.stamp:
		return ops.ErrNotKnown
	case v.token != "":
		if !c.cfg.Accounts.HasToken(v.token, v.Account.Name) {
			return ops.ErrNotKnown
		}
		return nil
	}
	s, err := c.cfg.Sessions.Find(ctx, v.session.id)
	if errors.Is(err, session.ErrUnknown) || err == nil && time.Since(s.Began) >= c.cfg.Lifetime {
		return ops.ErrNotKnown
	}
	return err
}
