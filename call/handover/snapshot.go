// Package handover has the state of a call that survives a restart of Tapedeck or
// goes to another instance. Everything that is handed over is derived from one type,
// Snapshot: the channel variable on the recorded leg, the entry in Redis, and the
// draft beside the file. The package is pure.
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

// Variable is the channel variable that holds the snapshot on the recorded leg.
// FreeSWITCH keeps it exactly as long as the call. It is set in the same write as
// the commands that follow from it, before them, so it is never older than what
// FreeSWITCH was told to do.
const Variable = "tapedeck_live"

// Snapshot is what an instance needs to take a call over. Its JSON names are a
// contract between versions of Tapedeck.
type Snapshot struct {
	Version       int             `json:"v"`
	Owner         string          `json:"owner"` // instance of Tapedeck
	Token         int64           `json:"token"` // grows with each change of owner
	Serial        int64           `json:"serial"`
	WishedSince   time.Time       `json:"at"` // when the wish (speech, silence or nothing) changed last
	Changed       time.Time       `json:"changed"`
	Call          string          `json:"call"`
	Organisation  string          `json:"org"`
	Direction     flow.Direction  `json:"direction"`
	Switch        string          `json:"switch"`
	First         string          `json:"first"`
	Anchor        string          `json:"anchor,omitempty"`
	Peer          string          `json:"peer,omitempty"`
	External      string          `json:"external,omitempty"`
	Began         time.Time       `json:"began"`
	Answered      time.Time       `json:"answered,omitzero"`
	Passed        []Step          `json:"passed,omitempty"`
	LastLeft      string          `json:"away,omitempty"`
	On            bool            `json:"on,omitempty"`
	Guard         bool            `json:"guard,omitempty"`
	Person        toggle.Person   `json:"person,omitempty"`
	Method        string          `json:"method,omitempty"`
	User          string          `json:"user,omitempty"`
	Account       string          `json:"account,omitempty"` // the account that pressed by the API, in the user's name
	Pressed       time.Time       `json:"pressed,omitzero"`
	File          toggle.File     `json:"file,omitempty"` // at most Open, or Closed: whether it is masked is for FreeSWITCH to say
	Doomed        bool            `json:"doomed,omitempty"`
	Part          int             `json:"part"`
	PartBegan     time.Time       `json:"part_began,omitzero"`
	PartConfirmed bool            `json:"part_told,omitempty"` // PartBegan is from RECORD_START
	Disclaimed    bool            `json:"disclaimed,omitempty"`
	Problems      toggle.Problem  `json:"problems,omitempty"`
	Decided       recording.Cause `json:"decided,omitzero"`
	Trigger       string          `json:"trigger,omitempty"`
	By            string          `json:"by,omitempty"`
	Guest         bool            `json:"guest,omitempty"` // the talk is in the files of other calls of a conference room
}

// Step is one element of the chain, with the leg of a user who is on the call.
type Step struct {
	Element string       `json:"e"`
	Setting flow.Setting `json:"s,omitempty"`
	Leg     string       `json:"leg,omitempty"`
}

// Version is the version of snapshots that this Tapedeck writes and reads.
const Version = 1

// maxBytes is the greatest length of an encoded snapshot.
const maxBytes = 32 << 10

// Encode returns the snapshot as text of letters, digits, - and _ only, so that no
// channel variable or event can distort it.
func (s Snapshot) Encode() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("handover: encode: %v", err)) // plain data
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Stable is the encoded snapshot without what changes by itself. Two snapshots that
// say the same have the same Stable.
func (s Snapshot) Stable() string {
	s.Serial, s.Changed = 0, time.Time{}
	return s.Encode()
}

// EncodeShort is Encode, with a text of at most maxBytes. If the snapshot is too
// long, it loses the elements that decide nothing. If it is still too long, the text
// is "": no snapshot is better than an old one, and no command may fail because of
// it.
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

// Read decodes a snapshot that another Tapedeck, or this one before a restart, has
// written. It trusts the text: whoever can set channel variables can do more harm
// without it.
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
	case s.Call == "" || s.First == "" || s.Part < 1 || s.File > toggle.Closed || s.Person > toggle.TurnedOff:
		return s, fmt.Errorf("handover: snapshot of call %.40q is not whole", s.Call)
	}
	return s, nil
}

// Holder is the leg that has the snapshot.
func (s Snapshot) Holder() string {
	if s.Anchor != "" {
		return s.Anchor
	}
	return s.First
}

// AnsweredOn is the snapshot as it counts on a leg that has been answered. A snapshot that the
// outside party's leg has inherited does not say yet who has answered the outgoing call:
// that leg has.
func (s Snapshot) AnsweredOn(leg string) Snapshot {
	if s.Anchor == "" && leg != s.First {
		s.Anchor = leg
		s.Serial++
	}
	return s
}

// State is the state of the recording in the snapshot.
func (s Snapshot) State() toggle.State {
	return toggle.State{On: s.On, Guard: s.Guard, Person: s.Person, Answered: !s.Answered.IsZero(), File: s.File,
		Begun: s.File >= toggle.Open, Doomed: s.Doomed, Problems: s.Problems}
}

// LiveCall is the call's entry in Redis, as far as the snapshot knows it. text is
// the encoded snapshot.
func (s Snapshot) LiveCall(text string) calls.Call {
	return calls.Call{ID: s.Call, Organisation: s.Organisation, Direction: s.Direction, Switch: s.Switch, Leg: s.First, Anchor: s.Anchor,
		External: s.External, State: calls.Off, Started: s.Began, Answered: s.Answered, Owner: s.Owner, Token: s.Token,
		Snapshot: text}
}

// Draft is a draft of the call's last file made from the snapshot alone, for an
// owner that was killed before it wrote one.
func (s Snapshot) Draft() recording.Sidecar {
	d := recording.Sidecar{
		Version: recording.Version, Call: s.Call, Organisation: s.Organisation, Direction: s.Direction.String(), External: s.External,
		Switch: s.Switch, Anchor: s.Holder(), Started: s.Began, Answered: s.Answered, Trigger: s.Trigger, RequestedBy: s.By, Decided: s.Decided,
	}
	if s.Part > 1 {
		d.Part = s.Part
	}
	state := recording.StateRecording
	switch {
	case s.File != toggle.ArmedMasked:
	case s.State().Wanted():
		state = recording.StateWaiting
	default:
		state = recording.StatePaused
	}
	d.Spans = []recording.Span{{State: state, Cause: s.Decided}}
	for _, p := range s.Passed {
		el, err := flow.ParseElement(p.Element)
		if err != nil {
			continue
		}
		d.Trace = append(d.Trace, recording.Note{At: s.Began, What: recording.NoteEntered, Element: p.Element, Setting: p.Setting.String()})
		switch {
		case el.Kind == flow.Number:
			d.Number = el.ID
		case el.Kind == flow.User && !slices.Contains(d.Users, el.ID):
			d.Users = append(d.Users, el.ID)
		}
	}
	return d
}

// Richer returns the drafts of a call that know more of it: history, or those of the
// call among drafts, which lie on the disk. The longer trace knows more.
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
