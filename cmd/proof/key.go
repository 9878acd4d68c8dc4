// Package proof is what the commands and the daemon do with the evidence log: they open
// it, make and read the key of its checkpoints, write checkpoints and copy them
// elsewhere, and verify it.
package proof

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tapedeck/cmd/config"
	"tapedeck/internal/durable"
	"tapedeck/recording/chain"
)

const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"

	// publicExt is added to the name of a key file for the file of its public key.
	publicExt = ".pub"
)

// NewKey makes the key of the daemon file (ed25519), and writes it to a file that its
// owner alone may read, and its public key to the file with ".pub" beside it. Both get
// the owner of the folder. It replaces no file. Then it signs the evidence log, so that
// nobody can say later that it was not signed. It returns the key's id.
func NewKey(cfg *config.Config) (id string, err error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	if err := writeKey(cfg.Audit.Key, public, private); err != nil {
		return "", err
	}
	log, err := Open(cfg)
	if err == nil {
		_, err = log.Evidence().Checkpoint(chain.AtKey, private)
	}
	if err != nil {
		return "", fmt.Errorf("audit key: the key is made, and the log is not signed yet: %w", err)
	}
	return chain.KeyID(public), nil
}

func writeKey(path string, public ed25519.PublicKey, private ed25519.PrivateKey) error {
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return err
	}
	if err := create(path, 0o600, &pem.Block{Type: privateBlock, Bytes: secret}); err != nil {
		return err
	}
	if err := create(path+publicExt, 0o644, &pem.Block{Type: publicBlock, Bytes: open}); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// create writes a file that is not there yet.
func create(path string, mode fs.FileMode, block *pem.Block) error {
	err := durable.Create(path, pem.EncodeToMemory(block), mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("audit key: %s is there already: move it away first; what it has signed needs its public key", path)
	}
	if err != nil {
		return fmt.Errorf("audit key: %w", err)
	}
	return nil
}

// readKey reads a key file. The error is fs.ErrNotExist if there is none.
func readKey(path string) (ed25519.PrivateKey, error) {
	der, err := readBlock(path, privateBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if private, ok := key.(ed25519.PrivateKey); ok {
		return private, nil
	}
	return nil, errors.Join(fmt.Errorf("audit key: %s is no ed25519 key: `tapedeck audit key` makes one", path), err)
}

// readPublicKey reads the file of a public key.
func readPublicKey(path string) (ed25519.PublicKey, error) {
	der, err := readBlock(path, publicBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if public, ok := key.(ed25519.PublicKey); ok {
		return public, nil
	}
	return nil, errors.Join(fmt.Errorf("audit key: %s is no public ed25519 key: name the .pub file that `tapedeck audit key` made", path), err)
}

func readBlock(path, kind string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("audit key: %s has no block %q in PEM", path, kind)
	}
	return block.Bytes, nil
}
