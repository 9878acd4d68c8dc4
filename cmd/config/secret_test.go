package config

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenSecrets: each file with a secret that others may read is named, with what to do.
// Nothing of a secret is shown.
func TestOpenSecrets(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"inline", "url", "plain", "password", "tls.key", "audit.key"} {
		if err := os.WriteFile(path(name), []byte("hidden\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := "switches: [{ name: fs1, address: 'h:1', password_file: " + path("password") + " }]\n"
	text := file + "http: { certificate: c, key: " + path("tls.key") + " }\naudit: { key: " + path("audit.key") + " }\n"
	for _, c := range []struct{ file, text, open, want string }{
		{"plain", text, "", ""},
		{"plain", text, "plain", ""}, // there is no secret in it
		{"plain", text, "password", "the password of switch fs1"},
		{"plain", text, "tls.key", "the key of the certificate"},
		{"plain", text, "audit.key", "the key of the evidence log"},
		{"inline", "switches: [{ name: fs1, address: 'h:1', password: hidden }]\n", "inline", "a password"},
		{"url", "store: { redis: 'redis://user:hidden@h:1' }\n", "url", "a password"},
	} {
		if c.open != "" {
			if err := os.Chmod(path(c.open), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cfg, err := Parse(path(c.file), []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		open := cfg.OpenSecrets()
		if c.want == "" && len(open) > 0 || c.want != "" && len(open) != 1 {
			t.Errorf("%s: %v", c.open, open)
		} else if c.want != "" {
			want := "others may read " + path(c.open) + " (-rw-r--r--), which holds " + c.want + ": chmod 600"
			if got := open[0].String(); got != want || strings.Contains(got, "hidden") {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if err := os.Chmod(path(cmp.Or(c.open, "plain")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
