package store

import (
	"context"
	"errors"
	"iter"
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
// millisecond in which it started, then by ID, then by organisation.
type Cursor struct {
	Started          time.Time
	ID, Organisation string
}

// Cursor is the recording's own place.
func (r Recording) Cursor() Cursor { return Cursor{r.Started, r.ID, r.Organisation} }

// Query says which recordings are wanted. What is empty does not matter.
type Query struct {
	Organisations []string  // none: of all
	From, To      time.Time // when it started: not before From, before To
	Before        Cursor    // those that come after this one in the list, which is the newest first
	Limit         int       // how many at most; 0 means 100
	User          string    // who was on the call
	Number        string    // either party
	Trigger       string
	OnlyProblems  bool
	Text          string // in the ids, numbers, users or groups, in whatever case
}

// ErrUnknown: there is no such recording in the index.
var ErrUnknown = errors.New("unknown recording")

// SaveRecording queues a recording for the index. It never blocks and never
// fails: Run writes recordings in the order in which they were given.
func (s *Store) SaveRecording(r Recording) {}

// DeleteRecording takes a recording out of the index, in the way of SaveRecording.
func (s *Store) DeleteRecording(organisation, id string) {}

// Recordings is a page of the index, the newest first. next is where the next
// page begins (Query.Before); it is zero when there is none.
func (s *Store) Recordings(ctx context.Context, q Query) (list []Recording, next Cursor, err error) {
	return nil, Cursor{}, errors.New("store: recordings: not built yet")
}

// Recording finds one by its id, in these organisations, or, if none is given,
// in any. The error is ErrUnknown if it is in none.
func (s *Store) Recording(ctx context.Context, id string, organisations ...string) (Recording, error) {
	return Recording{}, errors.New("store: recording: not built yet")
}

// Reindex replaces the index by what all yields: what was in it before and is
// not among that goes away at the end. With an error of all nothing goes away.
func (s *Store) Reindex(ctx context.Context, all iter.Seq2[Recording, error]) (indexed, removed int, err error) {
	return 0, 0, errors.New("store: reindex: not built yet")
}
