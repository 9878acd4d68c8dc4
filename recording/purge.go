package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/recording/audit"
)

// PurgeConfig is what Purge needs.
type PurgeConfig struct {
	Dir Dir
	Now time.Time
	// Retention is how long an organisation's recordings are kept; false, or a
	// time that is not positive, is for ever.
	Retention func(organisation string) (time.Duration, bool)
	Live      func(id string) bool // besides those that have a draft; may be nil
	Dry       bool                 // nothing is changed, everything is told
	Audit     *audit.Log
	By        audit.Actor                                      // of the audit lines
	Deleted   func(Sidecar)                                    // after each deletion, or, dry, instead; may be nil
	Kept      func(id, path string, why KeptReason, err error) // of recordings whose time is over; may be nil
}

// KeptReason is why a recording is not deleted whose time is over.
type KeptReason string

// Why a recording is kept.
const (
	KeptHeld    KeptReason = "held"    // it, or another part of its call
	KeptLive    KeptReason = "live"    // likewise
	KeptUnknown KeptReason = "unknown" // its sidecar, or that of another part, is missing or cannot be read
	KeptFailed  KeptReason = "failed"  // it could not be deleted, or not be put into the audit file
)

// Purged is what Purge did, or, dry, would do.
type Purged struct {
	Deleted int
	Bytes   int64 // of sound
	Kept    map[KeptReason]int
}

// Purge deletes the recordings that are older than their organisation keeps them:
// the sound, what was made from it, and at last the sidecar. Before, a line is
// added to the audit file; without it nothing is deleted. All parts of a call are
// deleted together, once the time of each is over; none while one of them is live,
// held, or has a sidecar that cannot be read. Folders of past days that are empty
// are removed, and what interrupted writes left behind.
func Purge(ctx context.Context, cfg PurgeConfig) (Purged, error) {
	p := purge{PurgeConfig: cfg, done: Purged{Kept: map[KeptReason]int{}}}
	err := Walk(ctx, cfg.Dir, func(day Day) error {
		p.day(ctx, day)
		return ctx.Err()
	})
	return p.done, err
}

type purge struct {
	PurgeConfig
	done Purged
}

func (p *purge) day(ctx context.Context, day Day) {
	keep, limited := p.Retention(day.Organisation)
	if limited && keep > 0 {
		for from := 0; from < len(day.Recordings) && ctx.Err() == nil; {
			to := from + 1
			for to < len(day.Recordings) && day.Recordings[to].Call == day.Recordings[from].Call {
				to++
			}
			p.call(day, day.Recordings[from:to], p.Now.Add(-keep))
			from = to
		}
	}
	if p.Dry {
		return
	}
	for _, name := range day.Leftovers {
		removeTemp(filepath.Join(day.Path, name), p.Now)
	}
	if p.Now.Sub(day.Date) > 48*time.Hour { // nothing new begins there
		for dir := day.Path; dir != filepath.Join(p.Dir.root, day.Organisation); dir = filepath.Dir(dir) {
			if syscall.Rmdir(dir) != nil { // it is not empty
				break
			}
		}
	}
}

// call deletes the parts of a call, if all may be deleted. That is decided under
// the lock under which holds are set.
func (p *purge) call(day Day, parts []Found, limit time.Time) {
	if !day.Date.Before(limit) { // nothing that began then can have ended before it
		return
	}
	decide := func() error {
		sidecars, why, err := p.judge(day, parts, limit)
		if why != "" {
			p.keep(day, parts, why, err)
			return nil
		}
		for i, s := range sidecars {
			if err := p.remove(day, parts[i], s); err != nil {
				p.keep(day, parts[i:i+1], KeptFailed, err)
			}
		}
		return nil
	}
	var err error
	if p.Dry {
		err = decide()
	} else {
		err = p.Dir.locked(decide)
	}
	if err != nil {
		p.keep(day, parts, KeptFailed, err)
	}
}

// notOver is why a recording is kept whose time is not over: nobody is told.
const notOver KeptReason = "not over"

// judge says why the parts of a call are kept; "" if they are to be deleted.
func (p *purge) judge(day Day, parts []Found, limit time.Time) (sidecars []Sidecar, why KeptReason, err error) {
	over := true
	for _, f := range parts {
		s, err := ReadSidecar(day.SidecarPath(f.ID))
		if err == nil {
			err = day.holds(f, s)
		}
		switch {
		case f.Live || p.Dir.hasDraft(f.ID) || p.Live != nil && p.Live(f.ID):
			return nil, KeptLive, nil
		case err != nil:
			return nil, KeptUnknown, err
		case s.Hold != nil:
			why = KeptHeld
		}
		over = over && s.since().Before(limit)
		sidecars = append(sidecars, s)
	}
	if !over {
		why = notOver
	}
	return sidecars, why, nil
}

// since is when the time began for which a recording is kept: the end of its call
// or, if that is not known, its start, which every sidecar has.
func (s Sidecar) since() time.Time {
	if s.Ended.After(s.Started) {
		return s.Ended
	}
	return s.Started
}

func (p *purge) keep(day Day, parts []Found, why KeptReason, err error) {
	if why == notOver {
		return
	}
	p.done.Kept[why] += len(parts)
	if p.Kept == nil {
		return
	}
	for _, f := range parts {
		p.Kept(f.ID, day.SoundPath(f.ID), why, err)
	}
}

// remove deletes a recording. The sidecar goes last: if that is where it is
// interrupted, the next Purge finds it.
func (p *purge) remove(day Day, f Found, s Sidecar) error {
	var bytes int64
	if sound, err := os.Lstat(day.SoundPath(f.ID)); err == nil {
		bytes = sound.Size()
	}
	if !p.Dry {
		line := audit.Line{At: p.Now, Who: p.By.Who, What: audit.Delete, Organisation: s.Organisation, Recording: f.ID, From: p.By.From,
			Detail: fmt.Sprintf("older than %s: ended %s", p.age(s.Organisation), s.since().Format(time.RFC3339))}
		if err := p.Audit.Add(line); err != nil {
			return err
		}
		if err := removeFiles(day, f); err != nil {
			line.What, line.Detail = audit.Failed, audit.Delete+": "+err.Error()
			return errors.Join(err, p.Audit.Add(line))
		}
	}
	p.done.Deleted++
	p.done.Bytes += bytes
	if p.Deleted != nil {
		p.Deleted(s)
	}
	return nil
}

func (p *purge) age(organisation string) time.Duration {
	keep, _ := p.Retention(organisation)
	return keep
}

func removeFiles(day Day, f Found) error {
	paths := []string{day.SoundPath(f.ID)}
	for _, ext := range derivedExts { // also one that was made since the folder was read
		paths = append(paths, filepath.Join(day.Path, f.ID+ext))
	}
	for _, path := range append(paths, day.SidecarPath(f.ID)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return durable.SyncDir(day.Path)
}
