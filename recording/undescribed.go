package recording

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tapedeck/recording/sound"
)

// Undescribed returns the paths of sound files that have no sidecar and no draft, and
// to which nobody has written since a time. What cannot be read is an error; the
// other paths are returned all the same.
func Undescribed(ctx context.Context, d Dir, since time.Time) ([]string, error) {
	var paths []string
	err := Walk(ctx, d, func(day Day) error {
		for _, f := range day.Recordings {
			path := day.SoundPath(f.ID)
			if !f.Sound || f.Sidecar || f.Live {
				continue
			}
			if info, err := os.Stat(path); err == nil && info.ModTime().Before(since) {
				paths = append(paths, path)
			}
		}
		return nil
	})
	return paths, err
}

// IsUndescribed reports whether a sound file has no sidecar and no draft.
func (d Dir) IsUndescribed(path string) bool {
	p, err := d.Parse(path)
	return err == nil && !exists(SidecarPath(path)) && !d.hasDraft(p.ID())
}

// Describe returns what can be known of a recording from its file alone: where it
// lies, how long it is, and when it was last written. Archive.Finish does the rest.
func Describe(d Dir, path string) (Sidecar, error) {
	p, err := d.Parse(path)
	if err != nil {
		return Sidecar{}, err
	}
	f, err := openRegular(path)
	if err != nil {
		return Sidecar{}, fmt.Errorf("recording: describe: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Sidecar{}, fmt.Errorf("recording: describe: %w", err)
	}
	stopped := info.ModTime()
	began := stopped
	if wav, err := sound.Parse(f, info.Size()); err == nil {
		began = stopped.Add(-time.Duration(wav.DurationMS()) * time.Millisecond)
	}
	s := Sidecar{
		Version: Version, Call: p.Call, Part: p.Part, Organisation: p.Organisation, Started: p.onDay(began), Ended: stopped,
		File: &File{Name: filepath.Base(path), Began: began, Stopped: stopped},
	}
	if p.Part > 1 {
		s.Previous = ID(p.Call, p.Part-1) + soundExt
	}
	s.AddProblem(StateUnknown, "a file without a call")
	return s, nil
}

// onDay returns the time on the place's day that is nearest to t.
func (p Place) onDay(t time.Time) time.Time {
	t = t.UTC()
	if t.Before(p.Day) {
		return p.Day
	}
	if end := p.Day.AddDate(0, 0, 1); !t.Before(end) {
		return end.Add(-time.Millisecond)
	}
	return t
}
