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

// Why a recording is not deleted, or nothing is made of it.
var (
	ErrHeld = errors.New("it, or another part of its call, is under hold")
	ErrLive = errors.New("it, or another part of its call, is still being recorded")
)

// Delete deletes one recording: its sound, what was made from it, and at last its
// sidecar. Path is that of one of its files. ErrHeld and ErrLive are refusals; a
// recording that has no sidecar, or one that cannot be read, is kept too. The
// audit line comes first: what nobody answers for is not deleted. The other parts
// of the call stay.
func Delete(d Dir, path string, log *audit.Log, by audit.Actor, reason string, now time.Time) error {
	day, place, err := d.locate(path)
	if err != nil {
		return fmt.Errorf("recording: delete: %w", err)
	}
	return d.locked(func() error {
		if err := d.mayDelete(day, place); err != nil {
			return fmt.Errorf("recording: delete %s: %w", place.ID(), err)
		}
		line := audit.Line{At: now, Who: by.Who, What: audit.Delete, Organisation: place.Organisation, Recording: place.ID(), From: by.From, Detail: reason}
		if err := log.Add(line); err != nil {
			return err
		}
		if err := removeFiles(day, Found{ID: place.ID()}); err != nil {
			line.What, line.Detail = audit.Failed, audit.Delete+": "+err.Error()
			return errors.Join(fmt.Errorf("recording: delete: %w", err), log.Add(line))
		}
		return nil
	})
}

// mayDelete refuses a recording of which nothing certain is known, and one that is
// held or live. A call's parts protect each other, as they do from Purge: the
// sidecar of one may still be written while the next is live.
func (d Dir) mayDelete(day Day, place Place) error {
	s, err := ReadSidecar(day.SidecarPath(place.ID()))
	if err != nil {
		return err
	}
	if err := day.holds(Found{ID: place.ID()}, s); err != nil {
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
			return fmt.Errorf("whether it may be is not known: %w", err)
		}
	}
	return nil
}

// partsOf are the ids of all recordings of a call in a folder.
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
