package toggle

// due is the command that brings the file in line with the wish; None when it is.
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

// begin is how a call without a file gets one. After the answer a file is started
// only for speech: a packet could be written between a start and its mask, and audio
// of a call whose state is off is never written (docs/design.md, section 2, rule 9).
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

// rearm changes what the answer will start (docs/design.md, section 3, step 1). After
// the answer it is too late: Started or Overdue will say what came of it.
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

// adjust keeps speech out of a file that runs, or lets it in again: always the same
// file (docs/design.md, section 2, rules 6 and 9).
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
