package toggle

// replied is the state when it is known what became of the command that was on its
// way. News of any other command changes nothing.
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

// done is the state when FreeSWITCH has carried the command out.
func (s State) done(c Command) State {
	switch c {
	case Arm, ArmMasked, Disarm:
		if s.unstarted() {
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

// refused is the state when FreeSWITCH has refused the command. A recording that
// cannot be silenced is stopped: "paused" is never said while speech is being written
// (docs/design.md, section 2, rule 9). If an unmask is refused while it is not known
// whether speech is being written, the recording is stopped, too.
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

// missing is the state when FreeSWITCH has no such recording.
func (s State) missing(c Command) State {
	switch c {
	case Arm, ArmMasked, Disarm, Start:
		return s.refused(c)
	}
	if !s.Begun && !s.Doomed { // the start that got no reply was not carried out
		s.File = NoFile
		s.Problems |= NotStarted
		return s
	}
	if !s.Doomed {
		s.Problems |= Lost
	}
	return s.closed()
}

// unanswered is the state when no reply came: the command may have been carried out
// or not. What could write speech counts as speech.
func (s State) unanswered(c Command) State {
	s.Problems |= Unconfirmed
	s.Held = true
	switch c {
	case Arm, ArmMasked, Disarm:
		if s.unstarted() {
			s.File = ArmedUnsure
		}
	case Start, Mask, Unmask:
		s.File = Open
	}
	return s
}

// unsent is the state when the command could not be sent. FreeSWITCH is where it
// was, but a recording that is not started misses what is said meanwhile.
func (s State) unsent(c Command) State {
	if c == Start {
		s.Problems |= NotStarted
	}
	s.Held = true
	return s
}
