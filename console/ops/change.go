package ops

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"tapedeck/console/access"
	"tapedeck/recording"
)

// Delete deletes a recording for good.
func (r *Recordings) Delete(ctx context.Context, v Visitor, id, reason string) error {
	entry, err := r.findTo(ctx, v, id, access.Delete)
	if err != nil {
		return err
	}
	if reason, err = reasonOf(reason); err != nil {
		return err
	}
	path, err := r.soundPath(entry)
	if err != nil {
		return err
	}
	err = recording.Delete(r.dir, path, r.audit.file, v.actor(), reason, time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound
	}
	if err != nil {
		return r.audit.notWritten(err)
	}
	r.index.Delete(entry.Organisation, entry.ID)
	return nil
}

// Hold keeps every part of a recording's call from being deleted. If there is a
// hold already, the new one replaces it.
func (r *Recordings) Hold(ctx context.Context, v Visitor, id, reason string) (recording.Sidecar, error) {
	return r.changeHold(ctx, v, id, &recording.Hold{By: v.Account.Name, Reason: reason, At: time.Now()})
}

// Release ends a hold. It does nothing if there is none.
func (r *Recordings) Release(ctx context.Context, v Visitor, id string) (recording.Sidecar, error) {
	return r.changeHold(ctx, v, id, nil)
}

func (r *Recordings) changeHold(ctx context.Context, v Visitor, id string, hold *recording.Hold) (recording.Sidecar, error) {
	entry, err := r.findTo(ctx, v, id, access.Hold)
	if err != nil {
		return recording.Sidecar{}, err
	}
	if hold != nil {
		if hold.Reason, err = reasonOf(hold.Reason); err != nil {
			return recording.Sidecar{}, err
		}
	}
	side, err := r.sidecar(entry)
	if err != nil || hold == nil && side.Hold == nil {
		return side, err
	}
	path, err := r.soundPath(entry)
	if err != nil {
		return recording.Sidecar{}, err
	}
	side, err = recording.SetHold(r.dir, path, hold, r.audit.file, v.actor(), time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return recording.Sidecar{}, r.audit.notWritten(err)
	}
	entry.Held = hold != nil
	r.index.Save(entry)
	if _, err := os.Lstat(recording.SidecarPath(path)); errors.Is(err, fs.ErrNotExist) { // it was deleted meanwhile
		r.index.Delete(entry.Organisation, entry.ID)
	}
	return side, nil
}

// reasonOf returns a reason without blanks around it. An empty reason is refused.
func reasonOf(reason string) (string, error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return "", BadRequest("reason: say why, such as a case number")
	}
	if len(reason) > maxReason {
		return "", BadRequest("reason: it has %d bytes: use at most %d", len(reason), maxReason)
	}
	return reason, nil
}

// maxReason is the longest reason, in bytes, that package recording keeps.
const maxReason = 1000
