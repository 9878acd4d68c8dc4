package recording

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tapedeck/internal/tidy"
)

// Version is that of the sidecars which this package writes and reads.
const Version = 1

// Sidecar is what is known of one recording, which is one file of a call
// (docs/design.md, section 8). A call whose recording ended although it was still
// wanted has several, its parts. Times are written in UTC, to the millisecond.
type Sidecar struct {
	Version      int       `json:"version"`
	Call         string    `json:"call"`
	Part         int       `json:"part,omitempty"` // 0 and 1 are the first
	Organisation string    `json:"organisation"`
	Direction    string    `json:"direction"`
	External     string    `json:"external"` // the outside party's number, as it came
	Number       string    `json:"number"`   // the organisation's, in E.164
	Users        []string  `json:"users"`    // who talked, in order
	Switch       string    `json:"switch"`
	Anchor       string    `json:"anchor"`
	Started      time.Time `json:"started,omitzero"`
	Answered     time.Time `json:"answered,omitzero"`
	Ended        time.Time `json:"ended,omitzero"`
	Trigger      string    `json:"trigger"` // automatic or on-demand
	RequestedBy  string    `json:"requested_by,omitempty"`
	Decided      Cause     `json:"decided"` // what decided when the recording began
	File         *File     `json:"file"`    // nil: wanted, but there is none
	Spans        []Span    `json:"spans"`   // without gaps from 0 to the file's end
	Trace        []Note    `json:"trace"`
	Previous     string    `json:"previous,omitempty"` // file name of the part before
	Next         string    `json:"next,omitempty"`     // file name of the part after
	Hold         *Hold     `json:"hold,omitempty"`
	Complete     bool      `json:"complete"` // the file is there and holds all that it should
	Problems     []string  `json:"problems"`
}

// File is the audio. Until it was examined only Name, Began and Stopped are known.
type File struct {
	Name       string    `json:"name"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"` // hexadecimal, of the whole file
	DurationMS int64     `json:"duration_ms"`
	Channels   int       `json:"channels"`
	Rate       int       `json:"rate"`                // samples of one channel in a second
	Began      time.Time `json:"began,omitzero"`      // RECORD_START
	Concluded  bool      `json:"concluded,omitempty"` // Began was not told: it is the end less the length
	Stopped    time.Time `json:"stopped,omitzero"`    // RECORD_STOP
}

// Span is a stretch of the file, in milliseconds of the file. It holds its state
// from FromMS on for certain, and may have since up to SlackMS before, when
// nothing was confirmed for so long.
type Span struct {
	FromMS  int64  `json:"from_ms"`
	ToMS    int64  `json:"to_ms"`
	SlackMS int64  `json:"slack_ms,omitempty"`
	State   string `json:"state"`
	Cause   Cause  `json:"cause"`
}

// Cause is why a file holds what it holds: an element's setting, or a person.
type Cause struct {
	Element string `json:"element,omitempty"`
	Setting string `json:"setting,omitempty"`
	Toggle  string `json:"toggle,omitempty"`
	User    string `json:"user,omitempty"`
	By      string `json:"by,omitempty"` // the account that asked for it, in the user's name
}

// Wants reports whether the cause asks for speech in the file, as far as it is an
// element's.
func (c Cause) Wants() bool { return c.Setting == "yes" || c.Setting == "force" }

// Awaited reports whether a cause for silence is nobody's wish: it was only to be
// known first who would answer.
func (c Cause) Awaited() bool { return c.Toggle == "" && (c.Wants() || c.Setting == Undecided) }

// Note is one line of a call's trace.
type Note struct {
	At      time.Time `json:"at"`
	What    string    `json:"what"`
	Element string    `json:"element,omitempty"` // entered, left
	Setting string    `json:"setting,omitempty"` // entered: what the element says in the call's direction
	Method  string    `json:"method,omitempty"`  // pressed, undone: dtmf, record_key, blind_transfer, api or auto_resume
	User    string    `json:"user,omitempty"`    // pressed, undone: who; empty for the outside party
	By      string    `json:"by,omitempty"`      // pressed, by the API: the account that asked for it
	Result  string    `json:"result,omitempty"`  // pressed: ok or why not; failed: the reply; disclaimer: heard or cut
	State   string    `json:"state,omitempty"`   // told: off, on or paused
}

// Hold keeps a recording from being deleted.
type Hold struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Stem is the recording's id, and its file's name without ".wav".
func (s Sidecar) ID() string { return ID(s.Call, s.Part) }

// AddProblem adds a problem, unless it is there already. Detail may be empty,
// and hostile.
func (s *Sidecar) AddProblem(code, detail string) {
	if detail = tidy.Text(detail, maxProblem); detail != "" {
		code += ": " + detail
	}
	if !slices.Contains(s.Problems, code) {
		s.Problems = append(s.Problems, code)
	}
}

// HasProblem reports whether there is a problem with the code.
func (s *Sidecar) HasProblem(code string) bool {
	return slices.ContainsFunc(s.Problems, func(p string) bool { return ProblemCode(p) == code })
}

// ProblemCode is a problem without its detail.
func ProblemCode(problem string) string {
	code, _, _ := strings.Cut(problem, ":")
	return code
}

// clone shares nothing with s.
func (s Sidecar) clone() Sidecar {
	s.Users, s.Spans = slices.Clone(s.Users), slices.Clone(s.Spans)
	s.Trace, s.Problems = slices.Clone(s.Trace), slices.Clone(s.Problems)
	if s.File != nil {
		file := *s.File
		s.File = &file
	}
	if s.Hold != nil {
		hold := *s.Hold
		s.Hold = &hold
	}
	return s
}

// MarshalJSON writes lists that are empty as [], and times in UTC to the millisecond.
func (s Sidecar) MarshalJSON() ([]byte, error) {
	type plain Sidecar // without this method
	return json.Marshal(plain(s.tidy()))
}
