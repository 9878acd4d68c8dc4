package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/recording/audit"
)

// Errors of what cannot be done with a recording.
var (
	ErrHeld = errors.New("it, or another part of its call, is under hold")
	ErrLive = errors.New("it, or another part of its call, is still being recorded")
)

// Delete deletes one recording: its sound, what was made of the sound, and last its
// sidecar. Path is that of one of its files. It refuses with ErrHeld or ErrLive, and
// also keeps a recording whose sidecar is missing or cannot be read. It first adds
// the line to the audit log: without it nothing is deleted. The other parts of the
// call stay.
func Delete(d Dir, path string, log *audit.Log, by audit.Actor, reason string, now time.Time) error {
	day, place, err := d.locate(path)
	if err != nil {
		return fmt.Errorf("recording: delete: %w", err)
	}
	return d.locked(func() error {
		if err := d.mayDelete(day, place); err != nil {
			return fmt.Errorf("recording: delete %s: %w", place.ID(), err)
		}
		line := audit.Line{At: now, Who: by.Who, What: audit.Delete, Organisation: place.Organisation, Recording: place.ID(), From: by.Origin(), Detail: reason}
		if err := log.Add(line); err != nil {
			return err
		}
		if err := d.removeRecording(day, place.ID()); err != nil {
			line.What, line.Detail = audit.Failed, audit.Delete+": "+err.Error()
			return errors.Join(fmt.Errorf("recording: delete: %w", err), log.Add(line))
		}
		return nil
	})
}

// mayDelete returns why a recording must not be deleted: its sidecar is not usable,
// or a part of its call is held or live. The parts of a call protect each other, as
// they do in Purge, because the sidecar of one may still be written while the next
// is live.
func (d Dir) mayDelete(day Day, place Place) error {
	s, err := ReadSidecar(day.SidecarPath(place.ID()))
	if err != nil {
		return err
	}
	if err := day.checkBelongs(Found{ID: place.ID()}, s); err != nil {
		return err
	}
	ids, err := partsOf(day.Path, place.Call)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if d.hasDraft(id) {
			return ErrLive
		}
		s, err := ReadSidecar(day.SidecarPath(id))
		if err == nil && s.Hold != nil {
			return ErrHeld
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("it is not known whether another part of its call is held: %w", err)
		}
	}
	return nil
}

// partsOf returns the ids of all recordings of a call in a folder.
func partsOf(dir, call string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	seen := map[string]bool{}
	var ids []string
	for _, name := range names {
		id := strings.TrimSuffix(name, filepath.Ext(name))
		if !strings.HasPrefix(name, call) || seen[id] {
			continue
		}
		if c, _, err := ParseID(id); err == nil && c == call {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, err
}
