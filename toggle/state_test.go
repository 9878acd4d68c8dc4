package toggle

import "testing"

// TestEveryErrorEndsTrue: whatever uuid_record answers, the state is what FreeSWITCH
// does.
func TestEveryErrorEndsTrue(t *testing.T) {
	for _, tc := range []struct {
		name   string
		facts  []Fact
		want   State
		status Status
	}{
		{"start refused", []Fact{{What: Answered}, chainOn, {What: Refused, Command: Start}},
			State{On: true, Answered: true, Held: true, Problems: NotStarted}, Off},
		{"the answer started nothing", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Overdue}},
			State{On: true, Answered: true, Pending: Start, Problems: NotStarted}, Off},
		{"mask refused stops it", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			chainOff, {What: Refused, Command: Mask}, {What: Done, Command: Stop}},
			State{Answered: true, File: Closed, Begun: true, Doomed: true, Problems: MaskRefused}, Off},
		{"mask and stop find nothing", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			chainOff, {What: Refused, Command: Mask}, {What: Missing, Command: Stop}},
			State{Answered: true, File: Closed, Begun: true, Doomed: true, Problems: MaskRefused}, Off},
		{"unmask finds nothing", []Fact{chainGuarded, {What: Done, Command: ArmMasked}, {What: Answered}, {What: Started},
			{What: Done, Command: Mask}, chainOn, {What: Missing, Command: Unmask}},
			State{On: true, Answered: true, File: Closed, Begun: true, Held: true, Problems: Lost}, Off},
		{"stopped by somebody else", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Stopped}},
			State{On: true, Answered: true, File: Closed, Begun: true, Held: true, Problems: Lost}, Off},
		{"stopped by somebody else, and begun again", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Stopped},
			{What: Reconnected}, {What: Done, Command: Start}},
			State{On: true, Answered: true, File: Recording, Begun: true, Problems: Lost}, On},
		{"the file is gone: stopped, and begun again", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Broken},
			{What: Done, Command: Stop}, {What: Reconnected}, {What: Done, Command: Start}},
			State{On: true, Answered: true, File: Recording, Begun: true}, On},
		{"the file is gone in a pause: nothing to begin before it ends", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			{What: Pressed}, {What: Done, Command: Mask}, {What: Broken}, {What: Done, Command: Stop}, {What: Reconnected}},
			State{On: true, Person: TurnedOff, Answered: true, File: Closed, Begun: true, Doomed: true}, Off},
		{"a start that was refused is not tried again when the user has been told so", []Fact{{What: Answered}, {What: Pressed}, {What: Refused, Command: Start},
			{What: Stands}, {What: Reconnected}}, State{Answered: true, Problems: NotStarted}, Off},
		{"a pause that could not be ended lasts", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			{What: Pressed}, {What: Done, Command: Mask}, {What: Pressed}, {What: Refused, Command: Unmask}, {What: Stands, Person: TurnedOff}, {What: Reconnected}},
			State{On: true, Person: TurnedOff, Answered: true, File: Masked, Begun: true, Problems: UnmaskRefused}, Paused},
		{"hung up before the start was confirmed", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: HungUp}},
			State{On: true, Answered: true, Gone: true, File: Armed, Problems: NotStarted}, Off},
		{"given up before the answer", []Fact{chainOn, {What: Done, Command: Arm}, {What: HungUp}},
			State{On: true, Gone: true, File: Armed}, Off},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s State
			for _, f := range tc.facts {
				s, _ = Next(s, f)
			}
			if s != tc.want || s.Status() != tc.status {
				t.Errorf("got %+v (%s), want %+v (%s)", s, s.Status(), tc.want, tc.status)
			}
		})
	}
}

// TestAdopted: a Tapedeck that takes a call over assumes that speech is being written,
// and makes FreeSWITCH confirm what is wanted.
func TestAdopted(t *testing.T) {
	paused := State{On: true, Person: TurnedOff, Answered: true, File: Masked, Begun: true}
	recording := State{On: true, Answered: true, File: Recording, Begun: true}
	armed := State{On: true, File: Armed}
	for _, tc := range []struct {
		name           string
		before         State
		answered, runs bool
		want           State
		command        Command
	}{
		{"paused: masked again", paused, true, true, State{On: true, Person: TurnedOff, Answered: true, File: Open, Begun: true}, Mask},
		{"recording: unmasked again", recording, true, true, State{On: true, Answered: true, File: Open, Begun: true}, Unmask},
		{"recording, ended meanwhile: a further file", recording, true, false,
			State{On: true, Answered: true, File: Closed, Begun: true, Problems: Lost}, Start},
		{"a mask on its way: masked again", State{On: true, Person: TurnedOff, Answered: true, File: Recording, Pending: Mask, Begun: true}, true, true,
			State{On: true, Person: TurnedOff, Answered: true, File: Open, Begun: true}, Mask},
		{"armed, not answered: armed again", armed, false, false, State{On: true, File: ArmedUnsure}, Arm},
		{"armed, answered meanwhile and started", armed, true, true, State{On: true, Answered: true, File: Open, Begun: true}, Unmask},
		{"armed, answered meanwhile and not started", armed, true, false, State{On: true, Answered: true, Problems: NotStarted}, Start},
		{"armed masked, answered meanwhile and not started", State{On: true, Guard: true, File: ArmedMasked}, true, false,
			State{On: true, Guard: true, Answered: true, Problems: NotStarted}, None},
		{"armed, not started, and paused by a person after the answer", State{On: true, Person: TurnedOff, Answered: true, File: Armed}, true, false,
			State{On: true, Person: TurnedOff, Answered: true, Problems: NotStarted}, None},
		{"off", State{Answered: true}, true, false, State{Answered: true}, None},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.before.Adopted(tc.answered, tc.runs)
			if got != tc.want {
				t.Errorf("adopted %+v, want %+v", got, tc.want)
			}
			if next, _ := Next(got, Fact{What: Reconnected}); next.Pending != tc.command {
				t.Errorf("sends %s, want %s", next.Pending, tc.command)
			}
		})
	}
}

// TestGivenUp: a call that gives its file up, because the talk is in the files of
// others (Broken, Stands, and the chain wants nothing), has no problem of it, whatever
// was on its way, and whether RECORD_STOP or the reply comes first.
func TestGivenUp(t *testing.T) {
	for file := Open; file < Closed; file++ {
		for _, pending := range []Command{None, Start, Mask, Unmask, Stop} {
			for _, person := range []Person{Nobody, TurnedOn, TurnedOff} {
				for _, stopFirst := range []bool{false, true} {
					s := State{On: true, Answered: true, File: file, Pending: pending, Person: person, Begun: true, Doomed: pending == Stop}
					for _, f := range []Fact{{What: Broken}, {What: Stands}, {What: Chain}} {
						s, _ = Next(s, f)
					}
					for range 3 {
						if s.Pending == Stop && stopFirst {
							s, _ = Next(s, Fact{What: Stopped})
						}
						s, _ = Next(s, Fact{What: Done, Command: s.Pending})
					}
					if s.Problems != 0 || s.File != Closed {
						t.Errorf("%s, %s on its way, %v: %+v", file, pending, person, s)
					}
				}
			}
		}
	}
}
