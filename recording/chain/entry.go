// Package chain is the form of the evidence log: entries of which each names the hash
// of the one before, and checkpoints that are signed. It also finds what was changed in
// such a log, and in the audit log and the sidecars that the log tells of. It only
// computes: package evidence has the files.
package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kinds of entries.
const (
	Begun      = "begun"      // the first entry of a log
	Line       = "line"       // a line of the audit log
	Sidecar    = "sidecar"    // a sidecar that is written
	Removed    = "removed"    // files of a recording that nobody wanted, which are removed
	Undone     = "undone"     // what an earlier entry says could not be done
	Recovered  = "recovered"  // what was found and mended after a process had been killed
	Damaged    = "damaged"    // the log was found damaged or cut by a process that wrote to it
	Checkpoint = "checkpoint" // the log up to here, signed if there is a key
)

// MaxLine is the longest line of a log, in bytes.
const MaxLine = 64 << 10

// Entry is one line of an evidence log. Kind says which of the other fields are set.
type Entry struct {
	Seq  int64     `json:"seq"`  // from 1, without gaps
	Prev string    `json:"prev"` // the hash of the entry before; empty in the first one
	At   time.Time `json:"at"`
	Kind string    `json:"kind"`

	Log   string `json:"log,omitempty"`   // begun, checkpoint: the log's id
	Size  int64  `json:"size,omitempty"`  // begun: bytes that the audit log had already
	Sum   string `json:"sum,omitempty"`   // begun: their SHA-256
	Older bool   `json:"older,omitempty"` // begun: there were recordings already, of which the log knows nothing

	Line json.RawMessage `json:"line,omitempty"` // line: as it stands in the audit log

	Organisation string `json:"organisation,omitempty"` // sidecar, removed; line: if it tells of a deletion
	Recording    string `json:"recording,omitempty"`    // the same: its id
	File         string `json:"file,omitempty"`         // sidecar: its path below the recordings folder
	Sidecar      string `json:"sidecar,omitempty"`      // sidecar: SHA-256 of the file that is written
	Was          string `json:"was,omitempty"`          // sidecar: SHA-256 of the file that it replaces; empty: there was none
	Sound        string `json:"sound,omitempty"`        // sidecar: SHA-256 of the sound file; empty: there is none

	Of   int64  `json:"of,omitempty"`   // undone, recovered: the entry that it is about
	Torn string `json:"torn,omitempty"` // recovered: SHA-256 of a line of the audit log that has no end
	Why  string `json:"why,omitempty"`  // for people; checkpoint: start, hour, stop or key

	Key       string `json:"key,omitempty"`       // checkpoint: the id of the key that signed
	Signature string `json:"signature,omitempty"` // checkpoint: in base64

	Hash string `json:"-"` // of the entry; the line has it at its end
}

// The end of each line: the SHA-256 of all that stands before.
const (
	hashMark = `,"hash":"`
	hashEnd  = `"}`
	tailSize = len(hashMark) + 2*sha256.Size + len(hashEnd)

	// AfterHash is how many bytes of a line, with its end, come after its hash.
	AfterHash = len(hashEnd) + len("\n")
)

// Encode returns the entry as a line with its end, and sets its hash.
func (e *Entry) Encode() ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("chain: encode: %w", err)
	}
	text = text[:len(text)-1]
	e.Hash = SumOf(text)
	text = append(text, hashMark+e.Hash+hashEnd+"\n"...)
	if len(text) > MaxLine {
		return nil, fmt.Errorf("chain: encode: the entry has %d bytes, more than %d", len(text), MaxLine)
	}
	return text, nil
}

// errFlipped: a line is not what was written.
var errFlipped = errors.New("chain: the line does not have the hash that it names")

// Decode reads a line without its end. It refuses one of which a single bit is not as
// it was written.
func Decode(line []byte) (Entry, error) {
	if len(line) <= tailSize || len(line) > MaxLine {
		return Entry{}, errFlipped
	}
	text, tail := line[:len(line)-tailSize], string(line[len(line)-tailSize:])
	hash, marked := strings.CutPrefix(strings.TrimSuffix(tail, hashEnd), hashMark)
	if !marked || !strings.HasSuffix(tail, hashEnd) || hash != SumOf(text) {
		return Entry{}, errFlipped
	}
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, fmt.Errorf("chain: decode: %w", err)
	}
	e.Hash = hash
	return e, nil
}

// SumOf returns a SHA-256 in hexadecimal.
func SumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
