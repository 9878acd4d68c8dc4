// Package flow is the recording policy: the elements that a call passes, the setting
// of each, and what follows for the call. It has no clock, no network and no
// goroutine. docs/design.md, sections 2 and 5, are its contract.
package flow

import "fmt"

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
