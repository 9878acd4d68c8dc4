package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/internal/durable"
)

// brokenExt is added to the name of a draft that cannot be read.
const brokenExt = ".broken"

// writeDraft does what is to be done with a recording's draft.
func (a *Archive) writeDraft(e *entry) {
	a.mu.Lock()
	draft := e.draft
	a.mu.Unlock()
	var err error
	if draft == nil {
		err = a.cfg.Dir.removeDraft(e.id)
	} else {
		err = a.cfg.Dir.writeDraft(*draft)
	}
	var bad *refused
	if err != nil {
		a.failed(e, err)
		if !errors.As(err, &bad) {
			a.retry(e, 0)
			return
		}
	} else {
		a.succeeded()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e.delay, e.backoff = 0, 0
	if draft == nil {
		e.discard = false
	} else if e.draft == draft {
		e.draft = nil
	}
}

// refused is an error that does not pass: what is to be written is wrong.
type refused struct{ cause error }

func (r *refused) Error() string { return "recording: draft: " + r.cause.Error() }
func (r *refused) Unwrap() error { return r.cause }

// writeDraft writes what is known of a live recording.
func (d Dir) writeDraft(s Sidecar) error {
	if err := s.check(); err != nil {
		return &refused{err}
	}
	data, err := s.encode()
	if err != nil {
		return &refused{err}
	}
	path := d.draftPath(s.ID())
	err = durable.Replace(path, data, false)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.makeDirs(path); err == nil {
			err = durable.Replace(path, data, false)
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
		return &refused{err}
	}
	if err := os.Remove(d.draftPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("recording: remove draft: %w", err)
	}
	return nil
}

// hasDraft reports whether a recording is live, or was when its Tapedeck was
// killed. If that cannot be known it says so.
func (d Dir) hasDraft(id string) bool {
	_, err := os.Lstat(d.draftPath(id))
	return !errors.Is(err, fs.ErrNotExist)
}

// Drafts are what is known of recordings that are live, or were when a Tapedeck
// was killed: also of other Tapedecks' that share the folder. A draft that cannot
// be read, or is of another recording than its name says, is put aside and is an
// error; the others are returned all the same.
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
			removeTemp(filepath.Join(dir, file.Name()), time.Now())
			continue
		}
		s, err := a.cfg.Dir.readDraft(id)
		if err == nil {
			drafts = append(drafts, s)
		} else if !errors.Is(err, fs.ErrNotExist) { // then it was finished meanwhile
			errs = append(errs, err)
		}
	}
	return drafts, errors.Join(errs...)
}

func (d Dir) readDraft(id string) (Sidecar, error) {
	path := d.draftPath(id)
	data, err := readPlain(path, maxSidecar)
	if err != nil {
		return Sidecar{}, fmt.Errorf("recording: draft: %w", err)
	}
	s, err := decodeSidecar(data)
	if err == nil && s.ID() != id {
		err = fmt.Errorf("it is of %.80q", s.ID())
	}
	if err != nil {
		aside := os.Rename(path, path+brokenExt)
		return Sidecar{}, errors.Join(fmt.Errorf("recording: draft %.100q: put aside: %w", id, err), aside)
	}
	return s, nil
}

// removeTemp removes a file that an interrupted write left behind, and that is too
// old to belong to one that goes on. It reports whether it did.
func removeTemp(path string, now time.Time) bool {
	info, err := os.Lstat(path)
	return err == nil && durable.IsTemp(filepath.Base(path)) && info.Mode().IsRegular() && now.Sub(info.ModTime()) > tempAge && os.Remove(path) == nil
}
