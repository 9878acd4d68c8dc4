package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/console/consoletest"
	"tapedeck/console/identity"
	"tapedeck/console/ops"
	"tapedeck/internal/testkit"
	"tapedeck/store/session"
)

// cookies returns the cookies of a client, by name.
func (l *lab) cookies(c *http.Client) map[string]string {
	l.Helper()
	all := map[string]string{}
	for _, cookie := range c.Jar.Cookies(l.At("/")) {
		all[cookie.Name] = cookie.Value
	}
	return all
}

// The defaults of a Config.
const (
	idle     = 30 * time.Minute
	lifetime = 12 * time.Hour
)

// sessionID is the id by which the store knows a session.
func sessionID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// stay returns the session of a client from the store.
func (l *lab) stay(c *http.Client) session.Session {
	l.Helper()
	stay, err := l.Store.Sessions.Find(l.Context(), sessionID(l.cookies(c)["tapedeck_session"]))
	if err != nil {
		l.Fatal(err)
	}
	return stay
}

// TestFixation: a browser gets a new secret when it signs in. A secret that it had
// before, from whomever, opens no session.
func TestFixation(t *testing.T) {
	l := newLab(t)
	l.whoami()
	planted := strings.Repeat("A", 43)
	victim := l.Client()
	victim.Jar.SetCookies(l.At("/"), []*http.Cookie{{Name: "tapedeck_session", Value: planted, Path: "/"}})
	res, body := l.SignIn(victim, "anna", consoletest.Password, "")
	l.expect(http.StatusSeeOther, res, body)
	first := l.cookies(victim)["tapedeck_session"]
	if first == planted || len(first) != len(planted) {
		t.Errorf("secret %q before, %q after", planted, first)
	}
	attacker := l.Client()
	for name, secret := range map[string]string{"planted": planted, "the session's id": l.stay(victim).ID} {
		attacker.Jar.SetCookies(l.At("/"), []*http.Cookie{{Name: "tapedeck_session", Value: secret, Path: "/"}})
		if res, body := l.Get(attacker, "/api/test/who"); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
	}
	res, body = l.SignIn(victim, "bob", consoletest.Password, "") // fails: nothing changes
	l.expect(http.StatusUnauthorized, res, body)
	if l.cookies(victim)["tapedeck_session"] != first || res.Header.Get("Set-Cookie") != "" {
		t.Error("a failure changes the cookie")
	}
	res, body = l.SignIn(victim, "lisa", consoletest.Password, "")
	l.expect(http.StatusSeeOther, res, body)
	attacker.Jar.SetCookies(l.At("/"), []*http.Cookie{{Name: "tapedeck_session", Value: first, Path: "/"}})
	if res, body := l.Get(attacker, "/api/test/who"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session before: %d %s", res.StatusCode, body)
	}
	if _, body := l.Get(victim, "/api/test/who"); body != "lisa" {
		t.Errorf("now %q", body)
	}
}

func TestCookie(t *testing.T) {
	for _, c := range []struct {
		remote, proto string
		own, all      bool
		tls           bool
	}{
		{"192.0.2.1:5", "", false, false, false},
		{"192.0.2.1:5", "https", false, false, false}, // not a proxy of ours
		{"127.0.0.1:5", "https", false, false, true},
		{"127.0.0.1:5", "http", false, false, false},
		{"192.0.2.1:5", "", true, false, true},
		{"127.0.0.1:5", "http", true, false, true},
		{"192.0.2.1:5", "", false, true, true},
		{"127.0.0.1:5", "http", false, true, true},
	} {
		l := consoletest.NewStill(t, func(cfg *console.Config) {
			cfg.Proxies = identity.Proxies{Trusted: loopback, TLS: c.all}
		})
		at := "http://console.example/sign-in"
		if c.own {
			at = "https://console.example/sign-in"
		}
		r := httptest.NewRequest(http.MethodPost, at, strings.NewReader(url.Values{"name": {"anna"}, "password": {consoletest.Password}}.Encode()))
		r.RemoteAddr = c.remote
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-Proto", c.proto)
		w := httptest.NewRecorder()
		l.Server.Handler().ServeHTTP(w, r)
		got := w.Result().Header.Values("Set-Cookie")
		if len(got) != 2 {
			t.Fatalf("%+v: %d, cookies %q", c, w.Code, got)
		}
		name, rest, _ := strings.Cut(got[0], "=")
		secret, rest, _ := strings.Cut(rest, "; ")
		wantName, want := "tapedeck_session", "Path=/; HttpOnly; SameSite=Lax"
		if c.tls {
			wantName, want = "__Host-tapedeck_session", "Path=/; HttpOnly; Secure; SameSite=Lax"
		}
		if name != wantName || rest != want || len(secret) != 43 {
			t.Errorf("%+v: %s", c, got[0])
		}
		wantKnown, want := "tapedeck_browser=", "; Path=/; Max-Age=7776000; HttpOnly; SameSite=Strict"
		if c.tls {
			wantKnown, want = "__Host-tapedeck_browser=", "; Path=/; Max-Age=7776000; HttpOnly; Secure; SameSite=Strict"
		}
		if !strings.HasPrefix(got[1], wantKnown) || !strings.HasSuffix(got[1], want) {
			t.Errorf("%+v: %s", c, got[1])
		}
		// The cookie of the other kind of connection does not count.
		r = httptest.NewRequest(http.MethodGet, "http://console.example/", nil)
		r.RemoteAddr = "192.0.2.1:5"
		r.AddCookie(&http.Cookie{Name: "__Host-tapedeck_session", Value: secret})
		if _, err := l.Checker.Visit(r); (err == nil) != c.all {
			t.Errorf("%+v: %s without TLS: %v", c, "__Host-tapedeck_session", err)
		}
	}
}

// TestCSRF: a request that changes something needs the token of its own session.
func TestCSRF(t *testing.T) {
	l := newLab(t)
	l.whoami()
	anna, eve := l.As("anna"), l.As("eve")
	own, others := l.CSRF(anna), l.CSRF(eve)
	if own == others || own == l.cookies(anna)["tapedeck_session"] || len(own) < 40 {
		t.Errorf("tokens %q and %q", own, others)
	}
	for _, path := range []string{"/test/who", "/api/test/who", "/sign-out"} {
		for name, form := range map[string]string{"none": "", "empty": "csrf=", "another session's": "csrf=" + others, "wrong": "csrf=" + own[:42] + "x",
			"the cookie": "csrf=" + l.cookies(anna)["tapedeck_session"], "wrong before": "csrf=x&csrf=" + own} {
			for _, as := range []string{"form", "header", "address", "multipart"} {
				r, err := http.NewRequest(http.MethodPost, l.URL+path, strings.NewReader(form))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				switch as {
				case "header":
					r.Header["X-Csrf-Token"] = []string{strings.TrimPrefix(form, "csrf=")}
				case "address":
					r.URL.RawQuery = "csrf=" + own // it would be in logs and Referers
				case "multipart":
					r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
				}
				if as == "header" && name == "wrong before" {
					r.Header["X-Csrf-Token"] = []string{others, own}
				}
				res, err := anna.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != http.StatusForbidden && !(as == "multipart" && res.StatusCode == http.StatusBadRequest) {
					t.Errorf("%s, token %s as %s: %d, want 403", path, name, as, res.StatusCode)
				}
			}
		}
	}
	for _, headers := range [][]string{{"Content-Type: application/x-www-form-urlencoded"}, {"X-CSRF-Token: " + own}} {
		res, err := http.NewRequest(http.MethodPost, l.URL+"/api/test/who", strings.NewReader(url.Values{"csrf": {own}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		name, value, _ := strings.Cut(headers[0], ": ")
		res.Header.Set(name, value)
		if got, err := anna.Do(res); err != nil || got.StatusCode != http.StatusOK {
			t.Errorf("%s: %v, %v", headers[0], got.StatusCode, err)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "BREW"} {
		r := httptest.NewRequest(method, "/", nil)
		r.AddCookie(&http.Cookie{Name: "tapedeck_session", Value: l.cookies(anna)["tapedeck_session"]})
		if _, err := l.Checker.Visit(r); err != identity.ErrForged {
			t.Errorf("%s: %v", method, err)
		}
	}
	res, body := l.Do(l.Bearer("anna"), http.MethodPost, "/api/test/who", "")
	l.expect(http.StatusOK, res, body)
}

// TestCrossOrigin: a request from another site's page is refused even with the right
// token. So another site cannot sign a browser in either.
func TestCrossOrigin(t *testing.T) {
	l := newLab(t)
	l.whoami()
	anna := l.As("anna")
	for _, c := range []struct {
		header string
		want   int
	}{
		{"Sec-Fetch-Site: cross-site", 403}, {"Sec-Fetch-Site: same-site", 403}, {"Sec-Fetch-Site: same-origin", 200}, {"Sec-Fetch-Site: none", 200},
		{"Origin: https://evil.example", 403}, {"Origin: null", 403}, {"Origin: " + l.URL, 200},
	} {
		res, body := l.Do(anna, http.MethodPost, "/api/test/who", "", c.header)
		l.expect(c.want, res, body)
		res, body = l.Do(l.Bearer("anna"), http.MethodPost, "/api/test/who", "", c.header)
		l.expect(c.want, res, body)
		res, body = l.Do(l.Client(), http.MethodPost, "/sign-in", url.Values{"name": {"anna"}, "password": {consoletest.Password}}.Encode(),
			c.header, "Content-Type: application/x-www-form-urlencoded")
		if (res.StatusCode == http.StatusForbidden) != (c.want == 403) || (len(res.Cookies()) == 0) != (c.want == 403) {
			t.Errorf("sign in with %s: %d, cookies %v: %.80s", c.header, res.StatusCode, res.Cookies(), body)
		}
		res, body = l.Do(anna, http.MethodGet, "/api/test/who", "", c.header) // a link from another site may be followed
		l.expect(http.StatusOK, res, body)
	}
}

func TestSessionExpiry(t *testing.T) {
	l := newLab(t)
	l.whoami()
	for _, c := range []struct {
		name        string
		began, seen time.Duration // ago
		known       bool
		slides      bool
	}{
		{"fresh", 0, 0, true, false},
		{"just used", time.Hour, time.Minute - 10*time.Second, true, false},
		{"used", time.Hour, time.Minute + time.Second, true, true},
		{"nearly idle", time.Hour, idle - 10*time.Second, true, true},
		{"idle", time.Hour, idle, false, false},
		{"nearly old", lifetime - 10*time.Second, 2 * time.Minute, true, true},
		{"old", lifetime, 0, false, false},
	} {
		anna := l.As("anna")
		stay, now := l.stay(anna), time.Now()
		stay.Began, stay.Seen = now.Add(-c.began), now.Add(-c.seen)
		if err := l.Store.Sessions.Save(t.Context(), stay, time.Minute); err != nil {
			t.Fatal(err)
		}
		res, body := l.Get(anna, "/api/test/who")
		if (res.StatusCode == http.StatusOK) != c.known {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, body)
		}
		if after := l.stay(anna); after.Seen.After(stay.Seen) != c.slides || !after.Began.Equal(stay.Began) || after.CSRF != stay.CSRF {
			t.Errorf("%s: before %+v, after %+v", c.name, stay, after)
		}
	}
}

func TestSessionsAreStoredSafely(t *testing.T) {
	l := newLab(t)
	anna := l.As("anna")
	secret, stay := l.cookies(anna)["tapedeck_session"], l.stay(anna)
	if strings.Contains(strings.Join([]string{stay.ID, stay.CSRF, stay.Stamp, stay.Account, stay.From}, " "), secret) {
		t.Errorf("the secret is in the store: %+v", stay)
	}
	if stay.Account != "anna" || stay.From != "127.0.0.1" || stay.Stamp == "" {
		t.Errorf("stored: %+v", stay)
	}
	if strings.Contains(l.Logged.String(), secret) || strings.Contains(l.Audited(), secret) {
		t.Error("the secret is in a log")
	}
}

func TestSignOutEverywhere(t *testing.T) {
	l := newLab(t)
	l.whoami()
	var annas []*http.Client
	for range 3 {
		annas = append(annas, l.As("anna"))
	}
	lisa := l.As("lisa")
	res, body := l.Post(annas[0], "/sign-out", nil) // this one alone
	l.expect(http.StatusSeeOther, res, body)
	for i, want := range []int{401, 200, 200} {
		res, body := l.Get(annas[i], "/api/test/who")
		l.expect(want, res, body)
	}
	v := l.visit(annas[2])
	if err := l.Checker.Still(t.Context(), v); err != nil {
		t.Errorf("before: %v", err)
	}
	res, body = l.Post(annas[1], "/sign-out", url.Values{"everywhere": {"1"}})
	l.expect(http.StatusSeeOther, res, body)
	if err := l.Checker.Still(t.Context(), v); err != ops.ErrNotKnown {
		t.Errorf("a stream goes on: %v", err)
	}
	for _, c := range annas {
		res, body := l.Get(c, "/api/test/who")
		l.expect(http.StatusUnauthorized, res, body)
	}
	for _, c := range []*http.Client{lisa, l.Bearer("anna")} {
		res, body := l.Get(c, "/api/test/who")
		l.expect(http.StatusOK, res, body)
	}
	if !strings.Contains(l.Audited(), `"detail":"everywhere: 2 sessions"`) {
		t.Errorf("audit:\n%s", l.Audited())
	}
	res, body = l.Get(lisa, "/sign-out") // a link cannot sign out
	l.expect(http.StatusNotFound, res, body)
	res, body = l.Get(lisa, "/api/test/who")
	l.expect(http.StatusOK, res, body)
	res, body = l.Post(l.Client(), "/sign-out", nil) // without a session: nothing happens
	l.expect(http.StatusSeeOther, res, body)
}

// visit is the visit of a browser that has signed in.
func (l *lab) visit(c *http.Client) *identity.Visit {
	l.Helper()
	v, err := l.Visit(c)
	if err != nil {
		l.Fatal(err)
	}
	return v
}

func (l *lab) visitByToken(account string) *identity.Visit {
	l.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+consoletest.Token(account))
	v, err := l.Checker.Visit(r)
	if err != nil {
		l.Fatal(err)
	}
	return v
}

// TestAccountChanges: when an account changes or is removed, its sessions, tokens and
// streams end; those of other accounts go on.
func TestAccountChanges(t *testing.T) {
	l := newLab(t)
	l.whoami()
	clients, visits := map[string]*http.Client{}, map[string]*identity.Visit{}
	for name := range consoletest.AccountsText {
		clients[name] = l.As(name)
		visits[name] = l.visit(clients[name])
	}
	eves, byToken := l.visitByToken("eve"), l.visitByToken("alice")
	if err := l.Checker.Still(t.Context(), byToken); err != nil {
		t.Errorf("a token's stream: %v", err)
	}
	l.WriteAccounts(map[string]string{
		"root":  consoletest.AccountsText["root"],
		"north": "role: brand, brand: south",
		"anna":  "role: operator",
		"sue":   "role: organisation, organisation: acme, groups: [support]",
		"lisa":  "role: organisation, organisation: acme, rights: [see]",
		"eve":   consoletest.AccountsText["eve"],
	})
	testkit.Until(l, "the account is gone", func() bool { _, _, there := l.Accounts.Account("alice"); return !there })
	for name, c := range clients {
		want, err := http.StatusUnauthorized, error(ops.ErrNotKnown)
		if name == "root" || name == "eve" {
			want, err = http.StatusOK, nil
		}
		res, body := l.Get(c, "/api/test/who")
		l.expect(want, res, name+" "+body)
		if got := l.Checker.Still(t.Context(), visits[name]); got != err {
			t.Errorf("%s's stream: %v, want %v", name, got, err)
		}
	}
	if err := l.Checker.Still(t.Context(), byToken); err != ops.ErrNotKnown {
		t.Errorf("the stream of a removed token: %v", err)
	}
	res, body := l.Get(l.Bearer("alice"), "/api/test/who")
	l.expect(http.StatusUnauthorized, res, body)

	if err := l.Checker.Still(t.Context(), eves); err != nil {
		t.Errorf("the stream of eve's token: %v", err)
	}
	if err := access.Change(l.AccountsFile, func(f *access.File) error { return f.RemoveToken("t-eve") }); err != nil {
		t.Fatal(err)
	}
	testkit.Until(l, "the token is gone", func() bool { return !l.Accounts.HasToken("t-eve", "eve") })
	if err := l.Checker.Still(t.Context(), eves); err != ops.ErrNotKnown {
		t.Errorf("the stream of a revoked token: %v", err)
	}
	res, body = l.Get(l.Bearer("eve"), "/api/test/who")
	l.expect(http.StatusUnauthorized, res, body)
	res, body = l.Get(clients["eve"], "/api/test/who")
	l.expect(http.StatusOK, res, body)
}

// TestBearer: a token counts only in Authorization. If it is wrong, the browser's session
// does not count instead. Another scheme than Bearer is ignored: it may be the password
// of a proxy before us.
func TestBearer(t *testing.T) {
	l := newLab(t)
	l.whoami()
	anna := l.As("anna")
	good := consoletest.Token("anna")
	for _, c := range []struct {
		header string
		want   int
	}{
		{"Bearer " + good, 200}, {"bearer " + good, 200}, {"Bearer  " + good, 200},
		{"Bearer " + good + "x", 401}, {"Bearer", 401}, {"Bearer ", 401}, {"Basic " + good, 200}, {good, 200}, {"", 200},
		{"Bearer " + good + ", Bearer " + good, 401}, {"Bearer " + strings.Repeat("x", 20_000), 401},
	} {
		res, body := l.Do(anna, http.MethodGet, "/api/test/who", "", "Authorization: "+c.header)
		l.expect(c.want, res, c.header+" "+body)
		if len(res.Cookies()) > 0 {
			t.Errorf("%s: gets a cookie", c.header)
		}
		if c.want == 401 && res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: nobody says how", c.header)
		}
	}
	res, body := l.Do(l.Client(), http.MethodGet, "/api/test/who", "", "Authorization: Basic b2ZmaWNlOnNlY3JldA==")
	l.expect(http.StatusUnauthorized, res, body)
	both := []string{"Authorization: Basic b2ZmaWNlOnNlY3JldA==", "Authorization: Bearer " + good}
	res, body = l.Do(l.Client(), http.MethodGet, "/api/test/who", "", both...)
	l.expect(http.StatusOK, res, body)
	res, body = l.Send(anna, http.MethodPost, "/test/who", "", both[0]) // without the CSRF token
	l.expect(http.StatusForbidden, res, body)
	res, body = l.Get(l.Client(), "/api/test/who?access_token="+good)
	l.expect(http.StatusUnauthorized, res, body)
	res, body = l.Do(l.Bearer("anna"), http.MethodPost, "/sign-out", "")
	l.expect(http.StatusSeeOther, res, body)
	res, body = l.Get(anna, "/api/test/who")
	l.expect(http.StatusOK, res, body)
}

// TestRedisAway: without Redis a session is neither valid nor refused: the answer is 503.
func TestRedisAway(t *testing.T) {
	l := newLab(t)
	l.whoami()
	anna := l.As("anna")
	if err := l.Store.Close(); err != nil {
		t.Fatal(err)
	}
	res, body := l.Get(anna, "/api/test/who")
	l.expect(http.StatusServiceUnavailable, res, body)
	res, body = l.SignIn(l.Client(), "lisa", consoletest.Password, "")
	l.expect(http.StatusServiceUnavailable, res, body)
	if len(res.Cookies()) > 0 {
		t.Error("a session that is nowhere")
	}
	res, body = l.Get(l.Bearer("anna"), "/api/test/who")
	l.expect(http.StatusOK, res, body)
	res, body = l.Get(l.Client(), "/api/test/who")
	l.expect(http.StatusUnauthorized, res, body)
}
