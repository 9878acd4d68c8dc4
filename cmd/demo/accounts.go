package demo

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"tapedeck/console/access"
)

// accounts has one account of each role that the demo shows.
var accounts = []access.Account{
	{Name: "demo", Role: access.Operator},
	{Name: "sue", Role: access.Organisation, Organisation: "acme", Groups: []string{"sales", "support"}},
	{Name: "alice", Role: access.User, Organisation: "acme", User: "alice"},
}

// otherAccounts says who the other accounts are and what they see.
func otherAccounts() string {
	var words []string
	for _, a := range accounts[1:] {
		what := "of " + a.Organisation
		if len(a.Groups) > 0 {
			what = "sees the calls of " + strings.Join(a.Groups, ", ")
		} else if a.User != "" {
			what = "sees her own calls"
		}
		words = append(words, a.Name+", who "+what)
	}
	return strings.Join(words, "; ")
}

// makeAccounts writes the accounts file. Every account has the same new password.
func (s *stage) makeAccounts() error {
	s.password = strings.ToLower(rand.Text()[:12])
	hash := access.HashPassword(s.password)
	var b strings.Builder
	b.WriteString("# The accounts of `tapedeck demo`; each run writes them anew.\nversion: 1\naccounts:\n")
	for _, a := range accounts {
		fmt.Fprintf(&b, "  %s: { role: %s, password: %q", a.Name, a.Role, hash)
		for key, value := range map[string]string{"organisation": a.Organisation, "user": a.User, "groups": strings.Join(a.Groups, ",")} {
			switch {
			case value == "":
			case key == "groups":
				fmt.Fprintf(&b, ", groups: [%s]", value)
			default:
				fmt.Fprintf(&b, ", %s: %s", key, value)
			}
		}
		b.WriteString(" }\n")
	}
	return os.WriteFile(filepath.Join(s.dir, "accounts.yaml"), []byte(b.String()), 0o600)
}

// freeOr returns the address if it is free. Otherwise another Tapedeck may run here, and
// it returns one that means any free port of the host.
func freeOr(address string) string {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		host, _, _ := net.SplitHostPort(address)
		return net.JoinHostPort(host, "0")
	}
	_ = ln.Close()
	return address
}
