package flow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// ParseGrant reads a grant's name.
func ParseGrant(s string) (Grant, error) {
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
	*g, err = ParseGrant(string(b))
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

// ApplicationEntry is anything else on the way of a call.
type ApplicationEntry struct {
	Record Settings `json:"record,omitzero"`
}

// UserEntry is a user.
type UserEntry struct {
	Extension string   `json:"extension,omitempty"`
	Record    Settings `json:"record,omitzero"`
	OnDemand  Grant    `json:"on_demand,omitzero"`
}

// Compile builds what the lookups need, gives the policy's precedence to its
// organisations and sets Revision. It refuses what Load refuses with a better
// message: a number or a domain in two organisations, an extension of two users, an
// entry without content. Nobody else may use the policy meanwhile.
func (p *Policy) Compile() error {
	p.numbers, p.domains = map[string]*Organisation{}, map[string]*Organisation{}
	if p.Organisations == nil {
		p.Organisations = map[string]*Organisation{}
	}
	for id, o := range p.Organisations {
		if o == nil {
			return fmt.Errorf("flow: compile: organisation %s is empty", id)
		}
		if o.ID == "" {
			o.ID = id
		}
		if o.ID != id {
			return fmt.Errorf("flow: compile: organisation %s says that it is %s", id, o.ID)
		}
		o.Precedence = p.Precedence
		if err := o.Compile(); err != nil {
			return err
		}
		if err := p.index(o); err != nil {
			return err
		}
	}
	warm(p.Region)
	return p.setRevision()
}

func (p *Policy) index(o *Organisation) error {
	for e164 := range o.Numbers {
		if other := p.numbers[e164]; other != nil {
			return fmt.Errorf("flow: compile: number %s is in organisations %s and %s", e164, other.ID, o.ID)
		}
		p.numbers[e164] = o
	}
	for _, d := range o.Domains {
		host := hostOf(d)
		if other := p.domains[host]; other != nil {
			return fmt.Errorf("flow: compile: domain %s is in organisations %s and %s", host, other.ID, o.ID)
		}
		p.domains[host] = o
	}
	return nil
}

// setRevision hashes the policy's JSON, which is the same for the same content:
// encoding/json writes fields in the order of the types and sorts keys.
func (p *Policy) setRevision() error {
	p.Revision = ""
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("flow: compile: %w", err)
	}
	sum := sha256.Sum256(b)
	p.Revision = hex.EncodeToString(sum[:])
	return nil
}

// UnmarshalJSON reads a policy and compiles it.
func (p *Policy) UnmarshalJSON(b []byte) error {
	type plain Policy
	var read plain
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*p = Policy(read)
	return p.Compile()
}

// Compile builds what the organisation's lookups need. Policy.Compile calls it. Only
// an organisation that was put together by hand and has no policy needs it.
func (o *Organisation) Compile() error {
	if err := o.complete(); err != nil {
		return fmt.Errorf("flow: compile: organisation %s: %w", o.ID, err)
	}
	o.extensions = make(map[string]string, len(o.Users))
	o.ahead = SettingSets{}
	for d := range directions {
		o.ahead[d].Add(DontCare)
	}
	for id, u := range o.Users {
		for d := range directions {
			o.ahead[d].Add(u.Record[d])
		}
		if u.Extension == "" {
			continue
		}
		if other, taken := o.extensions[u.Extension]; taken {
			return fmt.Errorf("flow: compile: organisation %s: extension %s is of users %s and %s", o.ID, u.Extension, other, id)
		}
		o.extensions[u.Extension] = id
	}
	return nil
}

// complete returns an error that names an entry without content, if there is one.
func (o *Organisation) complete() error {
	for id, n := range o.Numbers {
		if n == nil {
			return fmt.Errorf("%s/%s is empty", Number, id)
		}
	}
	for id, g := range o.RingGroups {
		if g == nil {
			return fmt.Errorf("%s/%s is empty", RingGroup, id)
		}
	}
	for id, a := range o.Applications {
		if a == nil {
			return fmt.Errorf("%s/%s is empty", Application, id)
		}
	}
	for id, u := range o.Users {
		if u == nil {
			return fmt.Errorf("%s/%s is empty", User, id)
		}
	}
	return nil
}

// UnmarshalJSON reads an organisation and compiles it.
func (o *Organisation) UnmarshalJSON(b []byte) error {
	type plain Organisation
	var read plain
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	*o = Organisation(read)
	return o.Compile()
}
