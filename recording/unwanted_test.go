package recording

import (
	"errors"
	"os"
	"testing"

	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

// unwanted is a call that bob, who says no, has answered.
func unwanted(id string) Sidecar {
	s := sample(id)
	s.Spans = []Span{
		{FromMS: 0, ToMS: 60, State: StateWaiting, Cause: Cause{Setting: Undecided}},
		{FromMS: 60, ToMS: 2000, State: StatePaused, Cause: Cause{Element: "user/bob", Setting: "no"}},
	}
	s.Trace = append(s.Trace, Note{At: day, What: NoteTold, State: "off"}, Note{At: day, What: NoteEntered, Element: "user/bob", Setting: "no"})
	return s
}

func TestUnwanted(t *testing.T) {
	if s := unwanted(call); !s.Unwanted() {
		t.Fatal("bob's call counts as wanted")
	}
	for name, change := range map[string]func(*Sidecar){
		"speech":                         func(s *Sidecar) { s.Spans[0].State = StateRecording },
		"a pause that a person made":     func(s *Sidecar) { s.Spans[1].Cause = Cause{Toggle: "dtmf", User: "bob"} },
		"still waiting at the end":       func(s *Sidecar) { s.Spans = s.Spans[:1] },
		"a press that was refused":       func(s *Sidecar) { s.Trace = append(s.Trace, Note{What: NotePressed, Result: "locked"}) },
		"a press that nobody heard":      func(s *Sidecar) { s.Trace = append(s.Trace, Note{What: NotePressed, Result: ResultMissed}) },
		"answered while nobody followed": func(s *Sidecar) { s.Trace = append(s.Trace, Note{What: NoteAdopted, Result: ResultUnseen}) },
		"told on":                        func(s *Sidecar) { s.Trace = append(s.Trace, Note{What: NoteTold, State: "on"}) },
		"a problem":                      func(s *Sidecar) { s.Problems = []string{MaskRefused} },
		"held":                           func(s *Sidecar) { s.Hold = &Hold{By: "carol"} },
		"a further part":                 func(s *Sidecar) { s.Part = 2 },
		"the first of several parts":     func(s *Sidecar) { s.Next = "x.part2.wav" },
		"asked for by a person":          func(s *Sidecar) { s.Trigger = TriggerOnDemand },
		"no file":                        func(s *Sidecar) { s.File = nil },
		"nothing known of what it holds": func(s *Sidecar) { s.Spans = nil },
	} {
		s := unwanted(call)
		change(&s)
		if s.Unwanted() {
			t.Errorf("%s: it counts as unwanted", name)
		}
	}
	s := unwanted(call)
	if s.Problems = []string{NoStopEvent}; !s.Unwanted() {
		t.Error("nobody saw its end: it counts as wanted")
	}
	if s.Trace = append(s.Trace, Note{What: NoteAdopted}); !s.Unwanted() {
		t.Error("it was taken over: it counts as wanted")
	}
}

// TestFinishUnwanted: nothing is left of a file that nobody wanted, not even if it
// was interrupted between the removal of the file and that of the draft.
func TestFinishUnwanted(t *testing.T) {
	for name, there := range map[string]bool{"file": true, "file removed already": false} {
		d := tempDir(t)
		a, stop := running(t, ArchiveConfig{Dir: d})
		s := unwanted(call)
		if there {
			testkit.NewClip(2, 8000).Add(2000, 0).Write(t, pathOf(t, d, s))
		}
		a.Draft(s)
		if _, err := finishing(a, s)(); !errors.Is(err, ErrUnwanted) {
			t.Errorf("%s: %v", name, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if left := filesBelow(t, d); len(left) > 0 {
			t.Errorf("%s: left: %v", name, left)
		}
	}
}

// TestFinishUnwantedButSpoken: a file that should be silent and is not is kept, and
// says so.
func TestFinishUnwantedButSpoken(t *testing.T) {
	d := tempDir(t)
	a, _ := running(t, ArchiveConfig{Dir: d})
	s := unwanted(call)
	sampleSound().Write(t, pathOf(t, d, s))
	if got, err := finishing(a, s)(); err != nil || !got.HasProblem(SpeechInPause) {
		t.Errorf("%v, problems %q", err, got.Problems)
	}
	if _, err := os.Stat(pathOf(t, d, s)); err != nil {
		t.Error(err)
	}
}

// TestFinishUnwantedNotRemoved: what cannot be removed is listed, with the reason.
func TestFinishUnwantedNotRemoved(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample(call))
	if _, err := SetHold(d, path, &Hold{By: "carol", Reason: "court", At: day}, audit.New(d.String(), nil), audit.Actor{Who: "carol"}, day); err != nil {
		t.Fatal(err)
	}
	testkit.NewClip(2, 8000).Add(2000, 0).Write(t, path)
	a, _ := running(t, ArchiveConfig{Dir: d})
	got, err := finishing(a, unwanted(call))()
	if err != nil || !got.HasProblem(Disk) || got.Hold == nil {
		t.Errorf("%v, problems %q, hold %+v", err, got.Problems, got.Hold)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
