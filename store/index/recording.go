package index

import (
	"errors"
	"time"
)

// Recording is what the index knows of one file of a call. The sidecar beside the
// file is the truth.
type Recording struct {
	ID           string    `json:"id"` // the stem of the file's name
	Organisation string    `json:"organisation"`
	Call         string    `json:"call"`
	Part         int       `json:"part,omitempty"`
	Path         string    `json:"path"` // relative to the folder of the recordings
	Direction    string    `json:"direction,omitempty"`
	External     string    `json:"external,omitempty"`
	Number       string    `json:"number,omitempty"`
	Users        []string  `json:"users,omitempty"`
	Groups       []string  `json:"groups,omitempty"`
	Trigger      string    `json:"trigger,omitempty"`
	RequestedBy  string    `json:"requested_by,omitempty"`
	Started      time.Time `json:"started"`
	Ended        time.Time `json:"ended,omitzero"`
	DurationMS   int64     `json:"duration_ms"`
	PausedMS     int64     `json:"paused_ms,omitempty"`
	Bytes        int64     `json:"bytes"`
	SHA256       string    `json:"sha256,omitempty"`
	Complete     bool      `json:"complete"`
	Problems     []string  `json:"problems,omitempty"`
	Held         bool      `json:"held,omitempty"`
}

// Cursor is a place in the order of the index: by the millisecond in which a
// recording started, then by ID (UUIDs after others), then by organisation.
type Cursor struct {
	Started          time.Time
	ID, Organisation string
}

// Cursor is the place of the recording.
func (r Recording) Cursor() Cursor { return Cursor{r.Started, r.ID, r.Organisation} }

// Query says which recordings are wanted: those that fit all of its fields. An
// empty field fits every recording. Names are compared exactly, but for Text.
type Query struct {
	Organisations []string  // in one of these; none: in any
	From, To      time.Time // started not before From, and before To; both to the millisecond
	Before        Cursor    // those that come after this one in the list, which is the newest first
	Limit         int       // how many at most; 0 means DefaultLimit
	User          string    // one of Users
	Number        string    // External or Number, in whatever notation: +44 20 7946 0001 is 00442079460001
	Trigger       string    // automatic or on-demand, as Trigger has it
	OnlyProblems  bool      // those that have Problems
	// Text is up to 8 words, all of which a recording must have, in upper or lower
	// case. A recording has a word if one of Users or Groups, RequestedBy or ID begins
	// with it. A word of digits only (or also + - . / and brackets) is a number: then
	// a recording also has it if External or Number begins or ends with these digits.
	// At the beginning, the 00 of an international number does not count. At the end,
	// the 0 before a national number of six digits or more does not count. A number
	// with a + is compared with the beginning only. A text that can only be a number
	// is one word, whatever spaces it has. Something else in place of a number
	// (anonymous) is found by its beginning.
	Text  string
	Group string // one of Groups: a ring group on the call's way
	Only  Only
}

// Only is the part of the index that the one who asks may see.
type Only struct {
	User   string   // must be one of Users; "": no limit
	Groups []string // one of Groups must be one of these; none: no limit
}

// DefaultLimit is the Limit of a Query that has none.
const DefaultLimit = 100

// ErrUnknown: there is no such recording in the index.
var ErrUnknown = errors.New("unknown recording")
