package identity

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tapedeck/console/access"
)

const (
	// knownFor is how long a browser is known after an account has signed in.
	knownFor = 90 * 24 * time.Hour

	// The cookie by which a browser is known. It opens no session.
	plainKnownCookie = "tapedeck_browser"
	tlsKnownCookie   = "__Host-tapedeck_browser"

	maxKnownCookie = 256 // bytes
)

// Remember gives the browser a cookie that says that this account has signed in with it.
// It stays when the session ends, and is worth nothing once the account has changed.
func (c *Checker) Remember(w http.ResponseWriter, r *http.Request, account access.Account) {
	said := strconv.FormatInt(time.Now().Add(knownFor).Unix(), 10) + "." + random()
	seal := base64.RawURLEncoding.EncodeToString(c.cfg.Accounts.Seal(account.Name, said))
	tls := c.Client(r).TLS
	http.SetCookie(w, &http.Cookie{Name: knownCookieName(tls), Value: said + "." + seal, Path: "/", MaxAge: int(knownFor.Seconds()),
		HttpOnly: true, Secure: tls, SameSite: http.SameSiteStrictMode})
}

// KnownBrowser returns the id of a browser in which the account of this name, as it is
// now, has signed in before; empty: it has not.
func (c *Checker) KnownBrowser(r *http.Request, name string) string {
	cookie, err := r.Cookie(knownCookieName(c.Client(r).TLS))
	if err != nil || len(cookie.Value) > maxKnownCookie {
		return ""
	}
	end := strings.LastIndexByte(cookie.Value, '.')
	said, text := cookie.Value[:max(end, 0)], cookie.Value[end+1:]
	got, err := base64.RawURLEncoding.DecodeString(text)
	want := c.cfg.Accounts.Seal(name, said)
	if err != nil || want == nil || subtle.ConstantTimeCompare(got, want) != 1 {
		return ""
	}
	until, id, _ := strings.Cut(said, ".")
	if seconds, err := strconv.ParseInt(until, 10, 64); err != nil || time.Now().Unix() >= seconds {
		return ""
	}
	return id
}

func knownCookieName(tls bool) string {
	if tls {
		return tlsKnownCookie
	}
	return plainKnownCookie
}
