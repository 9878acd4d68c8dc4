package store

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// ErrForged: a record in Redis does not have the seal of a Tapedeck with our key. It
// counts as if it were not there.
var ErrForged = fmt.Errorf("%w: it has no valid seal", ErrCorrupt)

// A Seal authenticates one kind of record (docs/design.md, section 8): who may write to
// Redis and does not have the key of Config.Keys cannot make a record, alter one, or put
// one in another's place. Without a key nothing is sealed, and everything is believed.
type Seal struct {
	conn   *Conn
	record string
	keys   [][]byte // the first signs, all verify; none: there is no key

	said atomic.Int64 // when a record without a valid seal was last logged: Unix time in ns
}

// sayEvery is how often a record without a valid seal is logged.
const sayEvery = time.Minute

// NewSeal makes the seal of one kind of record, such as "session". The kinds have keys
// of their own, so that the record of one is not taken for that of another.
func (c *Conn) NewSeal(record string) *Seal {
	s := &Seal{conn: c, record: record}
	for _, secret := range c.cfg.Keys {
		key, err := hkdf.Key(sha256.New, []byte(secret), nil, "tapedeck store "+record, sha256.Size)
		if err != nil {
			panic(err) // the length is a constant
		}
		s.keys = append(s.keys, key)
	}
	return s
}

// Seals reports whether there is a key.
func (s *Seal) Seals() bool { return len(s.keys) > 0 }

// KeyChanges reports whether there is a second key, so that a record may have the seal of a
// key that does not sign any more.
func (s *Seal) KeyChanges() bool { return len(s.keys) > 1 }

// sealSize is how many bytes a seal has as text.
const sealSize = 43

// mac is the seal of a body at a place: a key in Redis, and whatever else the record
// belongs to.
func mac(key, body []byte, place []string) []byte {
	h := hmac.New(sha256.New, key)
	var buffer [64]byte
	length := buffer[:8]
	for _, part := range place { // each with its length, so that no two places read the same
		binary.BigEndian.PutUint64(length, uint64(len(part)))
		h.Write(length)
		h.Write([]byte(part))
	}
	binary.BigEndian.PutUint64(length, uint64(len(place)))
	h.Write(length)
	h.Write(body)
	text := make([]byte, sealSize)
	base64.RawURLEncoding.Encode(text, h.Sum(buffer[:0]))
	return text
}

// Sum is the seal of a body; empty if there is no key.
func (s *Seal) Sum(body []byte, place ...string) string {
	if !s.Seals() {
		return ""
	}
	return string(mac(s.keys[0], body, place))
}

// Check compares a seal with its body. The error is ErrForged, which is counted and
// logged. key says which key made the seal: 0 is the one that signs now.
func (s *Seal) Check(seal string, body []byte, place ...string) (key int, err error) {
	if !s.Seals() {
		return 0, nil
	}
	for i, key := range s.keys {
		if hmac.Equal([]byte(seal), mac(key, body, place)) {
			return i, nil
		}
	}
	s.Refuse("it has no valid seal", place...)
	return 0, ErrForged
}

// The last field of a sealed object.
const (
	sealBegin = `,"seal":"`
	sealEnd   = `"}`
)

// JSON adds its seal to a JSON object that is not empty. A Tapedeck without a key, or
// from before there were seals, reads the object as it was.
func (s *Seal) JSON(object []byte, place ...string) []byte {
	if !s.Seals() {
		return object
	}
	body := object[:len(object)-1] // without the brace at the end
	return slices.Concat(body, []byte(sealBegin), mac(s.keys[0], body, place), []byte(sealEnd))
}

// CheckJSON is Check for an object that JSON has sealed.
func (s *Seal) CheckJSON(object []byte, place ...string) (key int, err error) {
	text, whole := bytes.CutSuffix(object, []byte(sealEnd))
	at := len(text) - sealSize - len(sealBegin)
	if !whole || at < 0 || string(text[at:at+len(sealBegin)]) != sealBegin {
		return s.Check("", object, place...)
	}
	return s.Check(string(text[at+len(sealBegin):]), text[:at], place...)
}

// Text puts its seal before a text.
func (s *Seal) Text(text []byte, place ...string) []byte {
	return append([]byte(s.Sum(text, place...)), text...)
}

// OpenText returns the text without its seal. The error is ErrForged.
func (s *Seal) OpenText(sealed []byte, place ...string) ([]byte, error) {
	size := 0
	if s.Seals() {
		size = min(sealSize, len(sealed))
	}
	text := sealed[size:]
	_, err := s.Check(string(sealed[:size]), text, place...)
	return text, err
}

// Refuse counts a record that is not believed, and logs it once a minute at most. The
// first part of its place is its key in Redis.
func (s *Seal) Refuse(reason string, place ...string) {
	if s.conn.cfg.OnForged != nil {
		s.conn.cfg.OnForged(s.record)
	}
	now, before := time.Now().UnixNano(), s.said.Load()
	if before != 0 && now-before < int64(sayEvery) || !s.said.CompareAndSwap(before, now) {
		return
	}
	s.conn.log.Error("record in redis is not believed: who else writes to this redis, or does an instance have another store.key_file?",
		"record", s.record, "key", place[0], "reason", reason)
}
