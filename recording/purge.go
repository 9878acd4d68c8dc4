package recording

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/recording/audit"
)

// PurgeConfig says what Purge deletes and whom it tells.
type PurgeConfig struct {
	Dir Dir
	Now time.Time
	// Retention returns how long an organisation's recordings are kept. False, or a
	// time that is not positive, means for ever.
	Retention func(organisation string) (time.Duration, bool)
	Live      func(id string) bool // reports recordings that are live though they have no draft; may be nil
	Dry       bool                 // change nothing, but report everything
	Audit     *audit.Log
	By        audit.Actor                                      // who deletes, for the audit log
	Deleted   func(Sidecar)                                    // called after each deletion, or instead of it if Dry; may be nil
	Kept      func(id, path string, why KeptReason, err error) // called for each recording whose time is over but that is kept; may be nil
}

// KeptReason is why a recording whose time is over is not deleted.
type KeptReason string

// Why a recording is kept.
const (
	KeptHeld    KeptReason = "held"    // it, or another part of its call, is under hold
	KeptLive    KeptReason = "live"    // it, or another part of its call, is being recorded
	KeptUnknown KeptReason = "unknown" // its sidecar, or that of another part, is missing or cannot be read
	KeptFailed  KeptReason = "failed"  // the deletion, or its line in the audit log, failed
)

// Purged is what Purge did, or would do if it were not Dry.
type Purged struct {
	Deleted int
	Bytes   int64 // of the deleted sound files
	Kept    map[KeptReason]int
}

// Purge deletes the recordings that are older than their organisation keeps them:
// the sound, what was made of it, and last the sidecar. It first adds a line to the
// audit log: without it nothing is deleted. All parts of a call are deleted
// together, once the time of each is over, and none while one of them is live, held,
// or has a sidecar that cannot be read. Purge also removes empty folders of past
// days and months, and files that interrupted writes left behind. What cannot be walked is an
// error; the rest is purged all the same.
func Purge(ctx context.Context, cfg PurgeConfig) (Purged, error) {
	p := purge{PurgeConfig: cfg, done: Purged{Kept: map[KeptReason]int{}}}
	err := Walk(ctx, cfg.Dir, func(day Day) error {
		p.purgeDay(ctx, day)
		return ctx.Err()
	})
	if !p.Dry {
		p.purgeMonths(ctx)
	}
	return p.done, err
}

// purge is one run of Purge.
type purge struct {
	PurgeConfig
	done Purged
}

func (p *purge) purgeDay(ctx context.Context, day Day) {
	keep, limited := p.Retention(day.Organisation)
	if limited && keep > 0 {
		for from := 0; from < len(day.Recordings) && ctx.Err() == nil; {
			to := from + 1
			for to < len(day.Recordings) && day.Recordings[to].Call == day.Recordings[from].Call {
				to++
			}
			p.purgeCall(day, day.Recordings[from:to], p.Now.Add(-keep))
			from = to
		}
	}
	if p.Dry {
		return
	}
	for _, name := range day.Leftovers {
		p.Dir.removeTemp(filepath.Join(day.Path, name), p.Now)
	}
	if p.Now.Sub(day.Date) > nothingBegins {
		_ = p.Dir.inFolder(day.Path, (*durable.Folder).RemoveFolder) // it may not be empty
	}
}

// nothingBegins is how long after the beginning of a day no recording begins in its
// folder, because no call is so long.
const nothingBegins = 48 * time.Hour

// purgeMonths removes the empty folders of months that are over, and of years without
// a month. A month in which a recording may begin keeps its folder (MakeMonth).
func (p *purge) purgeMonths(ctx context.Context) {
	organisations, _ := p.Dir.organisations() // what cannot be read stays
	for _, organisation := range organisations {
		months, _ := p.Dir.months(organisation)
		for _, month := range months {
			if last := month.AddDate(0, 1, -1); ctx.Err() == nil && p.Now.Sub(last) > nothingBegins {
				path := p.Dir.monthPath(organisation, month)
				if p.Dir.inFolder(path, (*durable.Folder).RemoveFolder) == nil {
					_ = p.Dir.inFolder(filepath.Dir(path), (*durable.Folder).RemoveFolder)
				}
			}
		}
	}
}

// purgeCall deletes the parts of a call if all of them may be deleted. It decides
// that under the lock under which holds are set.
func (p *purge) purgeCall(day Day, parts []Found, limit time.Time) {
	if !day.Date.Before(limit) { // no recording of that day ended before the limit
		return
	}
	decide := func() error {
		sidecars, why, err := p.mayDelete(day, parts, limit)
		if why != "" {
			p.reportKept(day, parts, why, err)
			return nil
		}
		for i, s := range sidecars {
			if err := p.remove(day, parts[i], s); err != nil {
				p.reportKept(day, parts[i:i+1], KeptFailed, err)
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
		p.reportKept(day, parts, KeptFailed, err)
	}
}

// notOver: the recording is kept because its time is not over. It is not reported.
const notOver KeptReason = "not over"

// mayDelete returns the sidecars of the parts of a call, and why the parts are kept:
// "" if they are to be deleted.
func (p *purge) mayDelete(day Day, parts []Found, limit time.Time) (sidecars []Sidecar, why KeptReason, err error) {
	over := true
	for _, f := range parts {
		s, err := ReadSidecar(day.SidecarPath(f.ID))
		if err == nil {
			err = day.checkBelongs(f, s)
		}
		switch {
		case f.Live || p.Dir.hasDraft(f.ID) || p.Live != nil && p.Live(f.ID):
			return nil, KeptLive, nil
		case err != nil:
			return nil, KeptUnknown, err
		case s.Hold != nil:
			why = KeptHeld
		}
		over = over && s.keptFrom().Before(limit)
		sidecars = append(sidecars, s)
	}
	if !over {
		why = notOver
	}
	return sidecars, why, nil
}

// keptFrom returns the moment from which retention counts: the end of the call or, if
// that is not known, its start, which every sidecar has.
func (s Sidecar) keptFrom() time.Time {
	if s.Ended.After(s.Started) {
		return s.Ended
	}
	return s.Started
}

func (p *purge) reportKept(day Day, parts []Found, why KeptReason, err error) {
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

// remove deletes a recording. The sidecar goes last, so that the next Purge finds a
// recording whose deletion was interrupted.
func (p *purge) remove(day Day, f Found, s Sidecar) error {
	var bytes int64
	if sound, err := os.Lstat(day.SoundPath(f.ID)); err == nil {
		bytes = sound.Size()
	}
	if !p.Dry {
		line := audit.Line{At: p.Now, Who: p.By.Who, What: audit.Delete, Organisation: s.Organisation, Recording: f.ID, From: p.By.Origin(),
			Detail: fmt.Sprintf("older than %s: ended %s", p.retention(s.Organisation), s.keptFrom().Format(time.RFC3339))}
		if err := p.Audit.Add(line); err != nil {
			return err
		}
		if err := p.Dir.removeFiles(day, f.ID, day.Leftovers); err != nil {
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

// retention returns how long an organisation's recordings are kept.
func (p *purge) retention(organisation string) time.Duration {
	keep, _ := p.Retention(organisation)
	return keep
}

// removeFiles removes all files of a recording, the sidecar last. Leftovers are the names
// of unfinished files in the folder: those of this recording go, too.
func (d Dir) removeFiles(day Day, id string, leftovers []string) error {
	folder, err := durable.OpenFolder(d.root, day.Path)
	if err != nil {
		return err
	}
	defer folder.Close()
	names := []string{id + soundExt}
	for _, ext := range derivedExts { // also those that were made since the folder was read
		names = append(names, id+ext)
	}
	for _, temp := range leftovers {
		if name, ok := durable.TempOf(temp); ok && strings.TrimSuffix(name, filepath.Ext(name)) == id {
			names = append(names, temp)
		}
	}
	for _, name := range append(names, id+sidecarExt) {
		if err := folder.Remove(name); err != nil {
			return err
		}
	}
	return folder.Sync()
}

// removeRecording is removeFiles for one recording alone.
func (d Dir) removeRecording(day Day, id string) error {
	folder, err := durable.OpenFolder(d.root, day.Path)
	if err != nil {
		return err
	}
	names, err := folder.Names()
	folder.Close()
	if err != nil {
		return err
	}
	return d.removeFiles(day, id, names)
}
