package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapedeck/internal/strictyaml"
)

// testHash is the hash of testPassword.
const (
	testPassword = "correct horse battery"
	testHash     = "$argon2id$v=19$m=19456,t=2,p=1$tYWViDuE6NxMQNyn9gPVJg$3aKRfG8ltir8YIz/alCkPpLOgK+QERd4hH3h8FN1X50"
)

const goodFile = `# who may what
version: 1
accounts:
  root: { role: operator, password: "` + testHash + `" }
  north: { role: brand, brand: north, rights: [see] }
  anna:
    role: organisation
    organisation: acme
    groups: [sales, support]
    rights: [see, listen]
    password: ` + testHash + `
  alice@acme.example: { role: user, organisation: acme, user: alice }
tokens:
  k1: { account: anna, name: "crm", hash: "` + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" + `", created: 2026-01-02T03:04:05Z, expires: 2027-01-02T03:04:05+01:00 }
`

func TestParse(t *testing.T) {
	b, _, err := parseBook("a.yaml", []byte(goodFile))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%+v", []Account{b.accounts["root"].account, b.accounts["north"].account, b.accounts["anna"].account, b.accounts["alice@acme.example"].account})
	want := "[{Name:root Role:operator Brand: Organisation: User: Groups:[] Rights:[]} " +
		"{Name:north Role:brand Brand:north Organisation: User: Groups:[] Rights:[see]} " +
		"{Name:anna Role:organisation Brand: Organisation:acme User: Groups:[sales support] Rights:[see listen]} " +
		"{Name:alice@acme.example Role:user Brand: Organisation:acme User:alice Groups:[] Rights:[]}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(b.tokens) != 1 || b.tokens[0].Name != "crm" || b.tokens[0].Expires.UTC().Hour() != 2 || len(b.passwords) != 2 {
		t.Errorf("tokens %+v, passwords %d", b.tokens[0], len(b.passwords))
	}
}

// TestMistakes changes one line of a good file, and looks for that line's number and a
// word in the mistake.
func TestMistakes(t *testing.T) {
	const secret = "hunter2hunter2"
	hash64 := strings.Repeat("ab", 32)
	weak := strings.Replace(testHash, "m=19456", "m=1024", 1)
	greedy := strings.Replace(testHash, "m=19456", "m=9999999", 1)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "1: the file is empty"},
		{"comments alone", "# nothing\n", "1: the file is empty"},
		{"no version", "accounts: {}", "1: the version is not said"},
		{"other version", "version: 2", "1: version is \"2\""},
		{"a list", "- a", "1: the accounts file: write keys and values"},
		{"unknown key", "version: 1\nacounts: {}", "2: the accounts file: unknown key \"acounts\""},
		{"two documents", "version: 1\n---\nversion: 1", "2: a second document"},
		{"no yaml", "version: 1\naccounts: {" + secret, "not valid YAML"},
		{"twice", "version: 1\naccounts:\n  a: { role: operator }\n  a: { role: operator }", "4: accounts: \"a\" is there twice"},
		{"key twice", "version: 1\naccounts:\n  a: { role: operator, role: operator }", "3: account a: \"role\" is there twice"},
		{"bad name", "version: 1\naccounts:\n  Anna B: { role: operator }", "3: account \"Anna B\": a name has"},
		{"long name", "version: 1\naccounts:\n  " + strings.Repeat("a", 65) + ": { role: operator }", "3: account"},
		{"nothing", "version: 1\naccounts:\n  a:", "3: account a: its role is \"\""},
		{"role", "version: 1\naccounts:\n  a: { role: admin }", "3: account a: its role is \"admin\": write operator"},
		{"needs", "version: 1\naccounts:\n  a: { role: user, organisation: acme }", "3: account a: role user needs user"},
		{"has not", "version: 1\naccounts:\n  a: { role: operator, organisation: acme }", "3: account a: role operator has no organisation"},
		{"groups of a user", "version: 1\naccounts:\n  a: { role: user, organisation: x, user: y, groups: [z] }", "3: account a: role user has no groups"},
		{"no groups", "version: 1\naccounts:\n  a: { role: organisation, organisation: x, groups: [] }", "3: account a: groups: write a list"},
		{"one group", "version: 1\naccounts:\n  a: { role: organisation, organisation: x, groups: sales }", "3: account a: groups: write a list"},
		{"group twice", "version: 1\naccounts:\n  a: { role: organisation, organisation: x, groups: [s, s] }", "3: account a: groups: \"s\" is there twice"},
		{"no rights", "version: 1\naccounts:\n  a: { role: operator, rights: [] }", "3: account a: rights: write a list"},
		{"right", "version: 1\naccounts:\n  a: { role: operator, rights: [see, fly] }", "3: account a: there is no right \"fly\""},
		{"without see", "version: 1\naccounts:\n  a: { role: operator, rights: [listen] }", "3: account a: without the right see"},
		{"plain password", "version: 1\naccounts:\n  a: { role: operator, password: " + secret + " }", "3: account a: its password is no argon2id"},
		{"weak password", "version: 1\naccounts:\n  a: { role: operator, password: \"" + weak + "\" }", "3: account a: its password is hashed too weakly"},
		{"greedy password", "version: 1\naccounts:\n  a: { role: operator, password: \"" + greedy + "\" }", "3: account a: its password is hashed so that"},
		{"password list", "version: 1\naccounts:\n  a: { role: operator, password: [" + secret + "] }", "3: account a: password: write one value"},
		{"anchor", "version: 1\naccounts:\n  a: &x { role: operator }", "3: account a: anchors"},
		{"alias", "version: 1\naccounts:\n  a: *a", "not valid YAML"},
		{"merge", "version: 1\naccounts:\n  a: { <<: { role: operator } }", "3: account a: a key is no plain text"},
		{"tag", "version: 1\naccounts:\n  a: !!set { role: operator }", "3: account a: tags"},
		{"whose", "version: 1\ntokens:\n  k: { account: bob, hash: " + hash64 + " }", "3: token k: there is no account \"bob\""},
		{"nobody's", "version: 1\ntokens:\n  k: { hash: " + hash64 + " }", "3: token k: it has no account"},
		{"hash", "version: 1\naccounts: { a: { role: operator } }\ntokens:\n  k: { account: a, hash: " + secret + " }", "4: token k: its hash is no SHA-256"},
		{"no hash", "version: 1\naccounts: { a: { role: operator } }\ntokens:\n  k: { account: a }", "4: token k: it has no hash"},
		{"same hash", "version: 1\naccounts: { a: { role: operator } }\ntokens:\n  k: { account: a, hash: " + hash64 + " }\n  l: { account: a, hash: " + hash64 + " }",
			"5: token l: its hash is that of token k"},
		{"time", "version: 1\naccounts: { a: { role: operator } }\ntokens:\n  k: { account: a, hash: " + hash64 + ", expires: tomorrow }", "4: token k: expires is no time"},
		{"binary", "version: 1\n\x00", "2: the control character U+0000"},
	} {
		_, _, err := parseBook("a.yaml", []byte(c.text))
		report, ok := errors.AsType[*strictyaml.Report](err)
		switch {
		case !ok:
			t.Errorf("%s: %v, want a report", c.name, err)
		case !strings.Contains(err.Error(), c.want), len(report.Mistakes) != 1:
			t.Errorf("%s: %v; want %q alone", c.name, err, c.want)
		case strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), hash64):
			t.Errorf("%s: a secret is shown: %v", c.name, err)
		}
	}
}

// TestAllMistakes: one mistake does not hide another.
func TestAllMistakes(t *testing.T) {
	_, _, err := parseBook("a.yaml", []byte("foo: 1\naccounts:\n  a: { role: x }\n  b: { role: operator, password: p }\ntokens:\n  t: { account: c }\n"))
	report, ok := errors.AsType[*strictyaml.Report](err)
	if !ok || len(report.Mistakes) != 6 { // foo, version, a, b, c, no hash
		t.Fatalf("%v", err)
	}
	for i := range report.Mistakes[1:] {
		if report.Mistakes[i].Line > report.Mistakes[i+1].Line {
			t.Errorf("not by line: %v", err)
		}
	}
}

// FuzzChange: a valid file stays valid when accounts and tokens are added and removed,
// and the other accounts and tokens stay the same.
func FuzzChange(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte("{version: 1, accounts: {a: {role: operator}}, tokens: null}"))
	f.Add([]byte("%YAML 1.1\n---\nversion: \"1\"\naccounts:\n  \"yes\": {role: operator}\n  123:\n    role: brand # x\n    brand: >-\n      b\n...\n"))
	f.Add([]byte("version: 1 # a\n# b\n\n# c\ntokens:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := parseFile("a.yaml", text)
		if err != nil {
			return
		}
		before := file.book
		if before.accounts["new.one"].stamp != "" {
			return
		}
		if err := file.Put(Account{Name: "new.one", Role: User, Organisation: "no", User: "123", Rights: []Right{See}}, testHash, false); err != nil {
			t.Fatalf("put: %v", err)
		}
		id, secret, err := file.AddToken(Token{Account: "new.one", Name: "x: y # \" '"})
		if err != nil {
			t.Fatalf("token: %v", err)
		}
		a := &Accounts{}
		a.now.Store(file.book)
		if acc, got, ok := a.Token(secret); !ok || got != id || acc.User != "123" || acc.Organisation != "no" {
			t.Fatalf("token of %+v, %q, %v", acc, got, ok)
		}
		if n, err := file.Remove("new.one"); n != 1 || err != nil {
			t.Fatalf("remove: %d, %v", n, err)
		}
		if len(file.book.accounts) != len(before.accounts) || len(file.book.tokens) != len(before.tokens) {
			t.Fatalf("there were %d accounts and %d tokens, now %d and %d", len(before.accounts), len(before.tokens), len(file.book.accounts), len(file.book.tokens))
		}
		for name, e := range before.accounts {
			if file.book.accounts[name].stamp != e.stamp {
				t.Errorf("account %q has changed", name)
			}
		}
		for i, token := range before.tokens {
			if got := file.book.tokens[i]; got.hash != token.hash || got.Account != token.Account || !got.Expires.Equal(token.Expires) || got.Name != token.Name {
				t.Errorf("token %+v has changed: %+v", token, got)
			}
		}
	})
}
