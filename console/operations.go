package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// What can be done with recordings, for the API and for the pages alike. Each
// operation sees to it by itself that its visitor may: what he may not see gives
// errNotFound, what he sees and has no right to do gives errNotAllowed.

// list is a page of the recordings that a visitor may see, the newest first.
// next is the Before of the following page; it is zero when there is none. A page
// may have fewer than Limit although there is a next one.
func (s *Server) list(ctx context.Context, v *visit, q index.Query) (page []index.Recording, next index.Cursor, err error) {
	if !v.scope(s.cfg.Policy(), &q) {
		return nil, index.Cursor{}, nil
	}
	return s.cfg.Store.Recordings(ctx, q)
}

// find is what the index knows of a recording.
func (s *Server) find(ctx context.Context, v *visit, id string) (index.Recording, error) {
	p := s.cfg.Policy()
	var q index.Query
	if _, _, err := recording.ParseID(id); err != nil || !v.scope(p, &q) {
		return index.Recording{}, errNotFound
	}
	r, err := s.cfg.Store.Recording(ctx, id, q.Organisations...)
	if errors.Is(err, index.ErrUnknown) || err == nil && !v.sees(p, r.Organisation, r.Users, r.Groups) {
		err = errNotFound
	}
	if err != nil {
		return index.Recording{}, err
	}
	return r, nil
}

// findTo is find for somebody who wants to do something with the recording.
func (s *Server) findTo(ctx context.Context, v *visit, id string, right access.Right) (index.Recording, error) {
	r, err := s.find(ctx, v, id)
	if err == nil && !v.account.May(right) {
		s.writeRefused(v, r.Organisation, r.ID, right)
		return index.Recording{}, errNotAllowed
	}
	return r, err
}

// soundPath is where the sound of an entry of the index lies. Redis may be
// written by others: a path that is not the entry's own is refused.
func (s *Server) soundPath(r index.Recording) (string, error) {
	path, err := s.cfg.Dir.Resolve(r.Path)
	if err != nil {
		return "", fmt.Errorf("console: the index says of %s of %s: %w", r.ID, r.Organisation, err)
	}
	place, err := s.cfg.Dir.Parse(path)
	if err == nil && (place.Organisation != r.Organisation || place.ID() != r.ID || filepath.Ext(path) != ".wav") {
		err = errors.New("it is another recording's")
	}
	if err != nil {
		return "", fmt.Errorf("console: path %.200q in the index, of %s of %s: %w", r.Path, r.ID, r.Organisation, err)
	}
	return path, nil
}

// sidecar is what is known of a recording that was found. The error is
// errNotFound if its files have gone since.
func (s *Server) sidecar(r index.Recording) (recording.Sidecar, error) {
	path, err := s.soundPath(r)
	if err != nil {
		return recording.Sidecar{}, err
	}
	side, err := recording.ReadSidecar(recording.SidecarPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return recording.Sidecar{}, errNotFound
	}
	if err == nil && (side.ID() != r.ID || side.Organisation != r.Organisation) {
		err = fmt.Errorf("console: sidecar of %s of %s: it is that of %s of %s", r.ID, r.Organisation, side.ID(), side.Organisation)
	}
	if err != nil {
		return recording.Sidecar{}, err
	}
	return side, nil
}

// remove deletes a recording for good.
func (s *Server) remove(ctx context.Context, v *visit, id, reason string) error {
	r, err := s.findTo(ctx, v, id, access.Delete)
	if err != nil {
		return err
	}
	if reason, err = reasonOf(reason); err != nil {
		return err
	}
	path, err := s.soundPath(r)
	if err != nil {
		return err
	}
	err = recording.Delete(s.cfg.Dir, path, s.cfg.Audit, v.actor(), reason, time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		return errNotFound
	}
	if err != nil {
		return s.notWritten(err)
	}
	s.cfg.Store.DeleteRecording(r.Organisation, r.ID)
	return nil
}

// setHold keeps a recording, and with it every part of its call, from being
// deleted, or says why now, if it was kept already.
func (s *Server) setHold(ctx context.Context, v *visit, id, reason string) (recording.Sidecar, error) {
	return s.changeHold(ctx, v, id, &recording.Hold{By: v.account.Name, Reason: reason, At: time.Now()})
}

// release ends a hold. That there is none is no error.
func (s *Server) release(ctx context.Context, v *visit, id string) (recording.Sidecar, error) {
	return s.changeHold(ctx, v, id, nil)
}

func (s *Server) changeHold(ctx context.Context, v *visit, id string, hold *recording.Hold) (recording.Sidecar, error) {
	r, err := s.findTo(ctx, v, id, access.Hold)
	if err != nil {
		return recording.Sidecar{}, err
	}
	if hold != nil {
		if hold.Reason, err = reasonOf(hold.Reason); err != nil {
			return recording.Sidecar{}, err
		}
	}
	side, err := s.sidecar(r)
	if err != nil || hold == nil && side.Hold == nil {
		return side, err
	}
	path, err := s.soundPath(r)
	if err != nil {
		return recording.Sidecar{}, err
	}
	side, err = recording.SetHold(s.cfg.Dir, path, hold, s.cfg.Audit, v.actor(), time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		err = errNotFound
	}
	if err != nil {
		return recording.Sidecar{}, s.notWritten(err)
	}
	r.Held = hold != nil
	s.cfg.Store.SaveRecording(r)
	if _, err := os.Lstat(recording.SidecarPath(path)); errors.Is(err, fs.ErrNotExist) { // it was deleted meanwhile
		s.cfg.Store.DeleteRecording(r.Organisation, r.ID)
	}
	return side, nil
}

// reasonOf refuses a reason that says nothing.
func reasonOf(reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return "", badRequest("reason: say why, such as a case number")
	}
	if len(reason) > maxReason {
		return "", badRequest("reason: it has %d bytes: use at most %d", len(reason), maxReason)
	}
	return reason, nil
}

// maxReason is the longest reason in bytes, as recording keeps them.
const maxReason = 1000

// verdict is what a look at the files of one recording says.
type verdict struct {
	OK       bool      `json:"ok"`    // all is as it was written
	Live     bool      `json:"live"`  // nothing was looked at: it is being recorded
	Bytes    int64     `json:"bytes"` // of sound that was read
	Findings []finding `json:"findings"`
}

// finding is something wrong with the files.
type finding struct {
	What   string `json:"what"`
	Detail string `json:"detail"`
}

// verify reads the files of a recording anew: its checksum, and whether the audio
// holds what the sidecar says. Few are read at once, the others wait.
func (s *Server) verify(ctx context.Context, v *visit, id string) (verdict, error) {
	r, err := s.find(ctx, v, id)
	if err != nil {
		return verdict{}, err
	}
	path, err := s.soundPath(r)
	if err != nil {
		return verdict{}, err
	}
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	case <-ctx.Done():
		return verdict{}, ctx.Err()
	}
	counts, found, err := recording.VerifyOne(ctx, s.cfg.Dir, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = errNotFound
	}
	if err != nil {
		return verdict{}, err
	}
	said := verdict{OK: len(found) == 0 && counts.Live == 0, Live: counts.Live > 0, Bytes: counts.Bytes, Findings: []finding{}}
	for _, f := range found {
		said.Findings = append(said.Findings, finding{f.What, f.Detail})
	}
	return said, nil
}

// verifiers is how many recordings are read anew at once.
const verifiers = 2
