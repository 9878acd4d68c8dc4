package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tapedeck/internal/durable"
	"tapedeck/internal/tidy"
	"tapedeck/recording/sound"
)

// What Verify finds.
const (
	Changed     = "changed"            // the checksum is another one
	Truncated   = "truncated"          // the file is shorter than it was
	Swapped     = "swapped"            // the sidecar is another recording's
	NoSound     = FileMissing          // a sidecar without its file
	NoSidecar   = "no sidecar"         // a file without its sidecar, of a recording that is not live
	BadSidecar  = "unreadable sidecar" // it is no sidecar of this version
	BadSound    = "unreadable sound"   // the file cannot be read
	BadSpans    = "spans disagree"     // the audio does not hold what the spans say
	BadDuration = "duration disagrees" // nor as much of it as the sidecar says, or in another form
	Leftover    = "leftover"           // a file of a write that was interrupted
	Stray       = "stray"              // a file that has no place there
)

// Finding is something wrong with the files.
type Finding struct {
	Path   string
	ID     string // of the recording; empty for a leftover or a stray
	What   string
	Detail string
}

func (f Finding) String() string {
	if f.Detail == "" {
		return f.Path + ": " + f.What
	}
	return f.Path + ": " + f.What + ": " + f.Detail
}

// Counts is what Verify has looked at.
type Counts struct {
	Recordings int // with a sidecar
	Live       int // not looked at: they are being recorded, or were when Tapedeck was killed
	Bytes      int64
	Findings   map[string]int // by what was found
}

// Verify reads every recording anew, and reports what does not agree: files,
// sidecars, checksums, durations, spans and what is heard. It changes nothing.
func Verify(ctx context.Context, d Dir, report func(Finding)) (Counts, error) {
	counts := Counts{Findings: map[string]int{}}
	v := verifier{ctx: ctx, counts: &counts, report: func(f Finding) {
		counts.Findings[f.What]++
		report(f)
	}}
	err := Walk(ctx, d, func(day Day) error {
		for _, name := range day.Leftovers {
			v.report(Finding{Path: filepath.Join(day.Path, name), What: Leftover})
		}
		for _, name := range day.Strays {
			v.report(Finding{Path: filepath.Join(day.Path, name), What: Stray})
		}
		for _, f := range day.Recordings {
			if err := v.recording(day, f); err != nil {
				return err
			}
		}
		return nil
	})
	return counts, errors.Join(err, v.leftoverDrafts(d))
}

// VerifyOne is Verify for one recording: path is that of one of its files. If it
// has none the error is fs.ErrNotExist.
func VerifyOne(ctx context.Context, d Dir, path string) (counts Counts, found []Finding, err error) {
	day, place, err := d.locate(path)
	if err != nil {
		return Counts{}, nil, fmt.Errorf("recording: verify: %w", err)
	}
	counts.Findings = map[string]int{}
	v := verifier{ctx: ctx, counts: &counts, report: func(f Finding) {
		counts.Findings[f.What]++
		found = append(found, f)
	}}
	f := Found{ID: place.ID(), Call: place.Call, Part: place.Part, Live: d.hasDraft(place.ID())}
	f.Sound, f.Sidecar = isThere(day.SoundPath(f.ID)), isThere(day.SidecarPath(f.ID))
	if !f.Sound && !f.Sidecar && !f.Live {
		return Counts{}, nil, fmt.Errorf("recording: verify %s: %w", f.ID, fs.ErrNotExist)
	}
	return counts, found, v.recording(day, f)
}

type verifier struct {
	ctx    context.Context
	counts *Counts
	report func(Finding)
}

func (v *verifier) leftoverDrafts(d Dir) error {
	dir := filepath.Join(d.root, draftDir)
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if durable.IsTemp(f.Name()) || strings.HasSuffix(f.Name(), brokenExt) {
			v.report(Finding{Path: filepath.Join(dir, f.Name()), What: Leftover})
		}
	}
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("recording: verify: %w", err)
	}
	return nil
}

// recording looks at one recording. It fails if ctx has ended.
func (v *verifier) recording(day Day, f Found) error {
	path := day.SoundPath(f.ID)
	found := func(what, detail string) { v.report(Finding{path, f.ID, what, tidy.Text(detail, maxProblem)}) }
	switch {
	case f.Live:
		v.counts.Live++
		return nil
	case !f.Sidecar && f.Sound:
		found(NoSidecar, "")
		return nil
	case !f.Sidecar:
		for _, name := range f.Derived {
			v.report(Finding{Path: filepath.Join(day.Path, name), ID: f.ID, What: Stray})
		}
		return nil
	}
	v.counts.Recordings++
	s, err := ReadSidecar(day.SidecarPath(f.ID))
	if err != nil {
		found(BadSidecar, rootCause(err))
		return nil
	}
	if err := day.holds(f, s); err != nil {
		found(Swapped, err.Error())
		return nil
	}
	if !f.Sound {
		if s.File != nil {
			found(NoSound, "")
		}
		return nil
	}
	heard, err := analyse(v.ctx, path)
	if err != nil {
		if v.ctx.Err() == nil {
			found(BadSound, rootCause(err))
		}
		return v.ctx.Err()
	}
	v.counts.Bytes += heard.Bytes
	compare(s, heard, found)
	return nil
}

// holds refuses a sidecar that does not belong beside this recording, in this
// folder.
func (d Day) holds(f Found, s Sidecar) error {
	if s.ID() != f.ID {
		return fmt.Errorf("the sidecar is of %s", s.ID())
	}
	if s.Organisation != d.Organisation {
		return fmt.Errorf("the sidecar is of organisation %s", s.Organisation)
	}
	if date := s.Started.UTC().Format("2006-01-02"); date != d.Date.Format("2006-01-02") {
		return fmt.Errorf("the sidecar is of %s", date)
	}
	if s.File != nil && s.File.Name != f.ID+soundExt {
		return fmt.Errorf("the sidecar names the file %.100q", s.File.Name)
	}
	return nil
}

// compare tells what a sidecar says that is not so.
func compare(s Sidecar, heard sound.Analysis, found func(what, detail string)) {
	file := s.File
	switch {
	case file == nil:
		found(Changed, "the sidecar says that there is no file")
		return
	case heard.Bytes < file.Bytes:
		found(Truncated, fmt.Sprintf("%d bytes, it had %d", heard.Bytes, file.Bytes))
	case heard.SHA256 != file.SHA256:
		detail := fmt.Sprintf("SHA-256 %s, it was %s", heard.SHA256, file.SHA256)
		if heard.Bytes != file.Bytes {
			detail = fmt.Sprintf("%d bytes, it had %d; ", heard.Bytes, file.Bytes) + detail
		}
		found(Changed, detail)
	}
	if heard.Fault != "" {
		if !s.HasProblem(Unreadable) {
			found(BadSound, heard.Fault)
		}
		return
	}
	if heard.DurationMS != file.DurationMS || heard.Channels != file.Channels || heard.Rate != file.Rate {
		found(BadDuration, fmt.Sprintf("%d ms, %d channels, %d Hz; the sidecar says %d, %d, %d",
			heard.DurationMS, heard.Channels, heard.Rate, file.DurationMS, file.Channels, file.Rate))
	}
	for _, detail := range disagreements(s, heard) {
		found(BadSpans, detail)
	}
}

// disagreements are what the spans say that is not heard, beyond what the sidecar
// admits.
func disagreements(s Sidecar, heard sound.Analysis) (details []string) {
	var end int64
	for i, span := range s.Spans {
		if span.FromMS != end || span.ToMS <= span.FromMS {
			details = append(details, fmt.Sprintf("span %d is from %d to %d ms, after %d", i+1, span.FromMS, span.ToMS, end))
		}
		end = span.ToMS
		if span.State != StateRecording && span.State != StatePaused {
			details = append(details, fmt.Sprintf("span %d says %.40q", i+1, span.State))
		}
	}
	if end > heard.DurationMS || end < heard.DurationMS && !s.HasProblem(StateUnknown) {
		details = append(details, fmt.Sprintf("they end at %d ms, the file at %d", end, heard.DurationMS))
	}
	if len(details) > 0 {
		return details
	}
	for _, m := range mismatches(s.Spans, heard.Silences) {
		if !s.HasProblem(m.code) {
			details = append(details, m.code+" "+m.detail())
		}
	}
	return slices.Concat(details, misplaced(s.Spans, heard.Silences))
}

// misplaced are the edges of pauses that are not where the silence's are.
func misplaced(spans []Span, silences []sound.Silence) (details []string) {
	moved := slices.Clone(spans)
	snap(moved, silences)
	for i, s := range spans {
		if away := moved[i].FromMS - s.FromMS; max(away, -away) > edgeSlack {
			details = append(details, fmt.Sprintf("span %d begins %d ms before or after the silence", i+1, max(away, -away)))
		}
	}
	return details
}
