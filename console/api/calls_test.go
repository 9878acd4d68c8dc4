package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tapedeck/console/ops"
	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/toggle"
)

const pressOnAlice = "/api/v1/calls/" + callAlice + "/recording"

// TestPress: an account that may do so presses in the name of a user, and the answer is
// the call as it stands then.
func TestPress(t *testing.T) {
	l := newAPILab(t)
	for _, tc := range []struct {
		account, body string
		status        int
		asked, state  string
	}{
		{"anna", `{"action":"pause"}`, 200, callAlice + " - anna pause", "paused"},
		{"anna", `{"action":"resume","user":"bob"}`, 200, callAlice + " bob anna resume", "on"},
		{"anna", `{"action":"toggle","user":"1002"}`, 200, callAlice + " 1002 anna toggle", "paused"},
		{"alice", `{"action":"start"}`, 200, callAlice + " alice alice start", "on"},
		{"alice", `{"action":"pause","user":"alice"}`, 200, callAlice + " alice alice pause", "paused"},
		{"alice", `{"action":"resume","user":"bob"}`, 403, "", ""},
		{"lisa", `{"action":"resume"}`, 403, "", ""},
		{"eve", `{"action":"resume"}`, 404, "", ""},
		{"eve", `{"action":"nonsense"}`, 404, "", ""},
		{"sue", `{"action":"resume"}`, 200, callAlice + " - sue resume", "on"},
		{"north", `{"action":"pause"}`, 200, callAlice + " - north pause", "paused"},
		{"root", `{"action":"start"}`, 200, callAlice + " - root start", "on"},
	} {
		l.calls.answer(nil)
		_, text := l.wants(tc.status, tc.account, "POST", pressOnAlice, tc.body)
		if got := l.calls.was(); got != tc.asked {
			t.Errorf("%s %s: asked %q, want %q", tc.account, tc.body, got, tc.asked)
		}
		testkit.Until(l, "the call is written", func() bool { return l.Store.Calls.Queued() == 0 })
		if tc.status != 200 {
			continue
		}
		var call ops.CallView
		if err := json.Unmarshal([]byte(text), &call); err != nil {
			t.Fatal(err)
		}
		if string(call.State) != tc.state || call.Why.Toggle != "api" || call.Why.By != tc.account || len(call.May) != 1 {
			t.Errorf("%s %s: %s", tc.account, tc.body, text)
		}
	}
	for _, want := range []string{`"what":"toggle","organisation":"acme","recording":"` + callAlice + `","from":"127.0.0.1","detail":"resume for bob"`,
		`"who":"lisa","what":"refused"`} {
		if !strings.Contains(l.Audited(), want) {
			t.Errorf("no %s in %s", want, l.Audited())
		}
	}
}

// TestPressErrors: the answers to presses that were not obeyed.
func TestPressErrors(t *testing.T) {
	l := newAPILab(t)
	for _, tc := range []struct {
		err    error
		status int
		code   string
	}{
		{toggle.Refusal("no_recording"), 409, "no_recording"},
		{toggle.Refusal("locked"), 409, "locked"},
		{toggle.Refusal("not_its_user"), 403, "not_its_user"},
		{toggle.Refusal("not_granted"), 403, "not_granted"},
		{toggle.Refusal("user_disabled"), 403, "user_disabled"},
		{toggle.Refusal("something_new"), 409, "something_new"},
		{fmt.Errorf("call: %w", toggle.ErrNoCall), 404, "not_found"},
		{fmt.Errorf("call: %w", toggle.ErrBusy), 503, "busy"},
		{fmt.Errorf("call: %w", store.ErrAway), 503, "away"},
		{errors.New("secret"), 500, "internal"},
	} {
		l.calls.answer(tc.err)
		res, text := l.wants(tc.status, "anna", "POST", pressOnAlice, `{"action":"pause"}`)
		if code(t, text) != tc.code || strings.Contains(text, "secret") || (tc.status == 503) != (res.Header.Get("Retry-After") != "") {
			t.Errorf("%v: %s", tc.err, text)
		}
		if got := l.Audited(); !strings.HasSuffix(strings.TrimSpace(got), "}") || !strings.Contains(got[strings.LastIndex(strings.TrimSpace(got), "\n"):], `"what":"failed"`) {
			t.Errorf("%v: the last line is not of a failure: %s", tc.err, got)
		}
	}
	l.calls.answer(toggle.ErrNoCall)
	_, over := l.wants(404, "anna", "POST", pressOnAlice, `{"action":"pause"}`)
	_, none := l.wants(404, "anna", "POST", "/api/v1/calls/"+nowhere+"/recording", `{"action":"pause"}`)
	if over != none {
		t.Errorf("%s\n%s", over, none)
	}
}

// TestPauseBeforeAudit: a pause does not wait for the audit file, which another process
// may have locked. Its lines are written as soon as that is possible.
func TestPauseBeforeAudit(t *testing.T) {
	l := newAPILab(t)
	for _, tc := range []struct {
		err    error
		status int
		lines  []string
	}{
		{nil, 200, []string{`"what":"toggle"`}},
		{toggle.Refusal("locked"), 409, []string{`"what":"toggle"`, `"what":"failed"`}},
	} {
		l.calls.answer(tc.err)
		written := len(l.Audited())
		f, err := os.OpenFile(l.Audit.Path(), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		answered := make(chan int, 1)
		go func() {
			res, _ := l.Do(l.who("anna"), "POST", pressOnAlice, `{"action":"pause"}`, "Content-Type: application/json")
			answered <- res.StatusCode
		}()
		testkit.Until(l, "the call is paused", func() bool { return l.calls.was() != "" })
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		if got := <-answered; got != tc.status {
			t.Errorf("%v: %d, want %d", tc.err, got, tc.status)
		}
		lines := slices.Collect(strings.Lines(l.Audited()[written:]))
		if !slices.EqualFunc(lines, tc.lines, strings.Contains) {
			t.Errorf("%v: %q, want %q", tc.err, lines, tc.lines)
		}
	}
}

// TestPressForged: a press with a session needs its CSRF token and must not come from
// another site; a press with a bearer token may.
func TestPressForged(t *testing.T) {
	l := newAPILab(t)
	browser := l.As("anna")
	post := func(c *http.Client, headers ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", l.URL+pressOnAlice, strings.NewReader(`{"action":"pause"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	token := "X-CSRF-Token: " + l.CSRF(browser)
	for i, tc := range []struct {
		c       *http.Client
		headers []string
		status  int
	}{
		{browser, nil, 403}, {browser, []string{"X-CSRF-Token: x"}, 403}, {browser, []string{token, "Origin: https://evil.example"}, 403},
		{browser, []string{token, "Sec-Fetch-Site: cross-site"}, 403}, {l.Client(), []string{token}, 401}, {browser, []string{token}, 200}, {l.Bearer("anna"), nil, 200},
	} {
		if got := post(tc.c, tc.headers...); got != tc.status {
			t.Errorf("%d: %d, want %d", i, got, tc.status)
		}
	}
}
