package toggle

// State is one call's recording. The zero State is a call that nobody wants
// recorded and that is not answered. On, Guard and Person say what is wanted; the
// other fields say what FreeSWITCH has confirmed, and what is on its way to it.
type State struct {
	On     bool   // the chain says that the call is recorded
	Guard  bool   // a user who may join could turn it off: silence until that is known
	Person Person // what people have pressed; it stands above On

	Answered bool // the recorded leg has answered
	Gone     bool // the recorded leg has hung up: no more commands are sent
	File     File
	Pending  Command // was sent and is not answered yet: the next one waits for it
	Begun    bool    // FreeSWITCH has said that the file was started: another start would overwrite it
	Held     bool    // the last command failed: the next attempt waits for a new wish or a new link
	Doomed   bool    // the file could not be silenced, or is broken: it has to be stopped
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

// Wanted reports whether the call is to be recorded. A press turns this over.
func (s State) Wanted() bool { return s.Person == TurnedOn || s.Person == Nobody && s.On }

// Wish is what is to be written now (docs/design.md, section 2, rules 8 and 9).
func (s State) Wish() Wish {
	switch {
	case s.Wanted() && s.Guard, s.Person == TurnedOff:
		return Silence
	case s.Wanted():
		return Speech
	}
	return Nothing
}

// Status is "on" as soon as speech may be in the file, and "off" or "paused" only
// when FreeSWITCH has confirmed that none is written. Silence until it is known who
// joins is no pause (docs/design.md, section 12, rule 14).
func (s State) Status() Status {
	switch s.File {
	case Open, Recording:
		return On
	case Masked:
		if s.Wish() == Speech || s.Person == TurnedOff {
			return Paused
		}
	}
	return Off
}

// Voice is the state that a leg is told whose voice the file has. It is "on" already
// while a command is on its way that lets speech into the file: who is recorded must not
// learn it later (docs/design.md, section 12, rule 13).
func (s State) Voice() Status {
	if s.Pending == Start || s.Pending == Unmask {
		return On
	}
	return s.Status()
}

// Adopted is the recording as a Tapedeck that takes the call over, and did not see
// what happened since s was written down, has to assume it. answered says whether the
// recorded leg has answered, runs whether FreeSWITCH is recording. A command that
// was on its way may have been carried out or not, so what runs counts as speech
// until FreeSWITCH confirms a new command.
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
		if was != NoFile && s.Wanted() || s.wasDue() {
			s.Problems |= NotStarted
		}
		s.File = NoFile
	case was != NoFile:
		s.File = ArmedUnsure
	}
	return s
}
