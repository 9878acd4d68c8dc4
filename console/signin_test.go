package console_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/console/identity"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// lab is a console.
type lab struct{ *consoletest.Lab }

func newLab(t *testing.T, change ...func(*console.Config)) *lab {
	t.Helper()
	return &lab{consoletest.New(t, change...)}
}

// whoami adds operations and pages that answer with the name of the visitor's account.
func (l *lab) whoami() {
	say := func(w http.ResponseWriter, r *http.Request, v *identity.Visit) error {
		_, err := w.Write([]byte(v.Account.Name))
		return err
	}
	l.Server.API().Handle("GET /api/test/who", "see", say)
	l.Server.API().Handle("POST /api/test/who", "see", say)
	l.Server.Pages().Handle("GET /test/who", "see", say)
	l.Server.Pages().Handle("POST /test/who", "see", say)
}

func (l *lab) expect(want int, res *http.Response, body string) {
	l.Helper()
	if res.StatusCode != want {
		l.Errorf("%s %s: %d %.200q, want %d", res.Request.Method, res.Request.URL, res.StatusCode, body, want)
	}
}

func TestSignInAndOut(t *testing.T) {
	l := newLab(t)
	l.whoami()
	c := l.Client()
	res, body := l.Get(c, "/test/who?a=b")
	l.expect(http.StatusSeeOther, res, body)
	if at := res.Header.Get("Location"); at != "/sign-in?next=%2Ftest%2Fwho%3Fa%3Db" {
		t.Errorf("sent to %s", at)
	}
	res, body = l.Get(c, res.Header.Get("Location"))
	l.expect(http.StatusOK, res, body)
	if !strings.Contains(body, `value="/test/who?a=b"`) {
		t.Errorf("the form has forgotten where to go:\n%s", body)
	}
	res, body = l.SignIn(c, " Anna ", consoletest.Password, "/test/who?a=b")
	l.expect(http.StatusSeeOther, res, body)
	if at := res.Header.Get("Location"); at != "/test/who?a=b" {
		t.Errorf("sent to %s", at)
	}
	if res, body = l.Get(c, "/test/who"); body != "anna" {
		t.Errorf("%d %q, want anna", res.StatusCode, body)
	}
	res, body = l.Get(c, "/sign-in?next=/test/who")
	l.expect(http.StatusSeeOther, res, body)
	res, body = l.Post(c, "/sign-out", nil)
	l.expect(http.StatusSeeOther, res, body)
	res, body = l.Get(c, "/api/test/who")
	l.expect(http.StatusUnauthorized, res, body)
	for _, want := range []string{`"who":"anna","what":"sign-in","organisation":"acme","from":"127.0.0.1"`,
		`"who":"anna","what":"sign-out","organisation":"acme","from":"127.0.0.1"`} {
		if !strings.Contains(l.Audited(), want) {
			t.Errorf("no %s in\n%s", want, l.Audited())
		}
	}
}

func TestLabClients(t *testing.T) {
	l := newLab(t)
	l.whoami()
	for name := range consoletest.AccountsText {
		if res, body := l.Get(l.As(name), "/test/who"); body != name {
			t.Errorf("as %s: %d %q", name, res.StatusCode, body)
		}
		if res, body := l.Post(l.As(name), "/test/who", nil); body != name {
			t.Errorf("as %s: %d %q", name, res.StatusCode, body)
		}
		if res, body := l.Do(l.Bearer(name), "POST", "/api/test/who", ""); body != name {
			t.Errorf("bearer of %s: %d %q", name, res.StatusCode, body)
		}
	}
	if res, body := l.Get(l.Bearer("nobody"), "/api/test/who"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("bearer of nobody: %d %q", res.StatusCode, body)
	}
}

func TestNext(t *testing.T) {
	l := newLab(t)
	for _, next := range []string{"//evil.example", "/.//evil.example", `/\evil.example`, "https://evil.example"} {
		res, body := l.SignIn(l.Client(), "anna", consoletest.Password, next)
		l.expect(http.StatusSeeOther, res, body)
		at, err := l.At("/sign-in").Parse(res.Header.Get("Location"))
		if err != nil || at.Host != l.At("/").Host {
			t.Errorf("next %q leads to %v, %v", next, at, err)
		}
	}
}

// freeGuesses is how many wrong passwords there may be before the first delay
// (web/attempts.go).
const freeGuesses = 5

// TestGuessing: after some wrong passwords even the right one has to wait, and the answer
// says how long. From another address it does not.
func TestGuessing(t *testing.T) {
	l := newLab(t, func(cfg *console.Config) { cfg.Proxies.Trusted = loopback })
	from := func(addr, password string) (*http.Response, string) {
		return l.Do(l.Client(), http.MethodPost, "/sign-in", url.Values{"name": {"anna"}, "password": {password}}.Encode(),
			"Content-Type: application/x-www-form-urlencoded", "X-Forwarded-For: 203.0.113.7, "+addr) // the client itself has written the left one
	}
	for range freeGuesses {
		res, body := from("198.51.100.1", "wrong password")
		l.expect(http.StatusUnauthorized, res, body)
		if !strings.Contains(body, "wrong") || strings.Contains(body, "wrong password") {
			t.Errorf("the page says\n%s", body)
		}
	}
	before := strings.Count(l.Audited(), `"what":"sign-in failed"`)
	for range 3 {
		res, body := from("198.51.100.1", consoletest.Password)
		l.expect(http.StatusTooManyRequests, res, body)
		if s := res.Header.Get("Retry-After"); s != "2" && s != "1" {
			t.Errorf("Retry-After: %q", s)
		}
		if len(res.Cookies()) > 0 {
			t.Error("signed in")
		}
	}
	if got := strings.Count(l.Audited(), `"what":"sign-in failed"`); got != before || before != freeGuesses {
		t.Errorf("%d failures in the audit log, then %d; want %d", before, got, freeGuesses)
	}
	if !strings.Contains(l.Audited(), `"who":"anna","what":"sign-in failed","organisation":"acme","from":"198.51.100.1"`) {
		t.Errorf("audit:\n%s", l.Audited())
	}
	for range 2 * freeGuesses { // the right password may come any number of times
		res, body := from("198.51.100.2", consoletest.Password)
		l.expect(http.StatusSeeOther, res, body)
	}
}

// TestFailureIsDiscreet: a password in the field of the name is written nowhere.
func TestFailureIsDiscreet(t *testing.T) {
	l := newLab(t)
	_, known := l.SignIn(l.Client(), "anna", "wrong", "")
	for _, name := range []string{"secret-of-anna", "My Secret!", strings.Repeat("x", 5000), "anna\x00", ""} {
		res, body := l.SignIn(l.Client(), name, consoletest.Password, "")
		l.expect(http.StatusUnauthorized, res, body)
		if name == "secret-of-anna" && strings.Replace(body, name, "anna", 1) != known {
			t.Errorf("the pages for a name that there is and one that there is not differ:\n%s\n%s", known, body)
		}
	}
	for where, text := range map[string]string{"audit": l.Audited(), "log": l.Logged.String()} {
		if strings.Contains(text, "ecret") || strings.Contains(text, consoletest.Password) {
			t.Errorf("%s:\n%s", where, text)
		}
	}
	if got := strings.Count(l.Audited(), "no such account"); got != 5 {
		t.Errorf("%d failures of nobody:\n%s", got, l.Audited())
	}
}

func TestSignInEscapes(t *testing.T) {
	l := newLab(t)
	_, body := l.SignIn(l.Client(), `"><script>alert(1)</script>`, "x", `/"><img src=x>`)
	if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
		t.Errorf("%s", body)
	}
}

// TestNoAudit: without the audit log one can still sign in, to mend it, and the log has
// the line that is missing.
func TestNoAudit(t *testing.T) {
	l := newLab(t)
	if err := os.Mkdir(l.Audit.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	res, body := l.SignIn(l.Client(), "anna", consoletest.Password, "")
	l.expect(http.StatusSeeOther, res, body)
	if !strings.Contains(l.Logged.String(), "not in the audit log") {
		t.Errorf("log:\n%s", l.Logged)
	}
}
