package recording

import (
	"fmt"
	"time"

	"tapedeck/recording/audit"
)

// SetHold puts a recording under hold, or ends its hold if hold is nil. Path is that
// of its sound or its sidecar. It first adds the line to the audit log: without it
// nothing changes. It returns the sidecar as it is now.
func SetHold(d Dir, path string, hold *Hold, log *audit.Log, by audit.Actor, now time.Time) (Sidecar, error) {
	path = SidecarPath(path)
	place, err := d.Parse(path)
	if err != nil {
		return Sidecar{}, err
	}
	line := audit.Line{At: now, Who: by.Who, What: audit.Unhold, Organisation: place.Organisation, Recording: place.ID(), From: by.Origin()}
	if hold != nil {
		line.What, line.Detail = audit.Hold, hold.Reason
	}
	var s Sidecar
	err = d.locked(func() error {
		var err error
		if s, err = ReadSidecar(path); err != nil {
			return err
		}
		if s.ID() != place.ID() || s.Organisation != place.Organisation {
			return fmt.Errorf("recording: sidecar %s: it is of %s of %s", path, s.ID(), s.Organisation)
		}
		if err = log.Add(line); err != nil {
			return err
		}
		s.Hold = hold
		if err = d.writeSidecar(log.Evidence(), path, s); err != nil {
			line.What, line.Detail = audit.Failed, line.What+": "+err.Error()
			_ = log.Add(line) // the error itself is returned
		}
		return err
	})
	if err != nil {
		return Sidecar{}, err
	}
	return s, nil
}

// HeldBy returns the id of the recording whose hold keeps this one from being
// deleted: it may be this one or another part of its call. It returns "" if there
// is no hold. Path is that of one of the recording's files.
func HeldBy(d Dir, path string) (id string, err error) {
	day, place, err := d.locate(path)
	if err != nil {
		return "", fmt.Errorf("recording: hold: %w", err)
	}
	ids, err := partsOf(day.Path, place.Call)
	if err != nil {
		return "", fmt.Errorf("recording: hold: %w", err)
	}
	for _, id := range append([]string{place.ID()}, ids...) {
		if s, err := ReadSidecar(day.SidecarPath(id)); err == nil && s.Hold != nil {
			return id, nil
		}
	}
	return "", nil
}
