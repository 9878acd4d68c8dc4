package recording

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tapedeck/recording/sound"
)

// fileState tells whether a file is still as it was.
type fileState struct {
	size     int64
	modified time.Time
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{size: -1}
	}
	return fileState{info.Size(), info.ModTime()}
}

// finish examines a recording's file and writes its sidecar.
func (a *Archive) finish(ctx context.Context, e *entry) {
	a.mu.Lock()
	s, calls := e.finish, len(e.then)
	a.mu.Unlock()
	wav, err := s.Path(a.cfg.Dir)
	if err == nil {
		if err = s.check(); err != nil {
			err = fmt.Errorf("recording: finish: %w", err)
		}
	}
	if err != nil {
		a.failed(e, err)
		a.finished(e, s, calls, *s, err)
		return
	}
	_ = a.cfg.Dir.writeDraft(*s) // what Finish knows survives a kill too; if this fails, so will the sidecar
	if stillWritten(wav, time.Now()) {
		a.retry(e, rest)
		return
	}
	examined, err := a.examine(ctx, e, *s, wav)
	if err == nil {
		examined, err = a.cfg.Dir.save(SidecarPath(wav), examined)
	}
	if err == nil {
		err = a.cfg.Dir.removeDraft(e.id)
	}
	if err != nil {
		a.failed(e, err)
		a.retry(e, 0)
		return
	}
	a.succeeded()
	a.finished(e, s, calls, examined, nil)
	a.picture(ctx, e, examined, wav)
}

// picture makes the waveform of a recording, unless Run is ending: then it is made
// for whoever looks at it first. One that fails is no problem of the recording.
func (a *Archive) picture(ctx context.Context, e *entry, s Sidecar, wav string) {
	a.mu.Lock()
	ending := e.last
	a.mu.Unlock()
	if ending || s.File == nil || s.HasProblem(Unreadable) {
		return
	}
	if _, err := Waveform(ctx, a.cfg.Dir, wav); err != nil && !errors.Is(err, ErrNoSound) && !errors.Is(err, ErrLive) && ctx.Err() == nil {
		a.cfg.Log.Warn("a recording has no waveform yet", "recording", e.id, "error", err)
	}
}

// stillWritten reports whether a file has no finished header and was changed just
// now. A clock that is not the file system's says no.
func stillWritten(path string, now time.Time) bool {
	seen := stateOf(path)
	if age := now.Sub(seen.modified); seen.size < 0 || age < 0 || age >= rest {
		return false
	}
	f, err := openRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	wav, err := sound.Parse(f, seen.size)
	return err == nil && wav.Unfinished
}

// examine is Examine, but looks at a file again only if it has changed, and is
// content after some attempts with a file that cannot be read.
func (a *Archive) examine(ctx context.Context, e *entry, s Sidecar, wav string) (Sidecar, error) {
	if e.examined != nil && e.seen == stateOf(wav) {
		return *e.examined, nil
	}
	examined, err := Examine(ctx, wav, s, true)
	if err != nil {
		if e.listens++; e.listens < maxListens || ctx.Err() != nil {
			return Sidecar{}, err
		}
		examined = s.clone()
		examined.AddProblem(Unreadable, reason(err))
		examined.Complete = false
		return examined, nil
	}
	e.examined, e.seen = nil, stateOf(wav)
	if e.seen.size >= 0 && e.seen.size == examined.bytes() {
		e.examined = &examined
	}
	return examined, nil
}

// bytes is the file's size; -1 if there is none.
func (s Sidecar) bytes() int64 {
	if s.File == nil {
		return -1
	}
	return s.File.Bytes
}

// finished calls back for what was written, and forgets it, unless Finish said
// something newer meanwhile.
func (a *Archive) finished(e *entry, s *Sidecar, calls int, written Sidecar, err error) {
	a.mu.Lock()
	then := e.then[:calls:calls]
	e.then = e.then[calls:]
	if e.finish == s {
		e.finish = nil
	}
	e.examined, e.delay, e.backoff = nil, 0, 0
	a.mu.Unlock()
	for _, call := range then {
		call(written, err)
	}
}

// retry has an entry tried again, after wait or, if that is 0, later each time.
func (a *Archive) retry(e *entry, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if wait == 0 {
		e.backoff = min(max(firstRetry, 2*e.backoff), lastRetry)
		wait = e.backoff
	}
	e.delay = wait
}

// save writes a sidecar beside its file, and makes the folder if FreeSWITCH did
// not. A hold that was put on the recording meanwhile stays.
func (d Dir) save(path string, s Sidecar) (Sidecar, error) {
	if err := d.makeDirs(path); err != nil {
		return Sidecar{}, fmt.Errorf("recording: folder of sidecar: %w", err)
	}
	err := d.locked(func() error {
		if s.Hold == nil {
			if old, err := ReadSidecar(path); err == nil && old.ID() == s.ID() {
				s.Hold = old.Hold
			}
		}
		return WriteSidecar(path, s)
	})
	return s, err
}

// sidecarOf is the file name of a recording's sidecar, or draft.
func sidecarOf(id string) string { return id + sidecarExt }

func (d Dir) draftPath(id string) string { return filepath.Join(d.root, draftDir, sidecarOf(id)) }
