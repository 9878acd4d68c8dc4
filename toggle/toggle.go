// Package toggle is the recording of one call as a pure state machine: facts go in,
// commands come out (Next). It has no clock, no network and no goroutine. What is
// wanted and what FreeSWITCH has confirmed are fields of their own, so a wish that
// changes before the last command is answered is no special case. docs/design.md,
// section 2, is its contract.
//
// The whole transition table is printed to testdata/transitions.golden. Scenarios
// that a person can read are in testdata/scenarios.
package toggle

// Wish is what is to be written into the call's file.
type Wish uint8

// What may be wanted.
const (
	Nothing Wish = iota // the call is not to be recorded; a file that runs already gets silence
	Silence             // a pause; or a user may join who does not want to be recorded: silence until that is known
	Speech              // the call is to be recorded
)

var wishNames = [...]string{"nothing", "silence", "speech"}

func (w Wish) String() string { return wishNames[w] }

// Person is what people have pressed. It stands above the chain until the chain
// gets a new explicit setting (docs/design.md, section 2, rule 8).
type Person uint8

// What people may have pressed.
const (
	Nobody    Person = iota // nobody has pressed
	TurnedOn                // somebody has started or resumed the recording
	TurnedOff               // somebody has paused it
)

var personNames = [...]string{"nobody", "turned on", "turned off"}

func (p Person) String() string { return personNames[p] }

// File is what FreeSWITCH has confirmed of the call's file.
type File uint8

// What may be confirmed. The files before Open are not started yet.
const (
	NoFile      File = iota
	Armed            // the answer will start it
	ArmedMasked      // the answer will start it, with silence in it
	ArmedUnsure      // the answer may start it, with speech or silence in it
	Open             // it was started; whether speech is being written is not confirmed
	Recording        // speech is being written
	Masked           // silence is being written
	Closed           // it has ended and is never written again; a further start is of the call's next file
)

var fileNames = [...]string{"none", "armed", "armed masked", "armed unsure", "open", "recording", "masked", "closed"}

func (f File) String() string { return fileNames[f] }

// Command is something for FreeSWITCH to do.
type Command uint8

// Arm, ArmMasked and Disarm set what the answer of the recorded leg starts; the
// later ones are actions of `uuid_record`.
const (
	None Command = iota
	Arm
	ArmMasked
	Disarm
	Start
	Mask
	Unmask
	Stop
)

var commandNames = [...]string{"-", "arm", "arm masked", "disarm", "start", "mask", "unmask", "stop"}

func (c Command) String() string { return commandNames[c] }

// Problem is a set of what went wrong with a recording. It only grows.
type Problem uint8

// What may go wrong.
const (
	NotStarted    Problem = 1 << iota // FreeSWITCH did not start a recording that was wanted, or refused to
	MaskRefused                       // FreeSWITCH refused silence, so the recording was stopped
	UnmaskRefused                     // FreeSWITCH refused to write speech again
	Lost                              // FreeSWITCH no longer knows a recording that should be running
	Unconfirmed                       // FreeSWITCH did not answer a command
)

var problemNames = [...]string{"not started", "mask refused", "unmask refused", "lost", "unconfirmed"}

// Names lists the problems that are set.
func (p Problem) Names() []string {
	var names []string
	for i, name := range problemNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
