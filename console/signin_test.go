package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

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
