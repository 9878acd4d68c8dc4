// Package consoletest runs a console for tests: with an embedded store, a folder for
// recordings, accounts and a policy.
package consoletest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/access"
	"tapedeck/console/identity"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/store/session"
)

// Password is the password of every account of a lab, and passwordHash its hash.
const (
	Password     = "correct horse battery"
	passwordHash = "$argon2id$v=19$m=19456,t=2,p=1$tYWViDuE6NxMQNyn9gPVJg$3aKRfG8ltir8YIz/alCkPpLOgK+QERd4hH3h8FN1X50"
)

// AccountsText is what the accounts file says of each account of a lab, by name.
var AccountsText = map[string]string{
	"root":  "role: operator",
	"north": "role: brand, brand: north",
	"anna":  "role: organisation, organisation: acme",
	"sue":   "role: organisation, organisation: acme, groups: [sales]",
	"lisa":  "role: organisation, organisation: acme, rights: [see, listen]",
	"alice": "role: user, organisation: acme, user: alice",
	"eve":   "role: organisation, organisation: beta",
}

// PolicyText is the policy of a lab.
const PolicyText = `
version: 1
region: GB
organisations:
  acme:
    name: Acme Ltd
    brand: north
    domains: [acme.example.net]
    on_demand: { dtmf: "*1", api: true }
    numbers:
      "+442079460001": { record: yes, route: ring_group/sales }
    ring_groups:
      sales:   { members: [alice, bob] }
      support: { members: [carol] }
    users:
      alice: { extension: "1001", record: { inbound: yes, outbound: no } }
      bob:   { extension: "1002" }
      carol: { extension: "1003", record: yes }
  beta:
    name: Beta & Sons
    brand: south
    domains: [beta.example.net]
    on_demand: { api: true }
    numbers:
      "+442079460101": { record: yes }
    users:
      dave: { extension: "1001", record: yes }
`

// Lab is a console with an embedded store, a folder for recordings, PolicyText and
// AccountsText.
type Lab struct {
	*testing.T
	Server       *console.Server
	Store        *Stores
	Dir          recording.Dir
	Policy       *flow.Policy // in force; a test may replace it
	Audit        *audit.Log
	Accounts     *access.Accounts
	AccountsFile string
	Checker      *identity.Checker // of the same sessions and accounts as the console's
	URL          string            // of the console, without a slash at its end
	Logged       *testkit.Log
}

// New starts a console that runs until the test ends. Each change may alter its
// configuration before.
func New(t *testing.T, change ...func(*console.Config)) *Lab {
	t.Helper()
	l := NewStill(t, change...)
	web := httptest.NewServer(l.Server.Handler())
	t.Cleanup(web.Close)
	l.URL = web.URL
	return l
}

// NewStill is New for a console that listens nowhere.
func NewStill(t *testing.T, change ...func(*console.Config)) *Lab {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-console-") // t.TempDir may have names that are no recordings.dir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	l := &Lab{T: t, AccountsFile: filepath.Join(root, "accounts.yaml"), Logged: new(testkit.Log)}
	if err := os.Mkdir(filepath.Join(root, "spool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if l.Dir, err = recording.NewDir(filepath.Join(root, "spool")); err != nil {
		t.Fatal(err)
	}
	l.Policy = flowtest.Policy(t, PolicyText)
	log := slog.New(slog.NewTextHandler(l.Logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l.Store = openStore(t, log)
	l.WriteAccounts(AccountsText)
	if l.Accounts, err = access.Open(l.AccountsFile, log); err != nil {
		t.Fatal(err)
	}
	Run(t, l.Accounts.Run)
	l.Audit = audit.New(l.Dir.String(), nil)
	cfg := console.Config{Index: l.Store.Index, Calls: l.Store.Calls, Sessions: l.Store.Sessions, Policy: func() *flow.Policy { return l.Policy }, Dir: l.Dir,
		Audit: l.Audit, Accounts: l.Accounts, Log: log}
	for _, c := range change {
		c(&cfg)
	}
	if l.Server, err = console.New(cfg); err != nil {
		t.Fatal(err)
	}
	l.Checker = identity.New(identity.Config{Accounts: l.Accounts, Sessions: cfg.Sessions,
		Proxies: cfg.Proxies, Log: log})
	Run(t, l.Server.Run)
	return l
}

// Stores is all that a console has in Redis.
type Stores struct {
	*store.Conn
	Index    *index.Index
	Calls    *calls.Store
	Sessions *session.Store
}

func openStore(t *testing.T, log *slog.Logger) *Stores {
	t.Helper()
	conn, err := store.Open(t.Context(), store.Config{Redis: store.Embedded, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := &Stores{Conn: conn, Calls: calls.New(conn), Index: index.New(conn), Sessions: session.New(conn)}
	Run(t, conn.Run)
	return s
}

// Run runs a function until the test ends, and waits for its end.
func Run(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// WriteAccounts replaces the accounts file. Every account has Password and a
// token that Token returns. The console notices a later change within two seconds.
func (l *Lab) WriteAccounts(accounts map[string]string) {
	l.Helper()
	var b, tokens strings.Builder
	b.WriteString("version: 1\naccounts:\n")
	for name, what := range accounts {
		fmt.Fprintf(&b, "  %s: { %s, password: %q }\n", name, what, passwordHash)
		sum := sha256.Sum256([]byte(Token(name)))
		fmt.Fprintf(&tokens, "  t-%s: { account: %s, name: test, hash: %q }\n", name, name, hex.EncodeToString(sum[:]))
	}
	fmt.Fprintf(&b, "tokens:\n%s", tokens.String())
	fresh := l.AccountsFile + ".new"
	if err := os.WriteFile(fresh, []byte(b.String()), 0o600); err != nil {
		l.Fatal(err)
	}
	if err := os.Rename(fresh, l.AccountsFile); err != nil {
		l.Fatal(err)
	}
}

// Token is the bearer token of an account.
func Token(name string) string {
	return "td_" + (name + strings.Repeat("0", 43))[:43]
}

// Client is a browser with cookies of its own, which follows no redirects.
func (l *Lab) Client() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// As is a browser in which an account has signed in, without the page for it.
func (l *Lab) As(name string) *http.Client {
	l.Helper()
	account, stamp, ok := l.Accounts.Account(name)
	if !ok {
		l.Fatalf("there is no account %s", name)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/sign-in", nil)
	r.RemoteAddr = "127.0.0.1:1"
	if err := l.Checker.Begin(w, r, account, stamp); err != nil {
		l.Fatal(err)
	}
	c := l.Client()
	c.Jar.SetCookies(l.At("/"), w.Result().Cookies())
	return c
}

// Bearer is a program that sends an account's token.
func (l *Lab) Bearer(name string) *http.Client {
	c := l.Client()
	c.Jar, c.Transport = nil, bearerTransport(Token(name))
	return c
}

type bearerTransport string

func (t bearerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

// CSRF returns what the forms and scripts of a client's session have to send; empty if
// it has no session.
func (l *Lab) CSRF(c *http.Client) string {
	l.Helper()
	if c.Jar == nil {
		return ""
	}
	v, err := l.Visit(c)
	if err != nil {
		return ""
	}
	return v.CSRF()
}

// Visit returns who the console thinks a browser is.
func (l *Lab) Visit(c *http.Client) (*identity.Visit, error) {
	l.Helper()
	at := l.At("/")
	r := httptest.NewRequest(http.MethodGet, at.String(), nil) // with TLS, if the address has https
	for _, cookie := range c.Jar.Cookies(at) {
		r.AddCookie(cookie)
	}
	return l.Checker.Visit(r)
}

// At is an address of the console.
func (l *Lab) At(path string) *url.URL {
	l.Helper()
	u, err := url.Parse(l.URL + path)
	if err != nil {
		l.Fatal(err)
	}
	return u
}

// Do sends a request, with the session's CSRF token in the header if it changes
// something, and returns the answer and its body. Headers are "Name: value"; one
// that is given twice has both values.
func (l *Lab) Do(c *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	l.Helper()
	if token := l.CSRF(c); token != "" && method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions {
		headers = append(slices.Clip(headers), "X-CSRF-Token: "+token)
	}
	return l.Send(c, method, path, body, headers...)
}

// Send is Do without the token.
func (l *Lab) Send(c *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, l.URL+path, strings.NewReader(body))
	if err != nil {
		l.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	res, err := c.Do(r)
	if err != nil {
		l.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		l.Fatal(err)
	}
	return res, string(text)
}

// Get asks for a page.
func (l *Lab) Get(c *http.Client, path string) (*http.Response, string) {
	l.Helper()
	return l.Do(c, http.MethodGet, path, "")
}

// Post sends a form with its CSRF token in it.
func (l *Lab) Post(c *http.Client, path string, form url.Values) (*http.Response, string) {
	l.Helper()
	filled := url.Values{"csrf": {l.CSRF(c)}}
	for name, values := range form {
		filled[name] = values
	}
	return l.Send(c, http.MethodPost, path, filled.Encode(), "Content-Type: application/x-www-form-urlencoded")
}

// Page asks for a page, and fails the test unless it has this status.
func (l *Lab) Page(c *http.Client, path string, status int) string {
	l.Helper()
	res, page := l.Get(c, path)
	if res.StatusCode != status {
		l.Fatalf("%s: %d\n%.2000s", path, res.StatusCode, page)
	}
	return page
}

// SignIn signs in on the page for it. next is the address to go to then.
func (l *Lab) SignIn(c *http.Client, name, password, next string) (*http.Response, string) {
	l.Helper()
	return l.Post(c, "/sign-in", url.Values{"name": {name}, "password": {password}, "next": {next}})
}

// Audited returns the text of the audit file.
func (l *Lab) Audited() string {
	l.Helper()
	text, err := os.ReadFile(l.Audit.Path())
	if err != nil && !os.IsNotExist(err) {
		l.Fatal(err)
	}
	return string(text)
}
