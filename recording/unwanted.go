package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"tapedeck/recording/chain"
	"tapedeck/recording/evidence"
)

// ErrUnwanted is what Finish reports of a file that was removed because nobody
// wanted it (docs/design.md, section 12, rule 15).
var ErrUnwanted = errors.New("recording: nobody wanted it: it was removed")

// toldOn is the State of a NoteTold that speech may be in the file.
const toldOn = "on"

// Unwanted reports whether the file was begun silent only because it was not known
// yet who would answer, then nobody wanted it, and nobody pressed. If the call was answered
// while nobody followed it, that is not known: it may have been wanted until then. A recording that
// admits a problem is not unwanted: it may hold what must not get lost unseen. The
// end of a file that nobody saw is no such problem, because nobody could have ended
// its silence then.
func (s Sidecar) Unwanted() bool {
	if s.File == nil || s.Part > 1 || s.Next != "" || s.Trigger == TriggerOnDemand || s.Hold != nil || len(s.Spans) == 0 {
		return false
	}
	spoken := func(span Span) bool { return span.State == StateRecording || span.Cause.Toggle != "" }
	unsure := func(n Note) bool {
		return n.What == NotePressed || n.What == NoteUndone || n.What == NoteTold && n.State == toldOn || n.What == NoteAdopted && n.Result == ResultUnseen
	}
	admitted := func(problem string) bool { return ProblemCode(problem) != NoStopEvent }
	spans, _ := solid(s.Spans)
	if len(spans) == 0 {
		return false
	}
	last := spans[len(spans)-1]
	return last.State == StatePaused && !slices.ContainsFunc(s.Spans, spoken) && !slices.ContainsFunc(s.Trace, unsure) &&
		!slices.ContainsFunc(s.Problems, admitted)
}

// keepOrRemove writes the sidecar of a recording that was examined, or removes the
// recording if nobody wanted it; then fate is ErrUnwanted. draft is what was known
// before the file was examined: the file of an unwanted recording may be gone
// already, if this was interrupted before. What cannot be removed is kept and says so.
func (d Dir) keepOrRemove(ev *evidence.Log, draft, examined Sidecar, wav string) (written Sidecar, fate, err error) {
	if draft.Unwanted() && (examined.File == nil || examined.Unwanted()) {
		if err = d.removeUnwanted(ev, draft, wav); err == nil {
			return examined, ErrUnwanted, nil
		}
		examined.AddProblem(Disk, "nobody wanted the file, and it cannot be removed: "+rootCause(err))
	}
	written, err = d.save(ev, SidecarPath(wav), examined)
	return written, nil, err
}

// removeUnwanted removes the files of a recording.
func (d Dir) removeUnwanted(ev *evidence.Log, draft Sidecar, wav string) error {
	id := draft.ID()
	day, _, err := d.locate(wav)
	if err != nil {
		return fmt.Errorf("recording: remove %s: %w", id, err)
	}
	entry := func(string, int64) (chain.Entry, error) {
		return chain.Entry{Kind: chain.Removed, Organisation: draft.Organisation, Recording: id, Why: "nobody wanted it"}, nil
	}
	return d.locked(func() error {
		s, err := ReadSidecar(day.SidecarPath(id))
		if err == nil && s.Hold != nil {
			return ErrHeld
		}
		if errors.Is(err, fs.ErrNotExist) {
			ev = nil // nothing told of it: nothing has to tell that it is gone
		}
		return ev.Record(entry, func() error {
			if err := d.removeRecording(day, id); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	})
}
