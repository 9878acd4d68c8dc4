package access

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/testkit"
)

// opened returns the accounts of a file with this text, and their log.
func opened(t *testing.T, text string) (a *Accounts, path string, log *testkit.Log) {
	t.Helper()
	path, log = filepath.Join(t.TempDir(), "accounts.yaml"), new(testkit.Log)
	if text != "" {
		testkit.Replace(t, path, text)
	}
	a, err := Open(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return a, path, log
}

func TestSignIn(t *testing.T) {
	a, _, _ := opened(t, goodFile)
	acc, stamp, err := a.SignIn(t.Context(), "anna", testPassword, false)
	if err != nil || acc.Name != "anna" || stamp == "" {
		t.Errorf("%+v, %q, %v", acc, stamp, err)
	}
	if _, known, ok := a.Account("anna"); !ok || known != stamp {
		t.Errorf("stamp %q, and of the account %q", stamp, known)
	}
	for _, c := range [][2]string{{"anna", testPassword + " "}, {"anna", ""}, {"bob", testPassword}, {"", ""}, {"north", testPassword},
		{"north", ""}, {"Anna", testPassword}, {"anna", strings.Repeat("x", 1<<20)}} {
		if acc, stamp, err := a.SignIn(t.Context(), c[0], c[1], false); err != ErrWrong || acc.Name != "" || stamp != "" {
			t.Errorf("%.20q: %+v, %q, %v; want ErrWrong", c, acc, stamp, err)
		}
	}
}

// sameCost fails if the things never take about equally long. It compares the shortest
// of several times, because a busy machine makes the others longer.
func sameCost(t *testing.T, things map[string]func()) {
	t.Helper()
	least := map[string]time.Duration{}
	for range 100 {
		for name, do := range things {
			began := time.Now()
			do()
			if took := time.Since(began); least[name] == 0 || took < least[name] {
				least[name] = took
			}
		}
		all := slices.Sorted(maps.Values(least))
		if all[len(all)-1] < 2*all[0] {
			return
		}
	}
	t.Errorf("what they take tells them apart: %v", least)
}

// TestSignInTime: the time that signing in takes does not tell whether there is such an
// account, whether it has a password, or whether there is any account.
func TestSignInTime(t *testing.T) {
	a, _, _ := opened(t, goodFile)
	none, _, _ := opened(t, "")
	things := map[string]func(){"without accounts": func() { _, _, _ = none.SignIn(t.Context(), "anna", "wrong password", false) }}
	for what, name := range map[string]string{"known": "anna", "unknown": "nobody", "without a password": "north", "no name": ""} {
		things[what] = func() {
			a.hashing = newHashing() // so that none waits for its share
			_, _, _ = a.SignIn(t.Context(), name, "wrong password", false)
		}
	}
	sameCost(t, things)
}

func TestStamp(t *testing.T) {
	line := "  a: { role: organisation, organisation: acme, groups: [x], rights: [see], password: \"" + testHash + "\" }\n"
	stampOf := func(line string) string {
		b, _, err := parseBook("a", []byte("version: 1\naccounts:\n"+line))
		if err != nil {
			t.Fatal(err)
		}
		return b.accounts["a"].stamp
	}
	before := stampOf(line)
	if stampOf("  # a comment\n"+line) != before {
		t.Error("a comment changes the stamp")
	}
	for _, change := range [][2]string{{"role: organisation,", "role: user, user: u,"}, {"acme", "beta"}, {"[x]", "[y]"}, {"[see]", "[see, listen]"},
		{"groups: [x], ", ""}, {"rights: [see], ", ""}, {"X50", "X51"}, {", password: \"" + testHash + "\"", ""}} {
		after := strings.Replace(line, change[0], change[1], 1)
		if change[1] == "role: user, user: u," {
			after = strings.Replace(after, "groups: [x], ", "", 1)
		}
		if change[0] == "X50" {
			after = strings.Replace(line, "tYWViDuE6NxMQNyn9gPVJg", "uYWViDuE6NxMQNyn9gPVJg", 1)
		}
		if after == line || stampOf(after) == before {
			t.Errorf("the stamp stays after %q", change)
		}
	}
}

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := newSecret()
		text := func(more string) string {
			return "version: 1\naccounts: { anna: { role: operator }, bob: { role: operator } }\ntokens:\n  k: { account: anna, hash: " + hashSecret(secret) + more + " }\n"
		}
		a, path, _ := opened(t, text(", expires: "+time.Now().Add(time.Hour).Format(time.RFC3339)))
		go func() { _ = a.Run(t.Context()) }()
		if acc, id, ok := a.Token(secret); !ok || id != "k" || acc.Name != "anna" {
			t.Errorf("%+v, %q, %v", acc, id, ok)
		}
		for _, bad := range []string{"", "td_", secret[:len(secret)-1], secret + "A", strings.ToLower(secret), strings.TrimPrefix(secret, tokenMark), hashSecret(secret)} {
			if _, _, ok := a.Token(bad); ok {
				t.Errorf("%q counts", bad)
			}
		}
		if a.HasToken("k", "bob") || !a.HasToken("k", "anna") || a.HasToken("l", "anna") {
			t.Error("whose token is it?")
		}
		time.Sleep(time.Hour - time.Second)
		if _, _, ok := a.Token(secret); !ok {
			t.Error("it has ended too early")
		}
		time.Sleep(time.Second)
		if _, _, ok := a.Token(secret); ok || a.HasToken("k", "anna") {
			t.Error("it has not ended")
		}
		testkit.Replace(t, path, text(""))
		time.Sleep(2 * pollAccounts)
		if _, _, ok := a.Token(secret); !ok || !a.HasToken("k", "anna") {
			t.Error("a token without an end does not count")
		}
		if err := Change(path, func(f *File) error { return f.RemoveToken("k") }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * pollAccounts)
		if _, _, ok := a.Token(secret); ok || a.HasToken("k", "anna") {
			t.Error("a revoked token counts")
		}
	})
}

// TestTokenTime: the first token of many takes as long as the last, and as a text that
// is no token.
func TestTokenTime(t *testing.T) {
	const many = 2000
	b := &book{accounts: map[string]entry{"a": {}}}
	for i := range many {
		h, _ := parseHash(hashSecret(fmt.Sprint(i)))
		b.tokens = append(b.tokens, &token{Token: Token{ID: fmt.Sprint(i), Account: "a"}, hash: h})
	}
	a := new(Accounts)
	a.now.Store(b)
	things := map[string]func(){}
	for what, secret := range map[string]string{"first": "0", "last": fmt.Sprint(many - 1), "none": "x"} {
		things[what] = func() { a.Token(secret) }
	}
	sameCost(t, things)
}

// TestFollow: a changed file counts a second later, if it is valid.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, path, log := opened(t, "")
		expect := func(what string, n int) {
			t.Helper()
			time.Sleep(pollAccounts + time.Millisecond)
			synctest.Wait()
			if a.Len() != n {
				t.Errorf("%s: %d accounts, want %d", what, a.Len(), n)
			}
		}
		go func() { _ = a.Run(t.Context()) }()
		expect("absent", 0)
		if got := strings.Count(log.String(), "no accounts file"); got != 1 {
			t.Errorf("said %d times that there is no file:\n%s", got, log)
		}
		testkit.Replace(t, path, "version: 1\naccounts: { a: { role: operator } }")
		expect("made", 1)
		testkit.Replace(t, path, "version: 1\naccounts: { a: { role: operator }, b: { role: x }, c: { password: hunter2 } }")
		expect("with mistakes", 1)
		expect("with mistakes still", 1)
		if got := strings.Count(log.String(), "accounts file refused"); got != 2 || strings.Contains(log.String(), "hunter2") {
			t.Errorf("%d lines of mistakes, want 2:\n%s", got, log)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil { // an editor that writes in place
			t.Fatal(err)
		}
		expect("empty", 1)
		testkit.Replace(t, path, "version: 1\naccounts: { a: { role: operator }, b: { role: operator } }")
		expect("mended", 2)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		expect("readable", 2)
		if !strings.Contains(log.String(), "chmod 600") {
			t.Errorf("nobody says that others can read it:\n%s", log)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expect("just removed", 2)
		expect("removed", 0)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		expect("a folder", 0)
	})
}

func TestPasswordFormat(t *testing.T) {
	p, err := parsePassword(HashPassword("some password"))
	if err != nil || !p.is("some password") || p.is("some passwore") || p.memory != memory || p.passes != passes || p.lanes != lanes ||
		len(p.salt) != saltLen || len(p.hash) != hashLen {
		t.Errorf("%+v, %v", p, err)
	}
	if one, other := HashPassword("x"), HashPassword("x"); one == other {
		t.Error("no salt")
	}
	fields := strings.Split(testHash, "$")
	for i, bad := range map[int][]string{
		1: {"argon2i", "argon2d", "2b", ""}, 2: {"v=16", "v=", "19", "v=19 "},
		3: {"m=19456,t=2", "m=19456,t=2,p=1,x=1", "t=2,m=19456,p=1", "m=019456,t=2,p=1", "m=19456,t=2,p=256", "m=19456,t=-2,p=1", "m=19456,t=1,p=1",
			"m=4294967295,t=4294967295,p=1", "m=8,t=16,p=1", "m=19456,t=2,p=0", "m=19456,t=2,p=17"},
		4: {"", "!!!!", "AAAA", strings.Repeat("A", 88)}, 5: {"", "AAAA", "3aKRfG8ltir8YIz/alCkPpLOgK+QERd4hH3h8FN1X5", strings.Repeat("A", 88)},
	} {
		for _, text := range bad {
			changed := append([]string{}, fields...)
			changed[i] = text
			if _, err := parsePassword(strings.Join(changed, "$")); err == nil {
				t.Errorf("%s is taken", strings.Join(changed, "$"))
			} else if text != "" && i > 3 && strings.Contains(err.Error(), text) {
				t.Errorf("%v shows it", err)
			}
		}
	}
}

// TestChanged: whoever changes the file, also by hand, is noticed by what it says then.
func TestChanged(t *testing.T) {
	a, path, _ := opened(t, "version: 1\naccounts:\n  anna: { role: operator }\n  bert: { role: operator }\n")
	var told []string
	a.Changed = func(detail string) { told = append(told, detail) }
	for _, text := range []string{
		"version: 1\naccounts:\n  anna: { role: user, organisation: acme, user: anna }\n  carl: { role: operator }\n",
		"# nothing changes\nversion: 1\naccounts:\n  anna: { role: user, organisation: acme, user: anna }\n  carl: { role: operator }\n",
		"version: 7\n", // it is refused
		"version: 1\naccounts:\n  carl: { role: operator }\ntokens:\n  t1: { account: carl, name: x, hash: " + strings.Repeat("0", 64) + " }\n",
	} {
		testkit.Replace(t, path, text)
		a.look()
	}
	want := []string{": added: carl, changed: anna, removed: bert", ": removed: anna, tokens added: t1"}
	if len(told) != len(want) {
		t.Fatalf("%q", told)
	}
	for i := range want {
		if !strings.HasPrefix(told[i], "accounts file ") || !strings.HasSuffix(told[i], want[i]) {
			t.Errorf("%q, want %q", told[i], want[i])
		}
	}
}
