package store

import (
	"errors"
	"slices"
	"strings"
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
	Limit         int       // how many at most; 0 means DefaultLimit
	User          string    // who was on the call
	Number        string    // either party
	Trigger       string
	OnlyProblems  bool
	Text          string // in the ids, numbers, users or groups, in whatever case
	Group         string // a ring group on the call's way
	Only          Only
}

// Only is what whoever asks may see at all.
type Only struct {
	User   string   // calls in which this user talked; "": whoever did
	Groups []string // calls that came by one of these ring groups; none: whatever way
}

// DefaultLimit is the Limit of a Query that has none.
const DefaultLimit = 100

// ErrUnknown: there is no such recording in the index.
var ErrUnknown = errors.New("unknown recording")

// before reports whether c comes before d in the list, which is the newest first.
func (c Cursor) before(d Cursor) bool {
	if a, b := c.Started.UnixMilli(), d.Started.UnixMilli(); a != b {
		return a > b
	}
	if c.ID != d.ID {
		return c.ID > d.ID
	}
	return c.Organisation > d.Organisation
}

// matches reports whether a recording is wanted, but for its time and place.
func (q *Query) matches(r *Recording) bool {
	switch {
	case q.User != "" && !slices.Contains(r.Users, q.User),
		q.Number != "" && q.Number != r.Number && q.Number != r.External,
		q.Group != "" && !slices.Contains(r.Groups, q.Group),
		q.Only.User != "" && !slices.Contains(r.Users, q.Only.User),
		len(q.Only.Groups) > 0 && !slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(q.Only.Groups, g) }),
		q.Trigger != "" && q.Trigger != r.Trigger,
		q.OnlyProblems && len(r.Problems) == 0:
		return false
	}
	return q.Text == "" || r.mentions(strings.ToLower(q.Text))
}

func (r *Recording) mentions(text string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	return has(r.ID) || has(r.Call) || has(r.External) || has(r.Number) || has(r.RequestedBy) ||
		slices.ContainsFunc(r.Users, has) || slices.ContainsFunc(r.Groups, has)
}
