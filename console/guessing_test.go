package console_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/internal/testkit"
)

// guessingLab is a console behind a proxy of ours, which tells it whatever addresses a
// test wants.
func guessingLab(t *testing.T) *lab {
	return newLab(t, func(cfg *console.Config) { cfg.Proxies.Trusted = loopback })
}

// signInFrom signs in on the page for it, from an address.
func (l *lab) signInFrom(c *http.Client, addr, name, password string) *http.Response {
	l.Helper()
	res, _ := l.Send(c, http.MethodPost, "/sign-in", url.Values{"name": {name}, "password": {password}}.Encode(),
		"Content-Type: application/x-www-form-urlencoded", "X-Forwarded-For: "+addr)
	return res
}

// TestGuessesFromNewAddresses: whoever guesses the password of one account from ever new
// addresses is slowed down all the same.
func TestGuessesFromNewAddresses(t *testing.T) {
	l := guessingLab(t)
	const clients, guesses = 8, 12
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := map[int]int{}
	for c := range clients {
		all.Go(func() {
			for g := range guesses {
				res := l.signInFrom(l.Client(), fmt.Sprintf("198.51.%d.%d", c, g), "anna", "a wrong password")
				mu.Lock()
				answers[res.StatusCode]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if hashed := answers[http.StatusUnauthorized]; hashed == 0 || hashed > clients*guesses/2 || answers[http.StatusTooManyRequests] == 0 {
		t.Errorf("of %d guesses from as many addresses %d were compared; answers %v", clients*guesses, hashed, answers)
	}
	if res := l.signInFrom(l.Client(), "198.51.100.77", "sue", consoletest.Password); res.StatusCode != http.StatusSeeOther {
		t.Errorf("another account from elsewhere: %d", res.StatusCode)
	}
}

// TestKnownBrowser: a browser in which an account has signed in before is not slowed down
// by what others try, neither at the same address nor on the same account. Others are.
func TestKnownBrowser(t *testing.T) {
	l := guessingLab(t)
	const office = "203.0.113.5"
	annas := l.Client()
	if res := l.signInFrom(annas, "198.51.100.1", "anna", consoletest.Password); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("at first: %d", res.StatusCode)
	}
	slowed := func(what string, guess func(i int) *http.Response) {
		t.Helper()
		for i := range 200 {
			if guess(i).StatusCode == http.StatusTooManyRequests {
				return
			}
		}
		t.Errorf("%s: nobody is slowed down", what)
	}
	slowed("on anna's account, from ever new addresses", func(i int) *http.Response {
		return l.signInFrom(l.Client(), fmt.Sprintf("192.0.2.%d", i), "anna", "a wrong password")
	})
	slowed("at the office", func(i int) *http.Response {
		return l.signInFrom(l.Client(), office, fmt.Sprint("account", i), strings.Repeat("x", 2000)) // too long to be compared
	})
	if res := l.signInFrom(annas, office, "anna", consoletest.Password); res.StatusCode != http.StatusSeeOther {
		t.Errorf("anna's own browser, from the attacker's address: %d", res.StatusCode)
	}
}

// TestFloodIsOneLine: a flood of guesses is two lines of the audit log besides those of
// its first minute. While it lasts, who has failed waits a second for the answer.
func TestFloodIsOneLine(t *testing.T) {
	l := guessingLab(t)
	const guesses = 130
	guess := func(i int) {
		l.signInFrom(l.Client(), fmt.Sprintf("198.51.100.%d", i), fmt.Sprint("nobody", i), strings.Repeat("x", 2000)) // too long to be compared
	}
	var all sync.WaitGroup
	for i := range guesses {
		all.Go(func() { guess(i) })
	}
	all.Wait()
	began := time.Now()
	if guess(guesses); time.Since(began) < time.Second {
		t.Errorf("in a flood, an answer comes after %v", time.Since(began))
	}
	if n := strings.Count(l.Audited(), `"what":"sign-in failed"`); n > guesses/2 {
		t.Errorf("%d guesses are %d lines", guesses, n)
	}
	if n := strings.Count(l.Audited(), `"what":"sign-in flood"`); n != 1 {
		t.Errorf("%d lines say that there is a flood", n)
	}
}

// TestForgedBrowser: a cookie that was altered, is another account's, is too old, or is from before
// the account changed, counts as none.
func TestForgedBrowser(t *testing.T) {
	l := guessingLab(t)
	const at = "tapedeck_browser"
	annas, sues := l.Client(), l.Client()
	l.signInFrom(annas, "198.51.100.1", "anna", consoletest.Password)
	l.signInFrom(sues, "198.51.100.2", "sue", consoletest.Password)
	good, other := l.cookies(annas)[at], l.cookies(sues)[at]
	known := func(cookie, name string) bool {
		r := httptest.NewRequest(http.MethodPost, "/sign-in", nil)
		r.AddCookie(&http.Cookie{Name: at, Value: cookie})
		return l.Checker.KnownBrowser(r, name) != ""
	}
	if !known(good, "anna") || !known(other, "sue") {
		t.Fatal("the right cookies do not count")
	}
	until, rest, _ := strings.Cut(good, ".")
	id, seal, _ := strings.Cut(rest, ".")
	past := fmt.Sprint(time.Now().Unix()) + "." + id
	for what, cookie := range map[string]string{
		"later": "9" + good, "another id": until + ".x" + id + "." + seal, "no seal": until + "." + id + ".", "no dots": "x", "empty": "",
		"cut": good[:len(good)-2], "longer": good + "AA", "huge": good + strings.Repeat("A", 5000), "another's seal": other,
		"no key": until + "." + id + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
		"over":   past + "." + base64.RawURLEncoding.EncodeToString(l.Accounts.Seal("anna", past)),
	} {
		if known(cookie, "anna") {
			t.Errorf("%s: %s counts", what, cookie)
		}
	}
	if known(good, "sue") || known(good, "nobody") || known(good, "") {
		t.Error("it counts for another account")
	}
	if _, err := l.Visit(annas); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "tapedeck_session", Value: good})
	if _, err := l.Checker.Visit(r); err == nil {
		t.Error("it opens a session")
	}
	changed := maps.Clone(consoletest.AccountsText)
	changed["anna"] = "role: organisation, organisation: acme, rights: [see]"
	l.WriteAccounts(changed)
	testkit.Until(t, "anna's account has changed", func() bool { a, _, _ := l.Accounts.Account("anna"); return !a.May("listen") })
	if known(good, "anna") {
		t.Error("it counts for an account that has changed")
	}
}
