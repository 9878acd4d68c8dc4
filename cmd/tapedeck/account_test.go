package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/cmd/spooltest"
	"tapedeck/console/access"
)

const goodPassword = "battery staple horse"

// accountsFile is a daemon file and the accounts file that it names.
type accountsFile struct {
	*testing.T
	config, accounts string
}

func newAccountsFile(t *testing.T) *accountsFile {
	dir := t.TempDir()
	o := &accountsFile{t, filepath.Join(dir, "tapedeck.yaml"), filepath.Join(dir, "accounts.yaml")}
	policy := filepath.Join(dir, "policy.yaml")
	for path, text := range map[string]string{
		o.config: "policy: " + policy + "\nhttp: { accounts: " + o.accounts + " }\nrecordings: { dir: " + spooltest.Folder(t) + " }\n" +
			"audit: { dir: " + filepath.Join(dir, "audit") + " }\n",
		policy: "version: 1\norganisations:\n  acme:\n    brand: north\n    users: { alice: {} }\n" +
			"    ring_groups: { sales: { members: [alice] } }\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// do runs a command on it, which reads a password from standard input.
func (o *accountsFile) do(password string, args ...string) outcome {
	o.Helper()
	stdin, err := os.Open(write(o.T, "stdin", password))
	if err != nil {
		o.Fatal(err)
	}
	defer stdin.Close()
	return tapedeckReads(stdin, append(args, "--config", o.config)...)
}

func (o *accountsFile) text() string {
	o.Helper()
	text, err := os.ReadFile(o.accounts)
	if err != nil {
		o.Fatal(err)
	}
	return string(text)
}

func (o *accountsFile) open() *access.Accounts {
	o.Helper()
	a, err := access.Open(o.accounts, slog.New(slog.DiscardHandler))
	if err != nil {
		o.Fatal(err)
	}
	return a
}

func TestAccountCommands(t *testing.T) {
	o := newAccountsFile(t)
	o.do("", "account", "ls").want(t, exitDone, "", "no accounts in")
	o.do(goodPassword+"\n", "account", "add", "anna", "--role", "organisation", "--organisation", "acme", "--group", "sales",
		"--right", "see", "--right", "listen", "--password-stdin").want(t, exitDone, "account anna is in", "")
	if info, err := os.Stat(o.accounts); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if strings.Contains(o.text(), goodPassword) {
		t.Error("the password is in the file")
	}
	a := o.open()
	acc, stamp, err := a.SignIn(t.Context(), "anna", goodPassword, false)
	if err != nil || acc.Organisation != "acme" || len(acc.Groups) != 1 || acc.May(access.Delete) || !acc.May(access.Listen) {
		t.Errorf("signed in as %+v, %v", acc, err)
	}
	o.do("", "account", "ls").want(t, exitDone, "groups sales of acme  see, listen  yes       0", "")
	o.do(goodPassword, "account", "add", "anna", "--role", "operator", "--password-stdin").want(t, exitFailed, "", "--replace changes it")
	o.do("another "+goodPassword, "account", "password", "anna", "--password-stdin").want(t, exitDone, "another password", "")
	if _, after, err := o.open().SignIn(t.Context(), "anna", "another "+goodPassword, false); err != nil || after == stamp {
		t.Errorf("after the change: %v, stamp %s before and %s after", err, stamp, after)
	}
	o.do("", "account", "password", "bob", "--password-stdin").want(t, exitFailed, "", "no account")
	o.do("", "account", "add", "anna", "--role", "operator", "--no-password", "--replace").want(t, exitDone, "it sees: everything", "")
	if _, _, err := o.open().SignIn(t.Context(), "anna", goodPassword, false); err == nil {
		t.Error("an account without a password signs in")
	}
	o.do("", "account", "rm", "anna").want(t, exitDone, "removed", "")
	o.do("", "account", "rm", "anna").want(t, exitFailed, "", "no account")
	if n := o.open().Len(); n != 0 {
		t.Errorf("accounts left: %d", n)
	}
}

// TestPasswordsRefused: passwords that are too short, too long, too simple or no text.
func TestPasswordsRefused(t *testing.T) {
	o := newAccountsFile(t)
	for _, bad := range []string{"short", "anna\nanna\n0123456789", "tab\tin the password", strings.Repeat("x", 2000), "\xff\xfe0123456789", ""} {
		o.do(bad, "account", "add", "anna", "--role", "operator", "--password-stdin").want(t, exitFailed, "", "the password")
	}
	if _, err := os.Stat(o.accounts); err == nil {
		t.Errorf("something was written:\n%s", o.text())
	}
}

// TestAccountsByHand: what a person wrote stays as it is, mistakes are told with
// their lines, and then nothing is written.
func TestAccountsByHand(t *testing.T) {
	o := newAccountsFile(t)
	hand := "# ours\n\nversion: 1\n# people\naccounts:\n  # the boss\n  boss: { role: operator } # since 2024\n"
	if err := os.WriteFile(o.accounts, []byte(hand), 0o640); err != nil {
		t.Fatal(err)
	}
	o.do(goodPassword, "account", "add", "anna", "--role", "operator", "--password-stdin").want(t, exitDone, "anna", "")
	for _, want := range []string{"# ours", "# people", "# the boss", "# since 2024", "boss: {role: operator}"} {
		if !strings.Contains(o.text(), want) {
			t.Errorf("%s is gone:\n%s", want, o.text())
		}
	}
	if info, err := os.Stat(o.accounts); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v: want what it was", info.Mode(), err)
	}
	broken := o.text() + "tokens:\n  x: { account: bob, hash: s3cret }\nfoo: 1\n"
	if err := os.WriteFile(o.accounts, []byte(broken), 0o640); err != nil {
		t.Fatal(err)
	}
	got := o.do("", "account", "rm", "anna")
	got.want(t, exitFailed, "", "accounts.yaml:")
	if got.want(t, exitFailed, "", "3 mistakes to mend\n"); strings.Contains(got.stderr, "s3cret") {
		t.Errorf("a secret is shown: %s", got.stderr)
	}
	if o.text() != broken {
		t.Errorf("it was written nevertheless:\n%s", o.text())
	}
}

func TestTokenCommands(t *testing.T) {
	o := newAccountsFile(t)
	o.do("", "account", "add", "crm", "--role", "organisation", "--organisation", "acme", "--no-password").want(t, exitDone, "crm", "")
	o.do("", "token", "ls").want(t, exitDone, "", "no tokens")
	made := o.do("", "token", "add", "crm", "--name", "our CRM", "--expires", "90d")
	made.want(t, exitDone, "td_", "only time")
	secret := strings.TrimSpace(made.stdout)
	if len(secret) != len("td_")+43 || strings.Contains(o.text(), secret) || strings.Contains(made.stderr, secret) {
		t.Errorf("secret %q, file:\n%s", secret, o.text())
	}
	acc, id, ok := o.open().Token(secret)
	if !ok || acc.Name != "crm" {
		t.Errorf("token of %+v, %v", acc, ok)
	}
	if o.do("", "token", "add", "crm", "--expires", "never").code != exitDone {
		t.Error("no second token")
	}
	o.do("", "token", "ls").want(t, exitDone, "never", "")
	listed := o.do("", "token", "ls", "crm")
	listed.want(t, exitDone, "our CRM", "")
	if strings.Contains(listed.stdout, secret) {
		t.Error("the secret is listed")
	}
	o.do("", "account", "add", "bob", "--role", "operator", "--no-password").want(t, exitDone, "bob", "")
	o.do("", "token", "ls", "bob").want(t, exitDone, "", "no tokens")
	o.do("", "token", "ls", "nobody").want(t, exitFailed, "", "there is no account \"nobody\": `tapedeck account ls` lists them")
	o.do("", "account", "ls").want(t, exitDone, "no        2", "")
	o.do("", "token", "rm", id).want(t, exitDone, "revoked", "")
	if _, _, ok := o.open().Token(secret); ok {
		t.Error("a revoked token counts")
	}
	o.do("", "account", "rm", "crm").want(t, exitDone, "tokens with it: 1", "")
	if strings.Contains(o.text(), "hash") {
		t.Errorf("a token is left:\n%s", o.text())
	}
}
