package calls

import (
	"encoding/json"
	"time"

	"tapedeck/flow"
)

// State is what the recording of a live call does.
type State string

// The states of a recording, as in the channel variable tapedeck_state.
const (
	Off    State = "off"
	On     State = "on"
	Paused State = "paused"
)

// Version is the layout of Call in Redis.
const Version = 2

// Call is what Redis knows of a live call: enough for another Tapedeck, or this
// one after a restart, to follow it further.
type Call struct {
	Version      int            `json:"version"` // set by Save
	ID           string         `json:"id"`
	Organisation string         `json:"organisation"`
	Direction    flow.Direction `json:"direction"`
	Switch       string         `json:"switch"`           // name of the FreeSWITCH
	Leg          string         `json:"leg"`              // UUID of the leg that came first
	Anchor       string         `json:"anchor,omitempty"` // UUID of the leg that is recorded
	File         string         `json:"file,omitempty"`   // path of the recording
	State        State          `json:"state"`
	Chain        flow.Chain     `json:"chain,omitempty"`
	Users        []string       `json:"users,omitempty"` // who is in the call now
	Started      time.Time      `json:"started"`
	External     string         `json:"external,omitempty"` // the outside party's number, as it came
	Number       string         `json:"number,omitempty"`   // the organisation's, in E.164
	Answered     time.Time      `json:"answered,omitzero"`
	Since        time.Time      `json:"since,omitzero"` // since when State is what it is
	Because      Cause          `json:"because,omitzero"`
	Locked       bool           `json:"locked,omitempty"` // by force or never: people cannot turn it on or off

	// Owner is the instance that the call belongs to. Token grows with each new
	// owner, and when an owner has stood still and comes back. Save sets
	// Owner, and raises a Token that is lower than the one it knows, or than 1.
	Owner string `json:"owner"`
	Token int64  `json:"token"`
	// Snapshot is package call's snapshot, opaque here. Draft is the list of
	// the drafts of its files, as JSON.
	Snapshot string          `json:"control,omitempty"`
	Draft    json.RawMessage `json:"draft,omitempty"`
}

// Cause is why the recording of a live call is in its state: the setting of an
// element, or a person. All fields empty: neither.
type Cause struct {
	Element string `json:"element,omitempty"`
	Setting string `json:"setting,omitempty"`
	Toggle  string `json:"toggle,omitempty"` // the method
	User    string `json:"user,omitempty"`
	By      string `json:"by,omitempty"` // the account that asked for it, in the user's name
}
