package storeclient

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"tapedeck/cmd/config"
	"tapedeck/internal/durable"
)

// NewKey makes the key that authenticates what is in Redis (store.key_file): a file that
// its owner alone may read, with the owner of its folder. It replaces no file.
func NewKey(cfg *config.Config) error {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	err := durable.Create(cfg.Store.KeyFile, []byte(hex.EncodeToString(secret)+"\n"), 0o600)
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s is there already: docs/operate.md says how to change it", cfg.Store.KeyFile)
	}
	if err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	return nil
}
