package console

import (
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// whoami makes an operation that says who asks.
func (l *lab) whoami() {
	say := func(w http.ResponseWriter, r *http.Request, v *visit) error {
		_, err := w.Write([]byte(v.account.Name))
		return err
	}
	l.server.api("GET /api/test/who", "see", say)
	l.server.api("POST /api/test/who", "see", say)
	l.server.page("GET /test/who", "see", say)
	l.server.page("POST /test/who", "see", say)
}

func (l *lab) expect(want int, res *http.Response, body string) {
	l.Helper()
	if res.StatusCode != want {
		l.Errorf("%s %s: %d %.200q, want %d", res.Request.Method, res.Request.URL, res.StatusCode, body, want)
	}
}

func (l *lab) signIn(c *http.Client, name, password, next string) (*http.Response, string) {
	l.Helper()
	return l.post(c, "/sign-in", url.Values{"name": {name}, "password": {password}, "next": {next}})
}

func TestSignInAndOut(t *testing.T) {
	l := newLab(t)
	l.whoami()
	c := l.client()
	res, body := l.get(c, "/test/who?a=b")
	l.expect(http.StatusSeeOther, res, body)
	if at := res.Header.Get("Location"); at != "/sign-in?next=%2Ftest%2Fwho%3Fa%3Db" {
		t.Errorf("sent to %s", at)
	}
	res, body = l.get(c, res.Header.Get("Location"))
	l.expect(http.StatusOK, res, body)
	if !strings.Contains(body, `value="/test/who?a=b"`) {
		t.Errorf("the form has forgotten where to go:\n%s", body)
	}
	res, body = l.signIn(c, " Anna ", labPassword, "/test/who?a=b")
	l.expect(http.StatusSeeOther, res, body)
	if at := res.Header.Get("Location"); at != "/test/who?a=b" {
		t.Errorf("sent to %s", at)
	}
	if res, body = l.get(c, "/test/who"); body != "anna" {
		t.Errorf("%d %q, want anna", res.StatusCode, body)
	}
	res, body = l.get(c, "/sign-in?next=/test/who")
	l.expect(http.StatusSeeOther, res, body)
	res, body = l.post(c, "/sign-out", nil)
	l.expect(http.StatusSeeOther, res, body)
	res, body = l.get(c, "/api/test/who")
	l.expect(http.StatusUnauthorized, res, body)
	for _, want := range []string{`"who":"anna","what":"sign-in","organisation":"acme","from":"127.0.0.1"`,
		`"who":"anna","what":"sign-out","organisation":"acme","from":"127.0.0.1"`} {
		if !strings.Contains(l.audited(), want) {
			t.Errorf("no %s in\n%s", want, l.audited())
		}
	}
}

func TestLabClients(t *testing.T) {
	l := newLab(t)
	l.whoami()
	for name := range labAccounts {
		if res, body := l.get(l.as(name), "/test/who"); body != name {
			t.Errorf("as %s: %d %q", name, res.StatusCode, body)
		}
		if res, body := l.post(l.as(name), "/test/who", nil); body != name {
			t.Errorf("as %s: %d %q", name, res.StatusCode, body)
		}
		if res, body := l.do(l.bearer(name), "POST", "/api/test/who", ""); body != name {
			t.Errorf("bearer of %s: %d %q", name, res.StatusCode, body)
		}
	}
	if res, body := l.get(l.bearer("nobody"), "/api/test/who"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("bearer of nobody: %d %q", res.StatusCode, body)
	}
}

func TestNext(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/": "/", "/recordings/x?a=b&c=/d#e": "/recordings/x?a=b&c=/d#e", "/?from=2026-01-01": "/?from=2026-01-01",
		"recordings": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "https://evil.example/": "/",
		"https:evil": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "\t//evil.example": "/", " //evil.example": "/", "/\n/evil.example": "/",
		"/%2fevil.example": "/", "/%2F%2Fevil.example": "/", "//user@evil.example/": "/", "/a\r\nSet-Cookie: x=y": "/", "/sign-out": "/", "/sign-in?next=/sign-in": "/",
		"?x=//evil": "/", "/%zz": "/", "mailto:x@y": "/", "/x\x00": "/", "/.//evil.example": "/.//evil.example", // a path of ours: http.Redirect cleans it
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q: %q, want %q", next, got, want)
		}
	}
	l := newLab(t)
	for _, next := range []string{"//evil.example", "/.//evil.example", `/\evil.example`, "https://evil.example"} {
		res, body := l.signIn(l.client(), "anna", labPassword, next)
		l.expect(http.StatusSeeOther, res, body)
		at, err := l.at("/sign-in").Parse(res.Header.Get("Location"))
		if err != nil || at.Host != l.at("/").Host {
			t.Errorf("next %q leads to %v, %v", next, at, err)
		}
	}
}

// TestGuessing: after some wrong passwords the right one has to wait too, and the
// answer says how long; elsewhere it does not.
func TestGuessing(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.Proxies = loopback })
	from := func(addr, password string) (*http.Response, string) {
		return l.do(l.client(), http.MethodPost, "/sign-in", url.Values{"name": {"anna"}, "password": {password}}.Encode(),
			"Content-Type: application/x-www-form-urlencoded", "X-Forwarded-For: 203.0.113.7, "+addr) // the left is the guesser's own word
	}
	for range pairPace.free {
		res, body := from("198.51.100.1", "wrong password")
		l.expect(http.StatusUnauthorized, res, body)
		if !strings.Contains(body, "wrong") || strings.Contains(body, "wrong password") {
			t.Errorf("the page says\n%s", body)
		}
	}
	before := strings.Count(l.audited(), `"what":"sign-in failed"`)
	for range 3 {
		res, body := from("198.51.100.1", labPassword)
		l.expect(http.StatusTooManyRequests, res, body)
		if s := res.Header.Get("Retry-After"); s != "2" && s != "1" {
			t.Errorf("Retry-After: %q", s)
		}
		if len(res.Cookies()) > 0 {
			t.Error("signed in")
		}
	}
	if got := strings.Count(l.audited(), `"what":"sign-in failed"`); got != before || before != pairPace.free {
		t.Errorf("%d failures in the audit log, then %d; want %d", before, got, pairPace.free)
	}
	if !strings.Contains(l.audited(), `"who":"anna","what":"sign-in failed","organisation":"acme","from":"198.51.100.1"`) {
		t.Errorf("audit:\n%s", l.audited())
	}
	for range 2 * pairPace.free { // who knows the password may come as often as he likes
		res, body := from("198.51.100.2", labPassword)
		l.expect(http.StatusSeeOther, res, body)
	}
}

// TestFailureIsDiscreet: a password in the wrong field is not written down.
func TestFailureIsDiscreet(t *testing.T) {
	l := newLab(t)
	_, known := l.signIn(l.client(), "anna", "wrong", "")
	for _, name := range []string{"secret-of-anna", "My Secret!", strings.Repeat("x", 5000), "anna\x00", ""} {
		res, body := l.signIn(l.client(), name, labPassword, "")
		l.expect(http.StatusUnauthorized, res, body)
		if name == "secret-of-anna" && strings.Replace(body, name, "anna", 1) != known {
			t.Errorf("the pages for a name that there is and one that there is not differ:\n%s\n%s", known, body)
		}
	}
	for where, text := range map[string]string{"audit": l.audited(), "log": l.log.String()} {
		if strings.Contains(text, "ecret") || strings.Contains(text, labPassword) {
			t.Errorf("%s:\n%s", where, text)
		}
	}
	if got := strings.Count(l.audited(), "no such account"); got != 5 {
		t.Errorf("%d failures of nobody:\n%s", got, l.audited())
	}
}

func TestSignInEscapes(t *testing.T) {
	l := newLab(t)
	_, body := l.signIn(l.client(), `"><script>alert(1)</script>`, "x", `/"><img src=x>`)
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
		t.Errorf("%s", body)
	}
}

// TestNoAudit: without the audit log somebody can sign in, to mend it, and the log
// says what is missing.
func TestNoAudit(t *testing.T) {
	l := newLab(t)
	if err := os.Mkdir(l.server.cfg.Audit.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	res, body := l.signIn(l.client(), "anna", labPassword, "")
	l.expect(http.StatusSeeOther, res, body)
	if !strings.Contains(l.log.String(), "not in the audit log") {
		t.Errorf("log:\n%s", l.log)
	}
}
