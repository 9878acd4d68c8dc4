package recording

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tapedeck/internal/tidy"
)

// Version is the version of the sidecars that this package writes and reads.
const Version = 1

// Sidecar is all that is known of one recording, which is one file of a call
// (docs/design.md, section 8). A call whose recording ended while it was still
// wanted has several recordings, its parts. Times are written in UTC, to the
// millisecond.
type Sidecar struct {
	Version      int       `json:"version"`
	Call         string    `json:"call"`
	Part         int       `json:"part,omitempty"` // 0 and 1 mean the first
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
	Trigger      string    `json:"trigger"`                // TriggerAutomatic or TriggerOnDemand
	RequestedBy  string    `json:"requested_by,omitempty"` // the user of TriggerOnDemand
	Decided      Cause     `json:"decided"`                // what decided when the recording began
	File         *File     `json:"file"`                   // nil: a file was wanted, but there is none
	Spans        []Span    `json:"spans"`                  // without gaps, from 0 to the file's end
	Trace        []Note    `json:"trace"`
	Previous     string    `json:"previous,omitempty"` // file name of the part before
	Next         string    `json:"next,omitempty"`     // file name of the part after
	Hold         *Hold     `json:"hold,omitempty"`
	Complete     bool      `json:"complete"` // the file exists and holds all that it should
	Problems     []string  `json:"problems"`
}

// File is the sound file. Until Examine has read it, only Name, Parties, Began,
// Concluded and Stopped are set.
type File struct {
	Name       string    `json:"name"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"` // hexadecimal, of the whole file
	DurationMS int64     `json:"duration_ms"`
	Channels   int       `json:"channels"`
	Parties    []string  `json:"parties,omitempty"`   // whose voices each channel has: PartyOwn and so on; nil: not known
	Rate       int       `json:"rate"`                // samples of one channel in a second
	Began      time.Time `json:"began,omitzero"`      // RECORD_START
	Concluded  bool      `json:"concluded,omitempty"` // RECORD_START did not come: Began is the end less the length
	Stopped    time.Time `json:"stopped,omitzero"`    // RECORD_STOP
}

// The values of File.Parties.
const (
	PartyOwn   = "own"   // the recorded leg's own voice
	PartyHeard = "heard" // what that leg hears
	PartyBoth  = "both"
)

// Mixed reports whether the file has several channels, and both parties in each.
func (f File) Mixed() bool {
	return len(f.Parties) > 1 && !slices.ContainsFunc(f.Parties, func(p string) bool { return p != PartyBoth })
}

// Span is a stretch of the file that holds one thing, in milliseconds of the file.
// It is certain from FromMS on. Its state may have begun up to SlackMS before,
// because FreeSWITCH confirmed nothing for so long.
//
// While a caller waits in a queue (mod_fifo), or the recorded phone holds the other
// party and sends nothing, FreeSWITCH writes nothing. Such time is
// a span of StateWaiting without length, whose WaitedMS says how long it lasted.
type Span struct {
	FromMS   int64  `json:"from_ms"`
	ToMS     int64  `json:"to_ms"`
	SlackMS  int64  `json:"slack_ms,omitempty"`
	WaitedMS int64  `json:"waited_ms,omitempty"` // time that passed here and is not in the file
	State    string `json:"state"`               // StateRecording, StatePaused or StateWaiting
	Cause    Cause  `json:"cause"`
}

// Silent reports whether the file is silent in the span because of its state.
func (s Span) Silent() bool { return s.State == StatePaused || s.State == StateWaiting }

// gap reports whether the span is time in which FreeSWITCH wrote nothing.
func (s Span) gap() bool { return s.WaitedMS > 0 && s.ToMS <= s.FromMS }

// Cause is why a file holds what it holds: an element's setting, or a person's press.
type Cause struct {
	Element string `json:"element,omitempty"` // kind/id, as in the policy
	Setting string `json:"setting,omitempty"` // of the element; or Undecided, without one
	Toggle  string `json:"toggle,omitempty"`  // the method of the press, or AutoResume
	User    string `json:"user,omitempty"`    // who pressed
	By      string `json:"by,omitempty"`      // the account that asked for it, in the user's name
}

// Wants reports whether the cause is the setting of an element that asks for
// recording.
func (c Cause) Wants() bool { return c.Setting == "yes" || c.Setting == "force" }

// Awaited reports whether a cause of silence is nobody's wish: Tapedeck waited until
// it was known who would answer.
func (c Cause) Awaited() bool { return c.Toggle == "" && (c.Wants() || c.Setting == Undecided) }

// Note is one line of a call's trace. What says what happened, and so which of the
// other fields are set.
type Note struct {
	At      time.Time `json:"at"`
	What    string    `json:"what"`              // NoteEntered and so on
	Element string    `json:"element,omitempty"` // entered, left
	Setting string    `json:"setting,omitempty"` // entered: what the element says in the call's direction
	Method  string    `json:"method,omitempty"`  // pressed, undone: a toggle.Method, or AutoResume
	User    string    `json:"user,omitempty"`    // pressed, undone: who; empty for the outside party. disclaimer: who heard it, "outside party" or "user"
	By      string    `json:"by,omitempty"`      // pressed, undone: the account that asked for it by the API
	Result  string    `json:"result,omitempty"`  // pressed, disclaimer: what came of it; failed: the problem; unknown: what was looked up; file: the part; cut: how much
	State   string    `json:"state,omitempty"`   // told: off, on or paused
	Call    string    `json:"call,omitempty"`    // joined, dissolved, replaced: id of the other call; pressed: of the one in which it was pressed
}

// Hold keeps a recording from being deleted.
type Hold struct {
	By     string    `json:"by"` // the account, or the login name on the command line
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// ID returns the recording's id, which is its file's name without ".wav".
func (s Sidecar) ID() string { return ID(s.Call, s.Part) }

// AddProblem adds a problem, unless the sidecar has it already. Detail may be empty,
// and may come from outside.
func (s *Sidecar) AddProblem(code, detail string) {
	if detail = tidy.Text(detail, maxProblem); detail != "" {
		code += ": " + detail
	}
	if !slices.Contains(s.Problems, code) {
		s.Problems = append(s.Problems, code)
	}
}

// HasProblem reports whether the sidecar has a problem with this code.
func (s *Sidecar) HasProblem(code string) bool {
	return slices.ContainsFunc(s.Problems, func(p string) bool { return ProblemCode(p) == code })
}

// ProblemCode returns the code of a problem, without its detail.
func ProblemCode(problem string) string {
	code, _, _ := strings.Cut(problem, ":")
	return code
}

// clone returns a copy that shares nothing with s.
func (s Sidecar) clone() Sidecar {
	s.Users, s.Spans = slices.Clone(s.Users), slices.Clone(s.Spans)
	s.Trace, s.Problems = slices.Clone(s.Trace), slices.Clone(s.Problems)
	if s.File != nil {
		file := *s.File
		file.Parties = slices.Clone(file.Parties)
		s.File = &file
	}
	if s.Hold != nil {
		hold := *s.Hold
		s.Hold = &hold
	}
	return s
}

// MarshalJSON writes empty lists as [], times in UTC to the millisecond, and texts
// cut and made harmless.
func (s Sidecar) MarshalJSON() ([]byte, error) {
	type plain Sidecar // without this method
	return json.Marshal(plain(s.tidy()))
}
