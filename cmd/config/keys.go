package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

const (
	// leastKey is how many characters a secret in the key file has at least: 128 bits in
	// hexadecimal.
	leastKey = 32
	mostKeys = 2
)

// Keys reads the secrets that authenticate what is in Redis (store.Config.Keys): one a
// line, the first signs. There are none if nobody else can reach the Redis, or if the file
// is absent and the daemon file does not name it. open reports that others than its owner
// may read the file.
func (s Store) Keys() (keys []string, open bool, err error) {
	if s.Embedded() {
		return nil, false, nil
	}
	text, err := os.ReadFile(s.KeyFile)
	if errors.Is(err, fs.ErrNotExist) && !s.KeyNamed {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("config: store.key_file: %w: `tapedeck store key` makes one; all instances need the same", err)
	}
	keys = strings.Fields(string(text))
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	if len(keys) != len(lines) || len(keys) > mostKeys {
		return nil, false, fmt.Errorf("config: store.key_file %s has %d words in %d lines: write one secret a line, %d at most", s.KeyFile, len(keys), len(lines), mostKeys)
	}
	for i, key := range keys {
		if len(key) < leastKey {
			return nil, false, fmt.Errorf("config: store.key_file %s: the secret in line %d has less than %d characters: `tapedeck store key` makes one", s.KeyFile, i+1, leastKey)
		}
	}
	info, err := os.Stat(s.KeyFile)
	return keys, err == nil && info.Mode().Perm()&0o077 != 0, nil
}
