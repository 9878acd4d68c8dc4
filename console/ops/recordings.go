package ops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"tapedeck/console/access"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// Recordings is what can be done with recordings.
type Recordings struct {
	index  Index
	policy func() *flow.Policy
	dir    recording.Dir
	audit  *auditWriter

	shop      recording.Workshop
	encoder   *recording.Encoder
	verifying chan struct{} // one for each recording that is being read anew
}

// List returns a page of the recordings that a visitor may see, the newest first.
// next is the Before of the following page; it is zero when there is none. A page
// may have fewer than Limit although there is a next one.
func (r *Recordings) List(ctx context.Context, v Visitor, q index.Query) (page []index.Recording, next index.Cursor, err error) {
	if !v.narrow(r.policy(), &q) {
		return nil, index.Cursor{}, nil
	}
	return r.index.Search(ctx, q)
}

// Find returns what the index knows of a recording.
func (r *Recordings) Find(ctx context.Context, v Visitor, id string) (index.Recording, error) {
	p := r.policy()
	var q index.Query
	if _, _, err := recording.ParseID(id); err != nil || !v.narrow(p, &q) {
		return index.Recording{}, ErrNotFound
	}
	entry, err := r.index.Find(ctx, id, q.Organisations...)
	if errors.Is(err, index.ErrUnknown) || err == nil && !v.sees(p, entry.Organisation, entry.Users, entry.Groups) {
		err = ErrNotFound
	}
	if err != nil {
		return index.Recording{}, err
	}
	return entry, nil
}

// findTo is Find for a visitor who needs a right to the recording.
func (r *Recordings) findTo(ctx context.Context, v Visitor, id string, right access.Right) (index.Recording, error) {
	entry, err := r.Find(ctx, v, id)
	if err == nil && !v.Account.May(right) {
		r.audit.refused(v, entry.Organisation, entry.ID, right)
		return index.Recording{}, ErrNotAllowed
	}
	return entry, err
}

// soundPath returns the path of a recording's WAV. Others may write into Redis:
// soundPath refuses a path that is not the entry's own.
func (r *Recordings) soundPath(entry index.Recording) (string, error) {
	path, err := r.dir.Resolve(entry.Path)
	if err != nil {
		return "", fmt.Errorf("console: the index says of %s of %s: %w", entry.ID, entry.Organisation, err)
	}
	place, err := r.dir.Parse(path)
	if err == nil && (place.Organisation != entry.Organisation || place.ID() != entry.ID || filepath.Ext(path) != ".wav") {
		err = errors.New("it is another recording's")
	}
	if err != nil {
		return "", fmt.Errorf("console: path %.200q in the index, of %s of %s: %w", entry.Path, entry.ID, entry.Organisation, err)
	}
	return path, nil
}

// Show returns a recording and what its sidecar says.
func (r *Recordings) Show(ctx context.Context, v Visitor, id string) (index.Recording, recording.Sidecar, error) {
	entry, err := r.Find(ctx, v, id)
	if err != nil {
		return index.Recording{}, recording.Sidecar{}, err
	}
	side, err := r.sidecar(entry)
	return entry, side, err
}

// HeldBy reports whether the hold of another part of its call keeps a recording.
// part is that part's id, empty if the visitor may not see it.
func (r *Recordings) HeldBy(ctx context.Context, v Visitor, entry index.Recording) (part string, held bool, err error) {
	path, err := r.soundPath(entry)
	if err != nil {
		return "", false, err
	}
	part, err = recording.HeldBy(r.dir, path)
	if err != nil || part == "" {
		return "", false, err
	}
	if _, err := r.Find(ctx, v, part); err != nil {
		part = ""
	}
	return part, true, nil
}

// sidecar reads the sidecar of a recording that was found. The error is
// ErrNotFound if its files are gone since.
func (r *Recordings) sidecar(entry index.Recording) (recording.Sidecar, error) {
	path, err := r.soundPath(entry)
	if err != nil {
		return recording.Sidecar{}, err
	}
	side, err := recording.ReadSidecar(recording.SidecarPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return recording.Sidecar{}, ErrNotFound
	}
	if err == nil && (side.ID() != entry.ID || side.Organisation != entry.Organisation) {
		err = fmt.Errorf("console: sidecar of %s of %s: it is that of %s of %s", entry.ID, entry.Organisation, side.ID(), side.Organisation)
	}
	if err != nil {
		return recording.Sidecar{}, err
	}
	return side, nil
}
