package console

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
	"sync"
	"testing"
	"time"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store"
)

// labPassword is every account's of a lab, and labHash what it is hashed to.
const (
	labPassword = "correct horse battery"
	labHash     = "$argon2id$v=19$m=19456,t=2,p=1$tYWViDuE6NxMQNyn9gPVJg$3aKRfG8ltir8YIz/alCkPpLOgK+QERd4hH3h8FN1X50"
)

// labAccounts are the accounts of a lab, by name.
var labAccounts = map[string]string{
	"root":  "role: operator",
	"north": "role: brand, brand: north",
	"anna":  "role: organisation, organisation: acme",
	"sue":   "role: organisation, organisation: acme, groups: [sales]",
	"lisa":  "role: organisation, organisation: acme, rights: [see, listen]",
	"alice": "role: user, organisation: acme, user: alice",
	"eve":   "role: organisation, organisation: beta",
}

const labPolicy = `
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

// lab is a console with an embedded store, a folder for recordings, a policy
// with the organisations acme and beta, and labAccounts.
type lab struct {
	*testing.T
	server   *Server
	store    *store.Store
	dir      recording.Dir
	policy   *flow.Policy
	accounts string // file
	url      string // of the console, without a slash at its end
	log      *labLog
}

// newLab starts a console that lives as long as the test. Each change may alter
// its Config before.
func newLab(t *testing.T, change ...func(*Config)) *lab {
	t.Helper()
	l := newStillLab(t, change...)
	web := httptest.NewServer(l.server.Handler())
	t.Cleanup(web.Close)
	l.url = web.URL
	return l
}

// newStillLab is a lab that listens nowhere.
func newStillLab(t *testing.T, change ...func(*Config)) *lab {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-console-") // t.TempDir may have names that are no recordings.dir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	l := &lab{T: t, accounts: filepath.Join(root, "accounts.yaml"), log: new(labLog)}
	if err := os.Mkdir(filepath.Join(root, "spool"), 0o755); err != nil {
		t.Fatal(err)
	}
	if l.dir, err = recording.NewDir(filepath.Join(root, "spool")); err != nil {
		t.Fatal(err)
	}
	l.policy = flowtest.Policy(t, labPolicy)
	log := slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l.store = labStore(t, log)
	l.writeAccounts(labAccounts)
	accounts, err := access.Open(l.accounts, log)
	if err != nil {
		t.Fatal(err)
	}
	labRun(t, accounts.Run)
	cfg := Config{Store: l.store, Policy: func() *flow.Policy { return l.policy }, Dir: l.dir, Audit: audit.New(l.dir.String()),
		Accounts: accounts, Log: log}
	for _, c := range change {
		c(&cfg)
	}
	if l.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	labRun(t, l.server.Run)
	return l
}

func labStore(t *testing.T, log *slog.Logger) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Redis: store.Embedded, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	labRun(t, s.Run)
	return s
}

// labRun runs something until the test ends.
func labRun(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// writeAccounts replaces the accounts file. Every account has labPassword and a
// token that labToken gives. Whoever changes it later has to wait until it is
// noticed, a second perhaps.
func (l *lab) writeAccounts(accounts map[string]string) {
	l.Helper()
	var b, tokens strings.Builder
	b.WriteString("version: 1\naccounts:\n")
	for name, what := range accounts {
		fmt.Fprintf(&b, "  %s: { %s, password: %q }\n", name, what, labHash)
		sum := sha256.Sum256([]byte(labToken(name)))
		fmt.Fprintf(&tokens, "  t-%s: { account: %s, name: test, hash: %q }\n", name, name, hex.EncodeToString(sum[:]))
	}
	fmt.Fprintf(&b, "tokens:\n%s", tokens.String())
	fresh := l.accounts + ".new"
	if err := os.WriteFile(fresh, []byte(b.String()), 0o600); err != nil {
		l.Fatal(err)
	}
	if err := os.Rename(fresh, l.accounts); err != nil {
		l.Fatal(err)
	}
}

// labToken is the bearer token of an account.
func labToken(name string) string {
	return "td_" + (name + strings.Repeat("0", 43))[:43]
}

// client is a browser with cookies of its own, which follows no redirects.
func (l *lab) client() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// as is a browser in which an account has signed in, without the page for it.
func (l *lab) as(name string) *http.Client {
	l.Helper()
	account, stamp, ok := l.server.cfg.Accounts.Account(name)
	if !ok {
		l.Fatalf("there is no account %s", name)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/sign-in", nil)
	r.RemoteAddr = "127.0.0.1:1"
	if err := l.server.begin(w, r, account, stamp); err != nil {
		l.Fatal(err)
	}
	c := l.client()
	c.Jar.SetCookies(l.at("/"), w.Result().Cookies())
	return c
}

// bearer is a program that sends an account's token.
func (l *lab) bearer(name string) *http.Client {
	c := l.client()
	c.Jar, c.Transport = nil, bearerTransport(labToken(name))
	return c
}

type bearerTransport string

func (t bearerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(t))
	return http.DefaultTransport.RoundTrip(r)
}

// csrf is what the forms and scripts of a client's session have to send; empty
// if it has none.
func (l *lab) csrf(c *http.Client) string {
	l.Helper()
	if c.Jar == nil {
		return ""
	}
	for _, cookie := range c.Jar.Cookies(l.at("/")) {
		stay, err := l.store.Session(l.Context(), sessionID(cookie.Value))
		if err == nil {
			return stay.CSRF
		}
	}
	return ""
}

func (l *lab) at(path string) *url.URL {
	l.Helper()
	u, err := url.Parse(l.url + path)
	if err != nil {
		l.Fatal(err)
	}
	return u
}

// do sends a request, with the session's CSRF token in the header if it changes
// something, and returns the answer and its body. Headers are "Name: value"; one
// that is given twice has both values.
func (l *lab) do(c *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	l.Helper()
	if token := l.csrf(c); token != "" && !safe(method) {
		headers = append(slices.Clip(headers), "X-CSRF-Token: "+token)
	}
	return l.send(c, method, path, body, headers...)
}

// send is do without the token.
func (l *lab) send(c *http.Client, method, path, body string, headers ...string) (*http.Response, string) {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), method, l.url+path, strings.NewReader(body))
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

// get and post are do for what is asked for most: a page, and a form with its
// CSRF token in it.
func (l *lab) get(c *http.Client, path string) (*http.Response, string) {
	l.Helper()
	return l.do(c, http.MethodGet, path, "")
}

func (l *lab) post(c *http.Client, path string, form url.Values) (*http.Response, string) {
	l.Helper()
	filled := url.Values{"csrf": {l.csrf(c)}}
	for name, values := range form {
		filled[name] = values
	}
	return l.send(c, http.MethodPost, path, filled.Encode(), "Content-Type: application/x-www-form-urlencoded")
}

// audited are the lines of the audit file.
func (l *lab) audited() string {
	l.Helper()
	text, err := os.ReadFile(l.server.cfg.Audit.Path())
	if err != nil && !os.IsNotExist(err) {
		l.Fatal(err)
	}
	return string(text)
}

// labLog is a log that can be read while it is written.
type labLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *labLog) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *labLog) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
