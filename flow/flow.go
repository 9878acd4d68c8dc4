// Package flow is the recording policy: the elements that a call passes, the setting
// of each, and what follows for the call. It has no clock, no network and no
// goroutine. docs/design.md, sections 2 and 5, are its contract.
package flow

import (
	"fmt"
	"strings"
)

// Direction is a call's direction as its organisation sees it. It does not
// change during the call.
type Direction uint8

// The three directions of a call.
const (
	Inbound Direction = iota
	Outbound
	Internal
	directions // how many there are
)

var directionNames = [directions]string{"inbound", "outbound", "internal"}

// String is the direction's name in the policy file.
func (d Direction) String() string {
	if d >= directions {
		return fmt.Sprintf("Direction(%d)", uint8(d))
	}
	return directionNames[d]
}

// ParseDirection reads a direction's name.
func ParseDirection(s string) (Direction, error) {
	for d, name := range directionNames {
		if s == name {
			return Direction(d), nil
		}
	}
	return 0, fmt.Errorf("unknown direction %q: use inbound, outbound or internal", s)
}

// MarshalText writes the direction's name.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the direction's name.
func (d *Direction) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDirection(string(b))
	return err
}

// Setting is what an element says about recording a call.
type Setting uint8

// The five settings. DontCare, the default, leaves the state as it is.
const (
	DontCare Setting = iota
	Yes
	No
	Force
	Never
	settings // how many there are
)

var settingNames = [settings]string{"dont-care", "yes", "no", "force", "never"}

// String is the setting's name in the policy file.
func (s Setting) String() string {
	if s >= settings {
		return fmt.Sprintf("Setting(%d)", uint8(s))
	}
	return settingNames[s]
}

// ParseSetting reads a setting's name.
func ParseSetting(text string) (Setting, error) {
	for s, name := range settingNames {
		if text == name {
			return Setting(s), nil
		}
	}
	return 0, fmt.Errorf("unknown setting %q: use yes, no, dont-care, force or never", text)
}

// MarshalText writes the setting's name.
func (s Setting) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the setting's name.
func (s *Setting) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSetting(string(b))
	return err
}

// Settings is an element's setting in each direction, indexed by Direction.
type Settings [directions]Setting

// SettingSet is a set of settings, one bit each.
type SettingSet uint8

// Add puts s into the set.
func (set *SettingSet) Add(s Setting) { *set |= 1 << s }

// Has reports whether s is in the set.
func (set SettingSet) Has(s Setting) bool { return set&(1<<s) != 0 }

// Kind is what sort of thing an element is.
type Kind string

// The kinds of elements.
const (
	Number      Kind = "number"
	RingGroup   Kind = "ring_group"
	Application Kind = "application"
	User        Kind = "user"
)

// Element is a thing on the way of a call that has a record setting. The zero
// Element means "nobody".
type Element struct {
	Kind Kind
	ID   string
}

// String writes kind/id, as `tapedeck_element` and the command line do; the
// zero Element is "nobody".
func (e Element) String() string {
	if e == (Element{}) {
		return "nobody"
	}
	return string(e.Kind) + "/" + e.ID
}

// ParseElement reads kind/id.
func ParseElement(s string) (Element, error) {
	kind, id, found := strings.Cut(s, "/")
	switch k := Kind(kind); k {
	case Number, RingGroup, Application, User:
		if !found || id == "" {
			return Element{}, fmt.Errorf("element %q has no id: write %s/ID", s, kind)
		}
		return Element{k, id}, nil
	}
	return Element{}, fmt.Errorf("unknown element %q: write number/, ring_group/, application/ or user/ and an id", s)
}

// MarshalText writes kind/id, and nothing for the zero Element.
func (e Element) MarshalText() ([]byte, error) {
	if e == (Element{}) {
		return nil, nil
	}
	return []byte(e.String()), nil
}

// UnmarshalText reads kind/id; empty text is the zero Element.
func (e *Element) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*e = Element{}
		return nil
	}
	*e, err = ParseElement(string(b))
	return err
}

// Precedence says which of several explicit settings counts, yes or no (docs/design.md,
// section 2, rule 1).
type Precedence uint8

// Last: the last explicit setting wins. First: the first one does.
const (
	Last Precedence = iota
	First
)

// String is the precedence's name in the policy file.
func (p Precedence) String() string {
	if p == First {
		return "first"
	}
	return "last"
}

// MarshalText writes the precedence's name.
func (p Precedence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the precedence's name.
func (p *Precedence) UnmarshalText(b []byte) error {
	switch string(b) {
	case "last":
		*p = Last
	case "first":
		*p = First
	default:
		return fmt.Errorf("unknown precedence %q: use last or first", b)
	}
	return nil
}
