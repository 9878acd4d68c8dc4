// Package toggle is the recording of one call as a pure state machine: facts
// go in, commands come out. It has no clock, no network and no goroutine; what
// was wanted and what FreeSWITCH confirmed are two fields, so that a wish which
// changes before the last command is answered needs no special case.
//
// The whole transition table is printed to testdata/transitions.golden. Whole calls,
// told for people, are in testdata/scenarios.
package toggle

// Wish is what is to be written into the call's file.
type Wish uint8

// Nothing: the call's state is off; a file that runs already gets silence.
// Silence: the state is paused; or it is on, but somebody who may join could not
// want it recorded: the file runs and gets silence until that is known.
// Speech: the state is on.
const (
	Nothing Wish = iota
	Silence
	Speech
)

var wishNames = [...]string{"nothing", "silence", "speech"}

func (w Wish) String() string { return wishNames[w] }

// Person is what a person's switch says; it stands above the chain until the
// chain says something new (docs/design.md, section 2, rule 8).
type Person uint8

// Nobody has switched; somebody has switched on; somebody has paused.
const (
	Nobody Person = iota
	SwitchedOn
	SwitchedOff
)

var personNames = [...]string{"nobody", "switched on", "paused"}

func (p Person) String() string { return personNames[p] }

// File is what FreeSWITCH has confirmed of the call's file.
type File uint8

// Armed and ArmedMasked: the answer will start it. ArmedUnsure: it will, or will
// not, and how is not known. Open: it was started, and whether speech is being
// written is not confirmed. Closed: it has ended, and is never written again; a
// further start is of the call's next file.
const (
	NoFile File = iota
	Armed
	ArmedMasked
	ArmedUnsure
	Open
	Recording
	Masked
	Closed
)

var fileNames = [...]string{"none", "armed", "armed masked", "armed unsure", "open", "recording", "masked", "closed"}

func (f File) String() string { return fileNames[f] }

// Command is something for FreeSWITCH to do.
type Command uint8

// Arm, ArmMasked and Disarm set what the answer of the recorded leg starts;
// the others are actions of `uuid_record`.
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

// Problem is something that a recording's owner has to be told; several may be
// set.
type Problem uint8

// NotStarted: wanted, and FreeSWITCH refused to start it or did not.
// MaskRefused: silence was refused, so the recording was stopped.
// UnmaskRefused: speech was wanted, and FreeSWITCH refused to write it.
// Lost: FreeSWITCH no longer knows a recording that should be running.
// Unconfirmed: FreeSWITCH did not answer a command.
const (
	NotStarted Problem = 1 << iota
	MaskRefused
	UnmaskRefused
	Lost
	Unconfirmed
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

// State is one call's recording. The zero State is a call that nobody wants
// recorded and that is not answered.
type State struct {
	On       bool   // the chain says so
	Guard    bool   // somebody who may join could end it: silence until that is known
	Person   Person // stands above On
	Answered bool   // the recorded leg is
	Gone     bool   // the recorded leg has hung up: no more commands
	File     File
	Pending  Command // sent, not answered yet: the next one waits for it
	Begun    bool    // FreeSWITCH has said that the file was started: another start would write over it
	Held     bool    // the last command failed: the next attempt waits for a new wish or a new link
	Doomed   bool    // it could not be silenced, or is broken: it has to be stopped
	Problems Problem
}

// Status is the state of the recording as programs and people may be told it: what
// FreeSWITCH has confirmed, not what was asked of it.
type Status string

// The values of the channel variable `tapedeck_state`.
const (
	Off    Status = "off"
	On     Status = "on"
	Paused Status = "paused"
)

// Wanted reports whether the recording is to be on: what a person's next press
// turns over.
func (s State) Wanted() bool { return s.Person == SwitchedOn || s.Person == Nobody && s.On }

// Wish is what is to be written now.
func (s State) Wish() Wish {
	switch {
	case s.Wanted() && s.Guard, s.Person == SwitchedOff:
		return Silence
	case s.Wanted():
		return Speech
	}
	return Nothing
}

// Status is "on" as soon as speech may be in the file, and "off" or "paused" only
// when FreeSWITCH has confirmed that none is written.
func (s State) Status() Status {
	switch s.File {
	case Open, Recording:
		return On
	case Masked:
		if s.Wish() != Nothing {
			return Paused
		}
	}
	return Off
}

// Adopted is what may be assumed of a call's recording by a Tapedeck that did not
// see what happened to it since s was written down: answered says whether the
// recorded leg is, runs whether FreeSWITCH has the recording. What was on its way
// may have been done or not.
func (s State) Adopted(answered, runs bool) State {
	s.Answered = s.Answered || answered
	was := s.File
	s.Pending, s.Held = None, false
	switch {
	case runs:
		s.File, s.Begun = Open, true
	case was >= Open:
		s = s.stopped()
		s.Held = false
	case s.Answered:
		if was != NoFile && s.Wanted() {
			s.Problems |= NotStarted
		}
		s.File = NoFile
	case was != NoFile:
		s.File = ArmedUnsure
	}
	return s
}
