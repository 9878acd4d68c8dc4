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

// What Verify finds wrong: Finding.What.
const (
	Changed     = "changed"            // the checksum is not that of the sidecar
	Truncated   = "truncated"          // the file is shorter than it was
	Swapped     = "swapped"            // the sidecar belongs to another recording
	NoSound     = FileMissing          // a sidecar without its file
	NoSidecar   = "no sidecar"         // a file without a sidecar, of a recording that is not live
	BadSidecar  = "unreadable sidecar" // the sidecar is none of this version
	BadSound    = "unreadable sound"   // the file cannot be read
	BadSpans    = "spans disagree"     // the sound does not hold what the spans say
	BadDuration = "duration disagrees" // length, channels or rate are not those of the sidecar
	Leftover    = "leftover"           // a file that an interrupted write left behind
	Stray       = "stray"              // a file that does not belong there
	Admitted    = "admitted"           // nothing disagrees: the sidecar itself has a problem, which is the Detail
)

// Finding is one thing that is wrong with the files or, if it is Admitted, with the
// recording.
type Finding struct {
	Path   string
	ID     string // of the recording; empty for a leftover or a stray
	What   string
	Detail string
}

// String returns the finding in one line.
func (f Finding) String() string {
	if f.Detail == "" {
		return f.Path + ": " + f.What
	}
	return f.Path + ": " + f.What + ": " + f.Detail
}

// Counts is what Verify looked at.
type Counts struct {
	Recordings int            // with a sidecar
	Live       int            // not looked at: they are being recorded, or were when Tapedeck ended
	Bytes      int64          // of sound
	Findings   map[string]int // by Finding.What
}

// Verify reads every recording anew and reports where files, sidecars, checksums,
// lengths, spans and silences do not agree, and the problems that the sidecars admit.
// It changes nothing. What cannot be
// walked is an error; the rest is verified all the same.
func Verify(ctx context.Context, d Dir, report func(Finding)) (Counts, error) {
	counts := Counts{Findings: map[string]int{}}
	v := verifier{ctx: ctx, shop: InProcess{}, counts: &counts, report: func(f Finding) {
		counts.Findings[f.What]++
		report(f)
	}}
	err := Walk(ctx, d, func(day Day) error {
		for _, name := range day.Leftovers {
			if path := filepath.Join(day.Path, name); !d.isWritten(path) {
				v.report(Finding{Path: path, What: Leftover})
			}
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

// VerifyOne is Verify for one recording, whose sound a workshop reads. Path is that of one of its files. The error
// is fs.ErrNotExist if it has none.
func VerifyOne(ctx context.Context, shop Workshop, d Dir, path string) (counts Counts, found []Finding, err error) {
	day, place, err := d.locate(path)
	if err != nil {
		return Counts{}, nil, fmt.Errorf("recording: verify: %w", err)
	}
	counts.Findings = map[string]int{}
	v := verifier{ctx: ctx, shop: shop, counts: &counts, report: func(f Finding) {
		counts.Findings[f.What]++
		found = append(found, f)
	}}
	f := Found{ID: place.ID(), Call: place.Call, Part: place.Part, Live: d.hasDraft(place.ID())}
	f.Sound, f.Sidecar = exists(day.SoundPath(f.ID)), exists(day.SidecarPath(f.ID))
	if !f.Sound && !f.Sidecar && !f.Live {
		return Counts{}, nil, fmt.Errorf("recording: verify %s: %w", f.ID, fs.ErrNotExist)
	}
	err = v.recording(day, f) // which adds to counts and found
	return counts, found, err
}

// verifier is one run of Verify.
type verifier struct {
	ctx    context.Context
	shop   Workshop
	counts *Counts
	report func(Finding)
}

// leftoverDrafts reports the files in the folder of drafts that are no drafts.
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

// recording verifies one recording. Its error is that of ctx.
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
	if err := day.checkBelongs(f, s); err != nil {
		found(Swapped, err.Error())
		return nil
	}
	for _, problem := range s.Problems {
		found(Admitted, problem)
	}
	if !f.Sound {
		if s.File != nil {
			found(NoSound, "")
		}
		return nil
	}
	heard, err := analyse(v.ctx, v.shop, path)
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

// checkBelongs returns why a sidecar does not belong beside this recording in this
// folder.
func (d Day) checkBelongs(f Found, s Sidecar) error {
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

// compare calls found for whatever a sidecar says of the sound that is not so.
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

// disagreements returns what the spans say that the sound does not hold, except for
// what the sidecar has as a problem already.
func disagreements(s Sidecar, heard sound.Analysis) (details []string) {
	var end int64
	for i, span := range s.Spans {
		if span.FromMS != end || span.ToMS <= span.FromMS && !span.gap() {
			details = append(details, fmt.Sprintf("span %d is from %d to %d ms, after %d", i+1, span.FromMS, span.ToMS, end))
		}
		end = span.ToMS
		if span.State != StateRecording && !span.Silent() {
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

// misplaced returns the edges of pauses that are not where a silence begins or ends.
func misplaced(spans []Span, silences []sound.Silence) (details []string) {
	spans, _ = solid(spans)
	moved := slices.Clone(spans)
	snap(moved, silences)
	for i, s := range spans {
		if away := moved[i].FromMS - s.FromMS; max(away, -away) > edgeSlack {
			details = append(details, fmt.Sprintf("span %d begins %d ms before or after the silence", i+1, max(away, -away)))
		}
	}
	return details
}
