// Package handover is the state of a call that survives a restart of Tapedeck, or
// goes to another instance. One type, Snapshot, is what all of it is derived from:
// the channel variable on the recorded leg, the entry in Redis, and the draft
// beside the file. It is pure.
package handover

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// Variable is the channel variable that holds the snapshot on the recorded leg:
// FreeSWITCH itself keeps it, exactly as long as the call. It goes out in one write
// with the commands that follow from it, before them, so it is never behind what
// FreeSWITCH was told.
const Variable = "tapedeck_live"

// Snapshot is what a Tapedeck needs that takes the call over.
type Snapshot struct {
	Version      int             `json:"v"`
	Owner        string          `json:"owner"` // instance of Tapedeck
	Token        int64           `json:"token"` // grows with each change of owner
	Serial       int64           `json:"serial"`
	At           time.Time       `json:"at"` // since when what is to be written is what it is
	Changed      time.Time       `json:"changed"`
	Call         string          `json:"call"`
	Organisation string          `json:"org"`
	Direction    flow.Direction  `json:"direction"`
	Switch       string          `json:"switch"`
	First        string          `json:"first"`
	Anchor       string          `json:"anchor,omitempty"`
	Peer         string          `json:"peer,omitempty"`
	External     string          `json:"external,omitempty"`
	Began        time.Time       `json:"began"`
	Answered     time.Time       `json:"answered,omitzero"`
	Passed       []Step          `json:"passed,omitempty"`
	Away         string          `json:"away,omitempty"`
	On           bool            `json:"on,omitempty"`
	Guard        bool            `json:"guard,omitempty"`
	Person       toggle.Person   `json:"person,omitempty"`
	Method       string          `json:"method,omitempty"`
	User         string          `json:"user,omitempty"`
	Account      string          `json:"account,omitempty"` // that pressed, in the user's name
	Pressed      time.Time       `json:"pressed,omitzero"`
	File         toggle.File     `json:"file,omitempty"` // at most Open, or Closed: what is confirmed besides does not count
	Doomed       bool            `json:"doomed,omitempty"`
	Part         int             `json:"part"`
	PartBegan    time.Time       `json:"part_began,omitzero"`
	PartTold     bool            `json:"part_told,omitempty"` // RECORD_START told PartBegan
	Disclaimed   bool            `json:"disclaimed,omitempty"`
	Problems     toggle.Problem  `json:"problems,omitempty"`
	Decided      recording.Cause `json:"decided,omitzero"`
	Trigger      string          `json:"trigger,omitempty"`
	By           string          `json:"by,omitempty"`
}

// Step is one element of the chain, with the leg of a user who is on the call.
type Step struct {
	Element string       `json:"e"`
	Setting flow.Setting `json:"s,omitempty"`
	Leg     string       `json:"leg,omitempty"`
}

// Version is the version of snapshots that this Tapedeck writes and reads.
const Version = 1

// maxBytes is how long an encoded snapshot may be.
const maxBytes = 32 << 10

// Encode makes text of letters, digits, - and _ alone, which nothing on the way
// can misread.
func (s Snapshot) Encode() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("handover: encode: %v", err)) // plain data
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Stable is the encoded snapshot without what changes by itself: two snapshots
// that say the same have the same one.
func (s Snapshot) Stable() string {
	s.Serial, s.Changed = 0, time.Time{}
	return s.Encode()
}

// EncodeShort is Encode, for where the text may have maxBytes at the most. One
// that is too long loses the elements that decide nothing, or becomes "":
// nothing is better than what was true once, and no command must fail for it.
func (s Snapshot) EncodeShort() (text string, shortened bool) {
	if text = s.Encode(); len(text) <= maxBytes {
		return text, false
	}
	s.Passed = slices.DeleteFunc(s.Passed, func(p Step) bool {
		return p.Setting == flow.DontCare && p.Leg == "" && !strings.HasPrefix(p.Element, string(flow.Number))
	})
	if text = s.Encode(); len(text) > maxBytes {
		return "", true
	}
	return text, true
}

// Read reads what another Tapedeck, or an earlier one, has left. It trusts the
// text: whoever can set variables on a channel can do more than it could.
func Read(text string) (Snapshot, error) {
	var s Snapshot
	if len(text) > maxBytes {
		return s, fmt.Errorf("handover: snapshot has %d bytes, more than %d", len(text), maxBytes)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	switch {
	case err != nil:
		return s, fmt.Errorf("handover: snapshot: %w", err)
	case s.Version != Version:
		return s, fmt.Errorf("handover: snapshot has version %d, this Tapedeck reads %d", s.Version, Version)
	case s.Call == "" || s.First == "" || s.Part < 1 || s.File > toggle.Closed || s.Person > toggle.SwitchedOff:
		return s, fmt.Errorf("handover: snapshot of call %.40q is not whole", s.Call)
	}
	return s, nil
}

// Holder is the leg that the snapshot is kept on.
func (s Snapshot) Holder() string {
	if s.Anchor != "" {
		return s.Anchor
	}
	return s.First
}

// State is the recording as the snapshot has it.
func (s Snapshot) State() toggle.State {
	return toggle.State{On: s.On, Guard: s.Guard, Person: s.Person, Answered: !s.Answered.IsZero(), File: s.File,
		Begun: s.File >= toggle.Open, Doomed: s.Doomed, Problems: s.Problems}
}

// LiveCall is the call as Redis knows it, as far as the snapshot says. text is the
// encoded snapshot.
func (s Snapshot) LiveCall(text string) calls.Call {
	return calls.Call{ID: s.Call, Organisation: s.Organisation, Direction: s.Direction, Switch: s.Switch, Leg: s.First, Anchor: s.Anchor,
		External: s.External, State: calls.Off, Started: s.Began, Answered: s.Answered, Owner: s.Owner, Token: s.Token,
		Snapshot: text}
}

// Draft is what the snapshot alone says of the call's last file: its owner was
// killed before it wrote more down.
func (s Snapshot) Draft() recording.Sidecar {
	d := recording.Sidecar{
		Version: recording.Version, Call: s.Call, Organisation: s.Organisation, Direction: s.Direction.String(), External: s.External,
		Switch: s.Switch, Anchor: s.Holder(), Started: s.Began, Answered: s.Answered, Trigger: s.Trigger, RequestedBy: s.By, Decided: s.Decided,
	}
	if s.Part > 1 {
		d.Part = s.Part
	}
	state := recording.StateRecording
	if s.File == toggle.ArmedMasked {
		state = recording.StatePaused
	}
	d.Spans = []recording.Span{{State: state, Cause: s.Decided}}
	for _, p := range s.Passed {
		el, err := flow.ParseElement(p.Element)
		if err != nil {
			continue
		}
		d.Trace = append(d.Trace, recording.Note{At: s.Began, What: "entered", Element: p.Element, Setting: p.Setting.String()})
		switch {
		case el.Kind == flow.Number:
			d.Number = el.ID
		case el.Kind == flow.User && !slices.Contains(d.Users, el.ID):
			d.Users = append(d.Users, el.ID)
		}
	}
	return d
}

// Richer is the history of a call's files that knows more: the one given, or what
// lies beside the files.
func Richer(call string, history, drafts []recording.Sidecar) []recording.Sidecar {
	var beside []recording.Sidecar
	for _, s := range drafts {
		if s.Call == call {
			beside = append(beside, s)
		}
	}
	if longestTrace(beside) > longestTrace(history) {
		return beside
	}
	return history
}

func longestTrace(history []recording.Sidecar) int {
	most := -1
	for _, s := range history {
		most = max(most, len(s.Trace))
	}
	return most
}
