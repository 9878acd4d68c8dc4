package toggle

import "fmt"

// What is a kind of fact.
type What uint8

// Chain: the chain has changed. Pressed: a person who may has switched. Answered, HungUp: of the recorded leg.
// Started, Stopped: RECORD_START and RECORD_STOP of the call's file. Done,
// Refused, Missing, Unanswered, Unsent: what became of a command; Missing is
// FreeSWITCH's word that it has no such recording or channel; of one that is
// Unanswered it is not known whether it was carried out. Overdue: the leg
// was answered some time ago and nothing started. Reconnected: commands can be
// sent again. Broken: the file on the disk is gone, or does not grow. Stands: what
// people have switched is known to be this: a switch was not carried out, and the
// person has been told so, or another instance has carried it out.
const (
	Chain What = iota
	Pressed
	Answered
	Started
	Overdue
	Done
	Refused
	Missing
	Unanswered
	Reconnected
	Stopped
	HungUp
	Broken
	Stands
	Unsent
)

var whatNames = [...]string{"chain", "pressed", "answered", "started", "overdue", "done", "refused", "missing",
	"unanswered", "reconnected", "stopped", "hung up", "broken", "stands", "unsent"}

// Press is what a person asked for.
type Press uint8

// Turn turns the state over; TurnOn and TurnOff state it, and change nothing
// when it is so already.
const (
	Turn Press = iota
	TurnOn
	TurnOff
)

var pressNames = [...]string{"turn over", "turn on", "turn off"}

func (p Press) String() string { return pressNames[p] }

// Fact is something that happened.
type Fact struct {
	What    What
	On      bool    // of Chain: what it says now
	Guard   bool    // of Chain: somebody who may join could end it
	Fresh   bool    // of Chain: an element with an explicit setting was entered
	Sticky  bool    // of Chain: a person's pause outlasts that (sticky_pause)
	Press   Press   // of Pressed
	Person  Person  // of Stands
	Command Command // of Done, Refused, Missing, Unanswered and Unsent
}

func (f Fact) String() string {
	switch f.What {
	case Chain:
		text := "chain off"
		if f.On {
			text = "chain on"
		}
		for _, flag := range []struct {
			set  bool
			name string
		}{{f.Guard, "guarded"}, {f.Fresh, "fresh"}, {f.Sticky, "sticky"}} {
			if flag.set {
				text += " " + flag.name
			}
		}
		return text
	case Pressed:
		return fmt.Sprintf("%s %s", whatNames[f.What], f.Press)
	case Stands:
		return fmt.Sprintf("%s: %s", whatNames[f.What], f.Person)
	case Done, Refused, Missing, Unanswered, Unsent:
		return fmt.Sprintf("%s %s", f.Command, whatNames[f.What])
	}
	return whatNames[f.What]
}

// Next takes one fact and returns the state after it with the command that it
// calls for: one at the most, because the next waits for its reply. A fact that
// repeats, or that comes too late to matter, changes nothing.
func Next(s State, f Fact) (State, []Command) {
	s = s.learn(f)
	if s.Pending != None || s.Gone || s.Held {
		return s, nil
	}
	s.Pending = s.due()
	if s.Pending == None {
		return s, nil
	}
	if s.File == Closed {
		s = s.nextFile()
	}
	return s, []Command{s.Pending}
}

// nextFile is the state before the call's next file: one that was closed is
// never written again.
func (s State) nextFile() State {
	s.File, s.Begun, s.Doomed = NoFile, false, false
	return s
}

// learn is the state with what the fact tells.
func (s State) learn(f Fact) State {
	switch f.What {
	case Chain:
		return s.chained(f)
	case Pressed:
		return s.pressed(f.Press)
	case Answered:
		s.Answered = true
	case Started:
		return s.started()
	case Overdue:
		return s.overdue()
	case Reconnected:
		s.Held = false
	case Stopped:
		return s.stopped()
	case HungUp:
		return s.hungUp()
	case Broken:
		return s.broken()
	case Stands:
		s.Person, s.Held = f.Person, false
	default:
		return s.replied(f)
	}
	return s
}

// chained: a new explicit setting ends what a person switched (docs/design.md,
// section 2, rule 8).
func (s State) chained(f Fact) State {
	if f.Fresh && !(s.Person == SwitchedOff && f.Sticky) {
		s.Person = Nobody
	}
	s.On, s.Guard, s.Held = f.On, f.Guard, false
	return s
}

// pressed: a switch that asks for what is already wanted changes nothing, but
// lets a command that failed be tried again.
func (s State) pressed(p Press) State {
	s.Held = false
	switch {
	case s.Wanted() && p != TurnOn:
		s.Person = SwitchedOff
	case !s.Wanted() && p != TurnOff:
		s.Person = SwitchedOn
	}
	return s
}

// started: RECORD_START does not say whether a mask followed.
func (s State) started() State {
	s.Begun = true
	rearming := s.Pending == Arm || s.Pending == ArmMasked || s.Pending == Disarm
	switch {
	case s.File == Recording || s.File == Masked:
	case !rearming && (s.File == Armed || s.Pending == Start):
		s.File = Recording
	default:
		s.File = Open
	}
	return s
}

func (s State) overdue() State {
	if !s.Answered || !s.waiting() {
		return s
	}
	if s.Wish() != Nothing || s.File == Armed { // it was wanted at the answer
		s.Problems |= NotStarted
	}
	s.File = NoFile
	return s
}

// waiting reports whether the file is still to be started.
func (s State) waiting() bool {
	return s.File < Open
}

func (s State) stopped() State {
	if !s.Gone && !s.Doomed && s.File != Closed && s.Wish() != Nothing {
		s.Problems |= Lost
	}
	return s.closed()
}

// closed: a further file, if speech is wanted, waits for a sign that it may go
// better.
func (s State) closed() State {
	if s.File != Closed && !s.Gone && s.Wish() == Speech {
		s.Held = true
	}
	s.File = Closed
	return s
}

// broken: what FreeSWITCH writes reaches no file. It is stopped, so that another
// may be begun.
func (s State) broken() State {
	if s.File >= Open && s.File < Closed {
		s.Doomed, s.Held = true, false
	}
	return s
}

func (s State) hungUp() State {
	if s.Answered && !s.Gone && s.Wish() == Speech && s.waiting() && s.Pending != Start { // a start that crosses the hangup is no fault
		s.Problems |= NotStarted
	}
	s.Gone, s.Pending = true, None
	return s
}

// replied takes the fate of the command that is on its way.
func (s State) replied(f Fact) State {
	if s.Pending == None || f.Command != s.Pending {
		return s
	}
	s.Pending = None
	if s.File == Closed {
		return s
	}
	switch f.What {
	case Done:
		return s.done(f.Command)
	case Refused:
		return s.refused(f.Command)
	case Missing:
		return s.missing(f.Command)
	case Unsent:
		return s.unsent(f.Command)
	}
	return s.unanswered(f.Command)
}

func (s State) done(c Command) State {
	switch c {
	case Arm, ArmMasked, Disarm:
		if s.waiting() {
			s.File = map[Command]File{Arm: Armed, ArmMasked: ArmedMasked, Disarm: NoFile}[c]
		}
	case Start, Unmask:
		s.File, s.Begun = Recording, true
	case Mask:
		s.File, s.Begun = Masked, true
	case Stop:
		return s.closed()
	}
	return s
}

func (s State) refused(c Command) State {
	switch c {
	case Arm, ArmMasked, Start:
		s.Problems |= NotStarted
		s.Held = true
	case Mask:
		s.Problems |= MaskRefused
		s.Doomed = true
	case Unmask:
		s.Problems |= UnmaskRefused
		s.Doomed = s.File == Open
		s.Held = !s.Doomed
	default:
		s.Held = true
	}
	return s
}

func (s State) missing(c Command) State {
	switch c {
	case Arm, ArmMasked, Disarm, Start:
		return s.refused(c)
	}
	if !s.Begun && !s.Doomed { // the start that nobody answered was not carried out
		s.File = NoFile
		s.Problems |= NotStarted
		return s
	}
	if !s.Doomed {
		s.Problems |= Lost
	}
	return s.closed()
}

// unanswered: the command may have been carried out or not; what is assumed is
// what could write speech.
func (s State) unanswered(c Command) State {
	s.Problems |= Unconfirmed
	s.Held = true
	switch c {
	case Arm, ArmMasked, Disarm:
		if s.waiting() {
			s.File = ArmedUnsure
		}
	case Start, Mask, Unmask:
		s.File = Open
	}
	return s
}

// unsent: nothing has changed, but time goes by.
func (s State) unsent(c Command) State {
	if c == Start {
		s.Problems |= NotStarted
	}
	s.Held = true
	return s
}

// due is the command that brings the file in line with the wish.
func (s State) due() Command {
	switch s.File {
	case NoFile:
		return s.begin()
	case Armed, ArmedMasked, ArmedUnsure:
		return s.rearm()
	case Open, Recording, Masked:
		return s.adjust()
	case Closed:
		if s.Wish() == Speech && s.Answered {
			return Start
		}
	}
	return None
}

// begin is how a call without a file gets one. After the answer it starts only
// when speech may be written: between start and mask a packet could slip in.
func (s State) begin() Command {
	switch {
	case s.Wish() == Speech && s.Answered:
		return Start
	case s.Wish() == Speech:
		return Arm
	case s.Wish() == Silence && !s.Answered:
		return ArmMasked
	}
	return None
}

// rearm changes what the answer will start. After the answer it is too late:
// Started or Overdue will tell what became of it.
func (s State) rearm() Command {
	switch {
	case s.Answered:
		return None
	case s.Wish() == Nothing:
		return Disarm
	case s.Wish() == Speech && s.File != Armed:
		return Arm
	case s.Wish() == Silence && s.File != ArmedMasked:
		return ArmMasked
	}
	return None
}

// adjust keeps speech out of a file that runs, or lets it in again.
func (s State) adjust() Command {
	switch {
	case s.Doomed:
		return Stop
	case s.Wish() == Speech && s.File != Recording:
		return Unmask
	case s.Wish() != Speech && s.File != Masked:
		return Mask
	}
	return None
}
