package lab

import "fmt"

// Org is an organisation of the lab, numbered 0 to 999. It has four users, a
// SIP domain and telephone numbers of its own, so that calls of different
// organisations never meet. Organisation 0 is the one that the sample
// dialplan, elements.xml, is about.
type Org int

// Person is a user of an organisation.
type Person int

// The users of every organisation. Dave's phone is played by sipp.
const (
	UserAlice Person = 1 + iota
	UserBob
	UserCarol
	UserDave
)

// Tone is the tone that the person speaks.
func (p Person) Tone() Tone { return []Tone{Alice, Bob, Carol, Dave}[p-1] }

// ID is the organisation's id in the policy.
func (o Org) ID() string { return fmt.Sprintf("s%02d", int(o)) }

// Domain is its users' SIP domain.
func (o Org) Domain() string { return o.ID() + ".lab" }

// Extension is the extension of a user.
func (o Org) Extension(p Person) string { return fmt.Sprintf("1%02d%d", int(o), p) }

// Stranger is the extension of a phone in the users' domain that is no user's.
func (o Org) Stranger() string { return fmt.Sprintf("1%02d9", int(o)) }

// Room is what a user dials to come into the organisation's conference room.
func (o Org) Room() string { return fmt.Sprintf("3%02d0", int(o)) }

// Slot is where the organisation parks a call: who dials it next picks the call up.
func (o Org) Slot() string { return fmt.Sprintf("6%02d1", int(o)) }

// Number is the organisation's k-th number, in E.164. k says what the dialplan does
// with a call to it (dialplan.go).
func (o Org) Number(k int) string { return "+44" + o.national(k) }

func (o Org) national(k int) string { return fmt.Sprintf("20794%d%03d%d", 6+k/10, int(o), k%10) }

// OutsideNumber is the number, as a user dials it, of an outside party that only this
// organisation calls.
func (o Org) OutsideNumber(k int) string { return fmt.Sprintf("0163296%03d%d", int(o), k) }
