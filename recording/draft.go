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
	"time"

	"tapedeck/internal/durable"
)

const (
	// brokenExt is added to the name of a draft that cannot be read.
	brokenExt = ".broken"

	// tempAge is the least age of a file that an interrupted write left behind. A
	// younger one may still be written.
	tempAge = time.Hour

	// DerivedAge is the same for a file that is made of a sound, if nobody has it locked:
	// whoever makes one has, and writes to it all the time.
	DerivedAge = time.Minute
)

// writeDraft writes or removes the draft of a job.
func (a *Archive) writeDraft(j *job) {
	a.jobs.mu.Lock()
	draft := j.draft
	a.jobs.mu.Unlock()
	var err error
	if draft == nil {
		err = a.cfg.Dir.removeDraft(j.id)
	} else {
		err = a.cfg.Dir.writeDraft(*draft)
	}
	var bad *badDraft
	if err != nil {
		a.failures.report(j, err)
		if !errors.As(err, &bad) {
			a.jobs.retry(j, 0)
			return
		}
	} else {
		a.failures.recovered()
	}
	a.jobs.mu.Lock()
	defer a.jobs.mu.Unlock()
	j.delay, j.backoff = 0, 0
	if draft == nil {
		j.discard = false
	} else if j.draft == draft {
		j.draft = nil
	}
}

// badDraft is an error that another attempt would meet too: what is to be written
// is wrong.
type badDraft struct{ cause error }

func (b *badDraft) Error() string { return "recording: draft: " + b.cause.Error() }
func (b *badDraft) Unwrap() error { return b.cause }

// writeDraft writes what is known of a live recording, and makes the folder of
// drafts if it is missing.
func (d Dir) writeDraft(s Sidecar) error {
	if err := s.check(); err != nil {
		return &badDraft{err}
	}
	data, err := s.encode()
	if err != nil {
		return &badDraft{err}
	}
	path := d.draftPath(s.ID())
	write := func(folder *durable.Folder, name string) error { return folder.Replace(name, data, false) }
	err = d.inFolder(path, write)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.makeDirs(path); err == nil {
			err = d.inFolder(path, write)
		}
	}
	if err != nil {
		return fmt.Errorf("recording: write draft: %w", err)
	}
	return nil
}

// removeDraft removes a draft, if there is one.
func (d Dir) removeDraft(id string) error {
	if _, _, err := ParseID(id); err != nil {
		return &badDraft{err}
	}
	err := d.inFolder(d.draftPath(id), (*durable.Folder).Remove)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // there is no folder of drafts yet
		return fmt.Errorf("recording: remove draft: %w", err)
	}
	return nil
}

// hasDraft reports whether a recording is live, or was when its Tapedeck ended. It
// reports true if that cannot be known.
func (d Dir) hasDraft(id string) bool {
	_, err := os.Lstat(d.draftPath(id))
	return !errors.Is(err, fs.ErrNotExist)
}

func (d Dir) draftPath(id string) string { return filepath.Join(d.root, draftDir, id+sidecarExt) }

// Drafts returns the drafts in the folder: of recordings that are live, or were
// when a Tapedeck ended, and also of other Tapedecks that share the folder. A draft
// that cannot be read, or that has another recording's name, is put aside and makes
// an error; the others are returned all the same.
func (a *Archive) Drafts() ([]Sidecar, error) {
	dir := filepath.Join(a.cfg.Dir.root, draftDir)
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("recording: drafts: %w", err)
	}
	var drafts []Sidecar
	var errs []error
	for _, file := range files {
		id, ok := strings.CutSuffix(file.Name(), sidecarExt)
		if !ok || durable.IsTemp(file.Name()) {
			a.cfg.Dir.removeTemp(filepath.Join(dir, file.Name()), time.Now())
			continue
		}
		s, err := a.cfg.Dir.readDraft(id)
		if err == nil {
			drafts = append(drafts, s)
		} else if !errors.Is(err, fs.ErrNotExist) { // it was finished meanwhile
			errs = append(errs, err)
		}
	}
	return drafts, errors.Join(errs...)
}

// readDraft reads a draft. It puts aside one that is unusable.
func (d Dir) readDraft(id string) (Sidecar, error) {
	path := d.draftPath(id)
	data, err := readRegular(path, maxSidecar)
	if err != nil {
		return Sidecar{}, fmt.Errorf("recording: draft: %w", err)
	}
	s, err := decodeSidecar(data)
	if err == nil && s.ID() != id {
		err = fmt.Errorf("it is of %.80q", s.ID())
	}
	if err != nil {
		aside := d.inFolder(path, func(folder *durable.Folder, name string) error { return folder.Rename(name, name+brokenExt) })
		return Sidecar{}, errors.Join(fmt.Errorf("recording: draft %.100q: put aside: %w", id, err), aside)
	}
	return s, nil
}

// removeTemp removes a file that an interrupted write left behind, unless the write may
// go on.
func (d Dir) removeTemp(path string, now time.Time) {
	_ = d.inFolder(path, func(folder *durable.Folder, name string) error { // it is tried again the next day
		f, err := folder.Open(name, os.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || !durable.IsTemp(name) {
			return err
		}
		made, _ := durable.TempOf(name)
		age := now.Sub(info.ModTime())
		if age > tempAge || age > DerivedAge && slices.Contains(derivedExts, filepath.Ext(made)) && durable.TryLock(f) == nil {
			return folder.Remove(name)
		}
		return nil
	})
}

// isWritten reports whether a temporary file is being written, or has got its name meanwhile. One
// that is empty and young may not be locked yet.
func (d Dir) isWritten(path string) bool {
	f, err := d.openFile(path, os.O_RDONLY)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() == 0 && time.Since(info.ModTime()) < DerivedAge {
		return true
	}
	return errors.Is(durable.TryLock(f), durable.ErrLocked)
}

// RemoveLeftovers removes what interrupted writes have left behind beside recordings, as
// an encoder that was killed. What cannot be walked is an error.
func RemoveLeftovers(ctx context.Context, d Dir, now time.Time) error {
	return Walk(ctx, d, func(day Day) error {
		for _, name := range day.Leftovers {
			d.removeTemp(filepath.Join(day.Path, name), now)
		}
		return nil
	})
}
