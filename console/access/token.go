package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// tokenMark begins every token. Programs that look for published secrets can
// recognise a token by it.
const tokenMark = "td_"

// token is one bearer token of the file.
type token struct {
	Token
	hash [sha256.Size]byte
}

// Token is what the accounts file says of a bearer token. The file has only the hash of
// the secret.
type Token struct {
	ID      string
	Account string
	Name    string    // what it is for
	Created time.Time // zero: not said
	Expires time.Time // zero: never
}

func (t *token) expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// newSecret makes a token's secret, which is shown once.
func newSecret() string {
	random := make([]byte, 32)
	rand.Read(random) // it never fails
	return tokenMark + base64.RawURLEncoding.EncodeToString(random)
}

// newTokenID makes the id that names a token in the file and in the audit log.
func newTokenID() string { return strings.ToLower(rand.Text()[:8]) }

func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func parseHash(text string) (hash [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(hash) {
		return hash, errors.New("is no SHA-256 in hex: `tapedeck token add` makes one")
	}
	return [sha256.Size]byte(b), nil
}
