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
	maxShort   = 500  // ms that a file may be shorter than the time it was written
	maxTail    = 500  // ms between the last span's end and the file's
	longSilent = 2000 // ms of a recording span that must not be digital silence
)

// lossy are the problems with which a recording is not complete: something that
// was wanted is not in the file, or it is not known whether it is: of a file that
// had to be repaired the end was not written.
var lossy = []string{NotStarted, Lost, FileMissing, NotGrowing, Short, StateUnknown, Unreadable, FileRepaired}

// Examine looks at a recording's file and says what it found: checksum, length,
// the spans brought in line with what is heard, and what is wrong. A header that
// was never finished is repaired if that is asked for, in place; then nobody may
// be writing the file any more. A file that is missing, or is no WAV, is a problem
// of the recording; an error is that it could not be looked at.
func Examine(ctx context.Context, path string, s Sidecar, repair bool) (Sidecar, error) {
	s = s.clone()
	heard, err := analyse(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		s.missing()
		return s, nil
	}
	if err == nil && heard.Unfinished && repair {
		if broken := repairHeader(path); broken != nil {
			s.AddProblem(Disk, "the file's header stays unfinished: "+rootCause(broken))
		} else {
			s.AddProblem(FileRepaired, "")
			heard, err = analyse(ctx, path)
		}
	}
	if err != nil {
		return Sidecar{}, err
	}
	s.describe(filepath.Base(path), heard)
	return s, nil
}

// missing says that there is no file.
func (s *Sidecar) missing() {
	if (s.File != nil || len(s.Problems) == 0) && !s.HasProblem(FileMissing) {
		s.AddProblem(FileMissing, "")
	}
	s.File, s.Spans, s.Complete = nil, nil, false
}

// describe says what was heard in the file.
func (s *Sidecar) describe(name string, heard sound.Analysis) {
	f := File{Name: name, Bytes: heard.Bytes, SHA256: heard.SHA256, DurationMS: heard.DurationMS,
		Channels: heard.Channels, Rate: heard.Rate}
	if s.File != nil {
		f.Began, f.Stopped, f.Concluded = s.File.Began, s.File.Stopped, s.File.Concluded
	}
	s.File = &f
	if heard.Fault != "" {
		s.AddProblem(Unreadable, heard.Fault)
	} else {
		s.conclude()
		s.Spans = fit(s.Spans, heard)
		if s.HasProblem(NoStopEvent) {
			s.silentTail(heard)
		}
		s.judge(heard)
	}
	s.Complete = !slices.ContainsFunc(lossy, s.HasProblem)
}

// conclude corrects a beginning that was not told by the end and the length.
func (s *Sidecar) conclude() {
	end := s.File.Stopped
	if end.IsZero() {
		end = s.Ended
	}
	if !s.File.Concluded || s.File.Began.IsZero() || end.IsZero() {
		return
	}
	began := end.Add(-time.Duration(s.File.DurationMS) * time.Millisecond)
	late := s.File.Began.Sub(began).Milliseconds()
	s.File.Began = began
	for i := range s.Spans {
		s.Spans[i].FromMS, s.Spans[i].ToMS = max(0, s.Spans[i].FromMS+late), max(0, s.Spans[i].ToMS+late)
	}
}

// judge adds what the sound says is wrong.
func (s *Sidecar) judge(heard sound.Analysis) {
	if lack := s.lack(); lack > maxShort {
		s.AddProblem(Short, fmt.Sprintf("%d ms are missing", lack))
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

// longTail is how long the silence at the end of a file is, in ms, that was not
// followed to its end, before it is taken for a pause that nobody confirmed.
const longTail = 500

// silentTail finds the pause that was told to FreeSWITCH last, of which Tapedeck
// did not hear that it had begun.
func (s *Sidecar) silentTail(heard sound.Analysis) {
	n, runs := len(s.Spans), heard.Silences
	if n == 0 || len(runs) == 0 {
		return
	}
	last, tail := &s.Spans[n-1], runs[len(runs)-1]
	if last.State != StateRecording || tail.ToMS < last.ToMS || tail.ToMS-tail.FromMS < longTail || tail.FromMS <= last.FromMS {
		return
	}
	end := last.ToMS
	last.ToMS = tail.FromMS
	s.Spans = append(s.Spans, Span{FromMS: tail.FromMS, ToMS: end, State: StatePaused})
	s.AddProblem(StateUnknown, "silent from "+clock(tail.FromMS)+" to its end, and nobody confirmed that")
}

// lack is by how many milliseconds the file is shorter than it was written.
func (s *Sidecar) lack() int64 {
	end := s.File.Stopped
	if end.IsZero() {
		end = s.Ended
	}
	if s.File.Began.IsZero() || end.IsZero() {
		return 0
	}
	return end.Sub(s.File.Began).Milliseconds() - s.File.DurationMS
}

// mismatch is a stretch of the file that does not hold what the spans say.
type mismatch struct {
	code     string
	from, to int64 // ms
}

func (m mismatch) detail() string {
	return fmt.Sprintf("from %s to %s", clock(m.from), clock(m.to))
}

// clock is a place in a file, for people.
func clock(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

// mismatches are the paused stretches that are not silent, and the long recording
// ones that are.
func mismatches(spans []Span, silences []sound.Silence) []mismatch {
	var found []mismatch
	for _, s := range stretches(spans) {
		from, to := s.from+edgeSlack, s.to-s.slackAfter-edgeSlack
		switch {
		case s.state == StatePaused:
			if gap, ok := firstSound(silences, from, to); ok {
				found = append(found, mismatch{SpeechInPause, gap.FromMS, gap.ToMS})
			}
		case s.to-s.from >= longSilent && covered(silences, from, to):
			found = append(found, mismatch{Silent, s.from, s.to})
		}
	}
	return found
}

// firstSound is the first stretch from..to that no silence covers.
func firstSound(silences []sound.Silence, from, to int64) (sound.Silence, bool) {
	for _, r := range silences[after(silences, from):] {
		if r.FromMS > from {
			to = min(to, r.FromMS)
			break
		}
		from = r.ToMS
	}
	return sound.Silence{FromMS: from, ToMS: to}, from < to
}

func covered(silences []sound.Silence, from, to int64) bool {
	_, heard := firstSound(silences, from, to)
	return !heard
}

// after is the index of the first silence that ends after a place.
func after(silences []sound.Silence, at int64) int {
	i, _ := slices.BinarySearchFunc(silences, at, func(r sound.Silence, at int64) int {
		if r.ToMS <= at {
			return -1
		}
		return 1
	})
	return i
}
