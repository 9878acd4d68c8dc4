package flow

import (
	"fmt"
	"time"
)

// Version is the format of policy files that this package reads.
const Version = 1

// Policy is what the policy files say, checked and complete. Load and json.Unmarshal
// make one; a policy put together by hand needs Compile before its methods work.
// After that it is read only, and any number of goroutines may read it. The
// organisations and entries that its methods return belong to it: nobody changes
// them.
type Policy struct {
	Version       int                      `json:"version"`
	Revision      string                   `json:"revision"` // hex SHA-256 of the content: the same content has the same revision
	Region        string                   `json:"region,omitempty"`
	Precedence    Precedence               `json:"precedence"`
	Organisations map[string]*Organisation `json:"organisations,omitempty"` // by id

	numbers map[string]*Organisation // by E.164
	domains map[string]*Organisation // by hostOf
}

// Organisation is one tenant. Its methods work without its policy: json.Unmarshal of
// an organisation alone gives one that is complete.
type Organisation struct {
	ID           string                       `json:"id"`
	Name         string                       `json:"name,omitempty"`
	Brand        string                       `json:"brand,omitempty"`
	Precedence   Precedence                   `json:"precedence"`        // the policy's, set by Compile
	Domains      []string                     `json:"domains,omitempty"` // lower case, without port, sorted
	Recording    bool                         `json:"recording"`         // true when the file does not say
	Disclaimer   *Disclaimer                  `json:"disclaimer,omitempty"`
	OnDemand     OnDemand                     `json:"on_demand,omitzero"`
	Prompts      Prompts                      `json:"prompts,omitzero"`
	Retention    time.Duration                `json:"retention_ns,omitempty"` // 0: recordings are kept for ever
	Numbers      map[string]*NumberEntry      `json:"numbers,omitempty"`      // by E.164, "+44…"
	RingGroups   map[string]*RingGroupEntry   `json:"ring_groups,omitempty"`
	Applications map[string]*ApplicationEntry `json:"applications,omitempty"`
	Users        map[string]*UserEntry        `json:"users,omitempty"`

	extensions map[string]string // user id by extension
	ahead      SettingSets
}

// Disclaimer is the announcement that a call is recorded.
type Disclaimer struct {
	Play string  `json:"play"` // file, as FreeSWITCH's playback reads it
	To   Parties `json:"to"`
}

// Parties says who hears an announcement.
type Parties string

// The parties: the outside party alone, or everybody.
const (
	External Parties = "external"
	Both     Parties = "both"
)

// OnDemand is how an organisation's users may press during a call. The zero value
// grants nothing.
type OnDemand struct {
	DTMF          string        `json:"dtmf,omitempty"`           // digits; empty: off
	RecordKey     bool          `json:"record_key,omitempty"`     // SIP INFO with a Record header
	BlindTransfer string        `json:"blind_transfer,omitempty"` // digits; empty: off
	API           bool          `json:"api,omitempty"`
	AutoResume    time.Duration `json:"auto_resume_ns,omitempty"` // 0: a pause never ends by itself
	StickyPause   bool          `json:"sticky_pause,omitempty"`
}

// Prompts are what an organisation's users hear when they press. The zero value means
// the language and the files of the daemon file.
type Prompts struct {
	Language        string `json:"language,omitempty"`          // folder of a language
	Recorded        string `json:"recorded,omitempty"`          // files, as FreeSWITCH reads them
	IsBeingRecorded string `json:"is_being_recorded,omitempty"` //
	NotPermitted    string `json:"not_permitted,omitempty"`     //
	PauseEndsSoon   string `json:"pause_ends_soon,omitempty"`   //
}

// Grant says which of the organisation's methods one user may use.
type Grant uint8

// The grants (docs/design.md, section 2, rule 7).
const (
	Enable   Grant = iota // all that the organisation grants; the default
	Disable               // none
	Override              // all, and against a lock, too
	grants                // how many there are
)

var grantNames = [grants]string{"enable", "disable", "override"}

// String is the grant's name in the policy file.
func (g Grant) String() string {
	if g >= grants {
		return fmt.Sprintf("Grant(%d)", uint8(g))
	}
	return grantNames[g]
}

// parseGrant reads a grant's name.
func parseGrant(s string) (Grant, error) {
	for g, name := range grantNames {
		if s == name {
			return Grant(g), nil
		}
	}
	return 0, fmt.Errorf("unknown on_demand %q: use enable, disable or override", s)
}

// MarshalText writes the grant's name.
func (g Grant) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText reads the grant's name.
func (g *Grant) UnmarshalText(b []byte) (err error) {
	*g, err = parseGrant(string(b))
	return err
}

// NumberEntry is a telephone number of an organisation.
type NumberEntry struct {
	Record Settings `json:"record,omitzero"`
	Route  Element  `json:"route,omitzero"` // where its inbound calls go first; the zero Element: the file does not say
}

// RingGroupEntry is a group of users that ring together.
type RingGroupEntry struct {
	Record  Settings `json:"record,omitzero"`
	Members []string `json:"members,omitempty"` // user ids
}

// ApplicationEntry is anything else on the route of a call.
type ApplicationEntry struct {
	Record Settings `json:"record,omitzero"`
}

// UserEntry is a user.
type UserEntry struct {
	Extension string   `json:"extension,omitempty"`
	Record    Settings `json:"record,omitzero"`
	OnDemand  Grant    `json:"on_demand,omitzero"`
}
