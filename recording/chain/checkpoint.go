package chain

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// Why a checkpoint is written.
const (
	AtStart = "start"
	AtHour  = "hour"
	AtStop  = "stop"
	AtKey   = "key" // the key was made
)

// Sign signs a checkpoint, whose other fields are set. The signature covers the hash of
// the entry before, and so every entry before.
func (e *Entry) Sign(key ed25519.PrivateKey) {
	e.Key = KeyID(key.Public().(ed25519.PublicKey))
	e.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, e.signed()))
}

// signed returns the text that the signature of a checkpoint covers.
func (e *Entry) signed() []byte {
	return fmt.Appendf(nil, "tapedeck checkpoint 1\n%s\n%d\n%s\n%s\n%q\n", e.Log, e.Seq, e.Prev, e.At.UTC().Format(time.RFC3339Nano), e.Why)
}

// Errors of a checkpoint's signature.
var (
	errUnsigned   = errors.New("it is not signed")
	errUnknownKey = errors.New("it is signed with a key that was not named")
	errForged     = errors.New("its signature is wrong")
)

// verify returns why a checkpoint is not signed with one of the keys.
func (e *Entry) verify(keys []ed25519.PublicKey) error {
	if e.Signature == "" {
		return errUnsigned
	}
	for _, key := range keys {
		if KeyID(key) != e.Key {
			continue
		}
		signature, err := base64.StdEncoding.DecodeString(e.Signature)
		if err != nil || !ed25519.Verify(key, e.signed(), signature) {
			return errForged
		}
		return nil
	}
	return errUnknownKey
}

// KeyID returns the id of a key: the beginning of its SHA-256.
func KeyID(key ed25519.PublicKey) string { return SumOf(key)[:16] }
