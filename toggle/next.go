package toggle

// Next takes one fact and returns the state after it and the command that this
// state calls for: at most one, because the next waits for its reply. A fact that
// comes twice, or too late to matter, changes nothing.
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

// nextFile is the state before the call's next file. A closed file is never written
// again.
func (s State) nextFile() State {
	s.File, s.Begun, s.Doomed = NoFile, false, false
	return s
}

// learn is the state after a fact, without what is to be done about it.
func (s State) learn(f Fact) State {
	switch f.What {
	case Chain:
		return s.chained(f)
	case Pressed:
		return s.pressed(f.Ask)
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
	case Dissolved:
		return s.dissolved()
	default:
		return s.replied(f)
	}
	return s
}

// chained is the state when the chain has changed. A new explicit setting ends what
// a person pressed (docs/design.md, section 2, rule 8).
func (s State) chained(f Fact) State {
	if f.Fresh && !(s.Person == TurnedOff && f.Sticky) {
		s.Person = Nobody
	}
	s.On, s.Guard, s.Held = f.On, f.Guard, false
	return s
}

// pressed is the state when a person has pressed (docs/design.md, section 2, rule
// 6). A press that asks for what is wanted already changes nothing, but a command
// that failed is tried again.
func (s State) pressed(a Ask) State {
	s.Held = false
	switch {
	case s.Wanted() && a != TurnOn:
		s.Person = TurnedOff
	case !s.Wanted() && a != TurnOff:
		s.Person = TurnedOn
	}
	return s
}

// started is the state when FreeSWITCH has started the file. RECORD_START does not
// say whether a mask followed it, so the file counts as one with speech.
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

// overdue is the state when the answer should have started the file and did not.
func (s State) overdue() State {
	if !s.Answered || !s.unstarted() {
		return s
	}
	if s.Wish() != Nothing || s.wasDue() {
		s.Problems |= NotStarted
	}
	s.File = NoFile
	return s
}

// wasDue reports whether the answer should have started a file that was wanted then.
func (s State) wasDue() bool { return s.File == Armed || s.Doomed && s.File != NoFile }

// unstarted reports whether FreeSWITCH has not started the file yet.
func (s State) unstarted() bool { return s.File < Open }

// stopped is the state when the file has ended.
func (s State) stopped() State {
	if !s.Gone && !s.Doomed && s.File != Closed && s.Wish() != Nothing {
		s.Problems |= Lost
	}
	return s.closed()
}

// closed is the state without a file that could be written. If speech is wanted, the
// next file waits for a sign that it may go better (Reconnected, a new wish).
func (s State) closed() State {
	if s.File != Closed && !s.Gone && s.Wish() == Speech {
		s.Held = true
	}
	s.File = Closed
	return s
}

// broken is the state when what FreeSWITCH writes reaches no file. The recording is
// stopped, so that the next file can begin.
func (s State) broken() State {
	if s.File >= Open && s.File < Closed {
		s.Doomed, s.Held = true, false
	}
	return s
}

// dissolved is the state when the call has become part of another one (docs/design.md,
// section 12, rule 11). What was armed is disarmed; what runs, or starts all the same,
// is stopped.
func (s State) dissolved() State {
	s.On, s.Guard, s.Person, s.Held = false, false, Nobody, false
	s.Doomed = s.Doomed || s.Pending != None || s.File != NoFile && s.File != Closed
	return s
}

// hungUp is the state when the recorded leg has hung up, which ends the recording
// (docs/design.md, section 2, rule 10). A start that crosses the hangup is no
// problem. Of a file that should only have been silent until then, something may be
// on the disk if the answer was to start it.
func (s State) hungUp() State {
	due := s.Wish() == Speech || s.Wish() == Silence && s.File != NoFile || s.wasDue()
	if due && s.Answered && !s.Gone && s.unstarted() && s.Pending != Start {
		s.Problems |= NotStarted
	}
	s.Gone, s.Pending = true, None
	return s
}

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
