package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"tapedeck/recording/sound"
)

const (
	maxShort = 500 // ms that a file may be shorter than the time in which it was written

	// minSilentTail is how long, in ms, silence at the end of a file lasts at least if
	// it is taken for a pause that nobody confirmed.
	minSilentTail = 500
)

// lossy are the problems that make a recording incomplete: something that was wanted
// is not in the file, or it is not known whether it is. The end of a file that had
// to be repaired was never written.
var lossy = []string{NotStarted, Lost, FileMissing, NotGrowing, Short, StateUnknown, Unreadable, FileRepaired}

// Examine looks at a recording's sound file and returns the sidecar with what it
// found: checksum, length, the spans fitted to the silences, and what is wrong. A file
// that is missing or is no WAV is a problem in the sidecar; an error means that the file
// could not be read.
func Examine(ctx context.Context, path string, s Sidecar) (Sidecar, error) {
	return examine(ctx, InProcess{}, path, s, nil)
}

// examine is Examine by a workshop. Repair, which may be nil, finishes a header that FreeSWITCH left
// unfinished; nobody may be writing the file any more then.
func examine(ctx context.Context, shop Workshop, path string, s Sidecar, repair func() error) (Sidecar, error) {
	s = s.clone()
	heard, err := analyse(ctx, shop, path)
	if errors.Is(err, fs.ErrNotExist) {
		s.setMissing()
		return s, nil
	}
	if err == nil && heard.Unfinished && repair != nil {
		if broken := repair(); broken != nil {
			s.AddProblem(Disk, "the file's header stays unfinished: "+rootCause(broken))
		} else {
			s.AddProblem(FileRepaired, "")
			heard, err = analyse(ctx, shop, path)
		}
	}
	if err != nil {
		return Sidecar{}, err
	}
	s.setFile(filepath.Base(path), heard)
	return s, nil
}

// setMissing describes a recording that has no file.
func (s *Sidecar) setMissing() {
	if (s.File != nil || len(s.Problems) == 0) && !s.HasProblem(FileMissing) {
		s.AddProblem(FileMissing, "")
	}
	s.File, s.Spans, s.Complete = nil, nil, false
}

// setFile describes the file as it was analysed.
func (s *Sidecar) setFile(name string, heard sound.Analysis) {
	f := File{Name: name, Bytes: heard.Bytes, SHA256: heard.SHA256, DurationMS: heard.DurationMS,
		Channels: heard.Channels, Rate: heard.Rate}
	if s.File != nil {
		f.Began, f.Stopped, f.Concluded = s.File.Began, s.File.Stopped, s.File.Concluded
		f.Parties = s.File.Parties
	}
	switch {
	case f.Channels == 1:
		f.Parties = []string{PartyBoth}
	case len(f.Parties) != f.Channels: // the file is not what FreeSWITCH was asked for
		f.Parties = nil
	}
	s.File = &f
	if heard.Fault != "" {
		s.AddProblem(Unreadable, heard.Fault)
	} else {
		s.correctBegan()
		s.Spans = fit(s.Spans, heard, s.clocked())
		if s.HasProblem(NoStopEvent) {
			s.addSilentTail(heard)
		}
		s.addSoundProblems(heard)
	}
	s.Complete = !slices.ContainsFunc(lossy, s.HasProblem)
}

// correctBegan corrects, from the end and the length, a beginning that RECORD_START
// did not tell.
func (s *Sidecar) correctBegan() {
	end := s.File.Stopped
	if end.IsZero() {
		end = s.Ended
	}
	if !s.File.Concluded || s.File.Began.IsZero() || end.IsZero() {
		return
	}
	began := end.Add(-time.Duration(s.File.DurationMS+s.waitedMS()) * time.Millisecond)
	late := s.File.Began.Sub(began).Milliseconds()
	s.File.Began = began
	for i := range s.Spans {
		s.Spans[i].FromMS, s.Spans[i].ToMS = max(0, s.Spans[i].FromMS+late), max(0, s.Spans[i].ToMS+late)
	}
}

// addSoundProblems adds the problems that the sound shows.
func (s *Sidecar) addSoundProblems(heard sound.Analysis) {
	if missing := s.missingMS(); missing > maxShort {
		s.AddProblem(Short, fmt.Sprintf("%d ms are missing", missing))
	}
	var end int64
	if n := len(s.Spans); n > 0 {
		end = s.Spans[n-1].ToMS
	}
	if end < heard.DurationMS && !s.HasProblem(StateUnknown) {
		s.AddProblem(StateUnknown, fmt.Sprintf("of the last %d ms", heard.DurationMS-end))
	}
	for _, found := range mismatches(s.Spans, heard.Silences) {
		s.AddProblem(found.code, found.detail())
	}
	if heard.Truncated {
		s.AddProblem(StateUnknown, "too many silences")
	}
}

// addSilentTail adds the pause that FreeSWITCH made last, if Tapedeck did not hear
// that it had begun: silence up to the end of a file whose end was not seen either.
func (s *Sidecar) addSilentTail(heard sound.Analysis) {
	n, silences := len(s.Spans), heard.Silences
	if n == 0 || len(silences) == 0 {
		return
	}
	last, tail := &s.Spans[n-1], silences[len(silences)-1]
	if last.State != StateRecording || tail.ToMS < last.ToMS || tail.ToMS-tail.FromMS < minSilentTail || tail.FromMS <= last.FromMS {
		return
	}
	end := last.ToMS
	last.ToMS = tail.FromMS
	s.Spans = append(s.Spans, Span{FromMS: tail.FromMS, ToMS: end, State: StatePaused})
	s.AddProblem(StateUnknown, "silent from "+offset(tail.FromMS)+" to its end, and nobody confirmed that")
}

// clocked returns what the clock says of the whole file.
func (s *Sidecar) clocked() clocked {
	c := clocked{wrote: -1, concluded: s.File.Concluded}
	if f := s.File; !f.Began.IsZero() && !f.Stopped.IsZero() && !f.Concluded {
		c.wrote = max(0, f.Stopped.Sub(f.Began).Milliseconds()-s.waitedMS())
	}
	return c
}

// waitedMS is how long FreeSWITCH wrote nothing because the call waited.
func (s *Sidecar) waitedMS() (ms int64) {
	for _, span := range s.Spans {
		ms += span.WaitedMS
	}
	return ms
}

// missingMS returns by how many milliseconds the file is shorter than the time in
// which it was written.
func (s *Sidecar) missingMS() int64 {
	end := s.File.Stopped
	if end.IsZero() {
		end = s.Ended
	}
	if s.File.Began.IsZero() || end.IsZero() {
		return 0
	}
	return end.Sub(s.File.Began).Milliseconds() - s.waitedMS() - s.File.DurationMS
}
