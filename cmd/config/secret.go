package config

import (
	"fmt"
	"io/fs"
	"strings"

	"tapedeck/internal/durable"
)

// OpenSecret is a file with a secret that others than those who need it may read or change.
type OpenSecret struct {
	File, Holds string
	Mode        fs.FileMode
}

// String says what it is and what to do.
func (o OpenSecret) String() string {
	return fmt.Sprintf("others may read %s (%s), which holds %s: chmod 600", o.File, o.Mode, o.Holds)
}

// OpenSecrets returns the open ones of the files that the daemon file names, and that
// itself, if it holds a secret. The accounts file is left out: whoever reads it says so at
// each change.
func (c *Config) OpenSecrets() (open []OpenSecret) {
	look := func(path, holds string) {
		if mode := durable.OpenToOthers(path); path != "" && mode != 0 {
			open = append(open, OpenSecret{path, holds, mode})
		}
	}
	if c.holdsSecret() {
		look(c.File, "a password")
	}
	for _, s := range c.Switches {
		look(s.PasswordFile, "the password of switch "+s.Name)
	}
	look(c.HTTP.Key, "the key of the certificate")
	look(c.Audit.Key, "the key of the evidence log")
	return open
}

// holdsSecret reports whether there is a password in the daemon file itself.
func (c *Config) holdsSecret() bool {
	for _, s := range c.Switches {
		if s.PasswordFile == "" {
			return true
		}
	}
	return strings.Contains(c.Store.Redis.Reveal(), "@")
}
