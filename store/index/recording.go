package index

import (
	"errors"
	"time"
)

// Recording is what the index knows of one file of a call. The sidecar beside
// the file is the truth; Reindex makes the index again from the sidecars.
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

// Cursor is the place of a recording in the order of the index: by the
// millisecond in which it started, then by ID (UUIDs after others), then by
// organisation.
type Cursor struct {
	Started          time.Time
	ID, Organisation string
}

// Cursor is the recording's own place.
func (r Recording) Cursor() Cursor { return Cursor{r.Started, r.ID, r.Organisation} }

// Query says which recordings are wanted: those that fit all of it. What is
// empty does not matter. Names are compared exactly but for Text.
type Query struct {
	Organisations []string  // in one of these; none: in any
	From, To      time.Time // started not before From, and before To; both to the millisecond
	Before        Cursor    // those that come after this one in the list, which is the newest first
	Limit         int       // how many at most; 0 means DefaultLimit
	User          string    // one of Users
	Number        string    // External or Number, in whatever notation: +44 20 7946 0001 is 00442079460001
	Trigger       string    // automatic or on-demand, as Trigger has it
	OnlyProblems  bool      // those that have Problems
	// Text is up to 8 words, all of which must be found, in whatever case. A word
	// is found in a recording if one of Users or Groups, RequestedBy or ID begins
	// with it; if it has digits only (or also + - . / and brackets), also if
	// External or Number begins or ends with these digits. The 00 of an
	// international number does not count then, and nor does the 0 before a
	// national one of six digits or more, whose end is looked for; after a + only
	// the beginning is. A text that can only be a number is one word whatever
	// spaces it has. Numbers that are none (anonymous) are found by their beginning.
	Text  string
	Group string // one of Groups: a ring group on the call's way
	Only  Only
}

// Only is what whoever asks may see at all.
type Only struct {
	User   string   // one of Users: who talked; "": whoever did
	Groups []string // one of Groups is one of these; none: whatever way the call came
}

// DefaultLimit is the Limit of a Query that has none.
const DefaultLimit = 100

// ErrUnknown: there is no such recording in the index.
var ErrUnknown = errors.New("unknown recording")
