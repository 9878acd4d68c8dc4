package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The limits of a password's length.
const (
	minPassword = 10   // characters
	maxPassword = 1024 // bytes
)

// How a password is hashed: the second choice of OWASP's Password Storage Cheat
// Sheet and of RFC 9106, section 4, for servers that hash several at once.
const (
	memory  = 19456 // KiB
	passes  = 2
	lanes   = 1
	saltLen = 16
	hashLen = 32
)

// The limits of a hash that another program made: not weaker than the weakest that
// OWASP names, and not so strong that signing in would take the whole machine.
const (
	minMemory = 7168    // KiB
	maxMemory = 1 << 18 // KiB
	minWork   = 35840   // memory times passes
	maxPasses = 16
	maxLanes  = 16
)

// password is a hash and how it was made.
type password struct {
	memory, passes uint32
	lanes          uint8
	salt, hash     []byte
}

// nobodys is what decoy returns if no account has a password.
var nobodys = &password{memory: memory, passes: passes, lanes: lanes, salt: make([]byte, saltLen), hash: make([]byte, hashLen)}

// is reports whether a text is the password.
func (p *password) is(text string) bool {
	hash := argon2.IDKey([]byte(text), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.hash)))
	return subtle.ConstantTimeCompare(hash, p.hash) == 1
}

// CheckPassword says what is wrong with a new password.
func CheckPassword(account, text string) error {
	switch {
	case !utf8.ValidString(text):
		return errors.New("the password is no UTF-8 text")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("the password has a control character or more than one line")
	case utf8.RuneCountInString(text) < minPassword:
		return fmt.Errorf("the password is too short: use at least %d characters", minPassword)
	case len(text) > maxPassword:
		return fmt.Errorf("the password is too long: use at most %d bytes", maxPassword)
	case strings.EqualFold(text, account):
		return errors.New("the password is the name: use another")
	}
	return nil
}

// HashPassword is a password as it is written into the accounts file.
func HashPassword(text string) string {
	salt := make([]byte, saltLen)
	rand.Read(salt) // it never fails
	hash := argon2.IDKey([]byte(text), salt, passes, memory, lanes, hashLen)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b64(salt), b64(hash))
}

// parsePassword reads a hash in the PHC format. Its errors show nothing of it.
func parsePassword(text string) (*password, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" {
		return nil, errors.New("is no argon2id hash: `tapedeck account password` makes one")
	}
	if fields[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, fmt.Errorf("is of another argon2 than version %d", argon2.Version)
	}
	p := new(password)
	if n, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); n != 3 || err != nil ||
		fields[3] != fmt.Sprintf("m=%d,t=%d,p=%d", p.memory, p.passes, p.lanes) {
		return nil, errors.New("has no m=,t=,p= as argon2id has them")
	}
	switch {
	case p.memory < minMemory || p.passes < 1 || p.lanes < 1 || uint64(p.memory)*uint64(p.passes) < minWork:
		return nil, fmt.Errorf("is hashed too weakly: use m=%d,t=%d,p=%d", memory, passes, lanes)
	case p.memory > maxMemory || p.passes > maxPasses || p.lanes > maxLanes:
		return nil, fmt.Errorf("is hashed so that signing in takes too long: use m=%d,t=%d,p=%d", memory, passes, lanes)
	}
	var err error
	strict := base64.RawStdEncoding.Strict()
	if p.salt, err = strict.DecodeString(fields[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return nil, errors.New("has no salt of 8 to 64 bytes in base64")
	}
	if p.hash, err = strict.DecodeString(fields[5]); err != nil || len(p.hash) < 16 || len(p.hash) > 64 {
		return nil, errors.New("has no hash of 16 to 64 bytes in base64")
	}
	return p, nil
}
