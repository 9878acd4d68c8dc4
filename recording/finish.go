package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"tapedeck/recording/sound"
)

const (
	// maxReadFailures is how often a file that cannot be read is tried before its
	// sidecar says so: after 15 s.
	maxReadFailures = 5
	// maxWorkFailures is how often a file is examined at the most if it is not the file that
	// fails, but whoever examines it: for most of an hour.
	maxWorkFailures = 100
	// quietTime is how long nobody must have written to an unfinished file before it
	// is repaired. Until then FreeSWITCH may be writing it.
	quietTime = 2 * time.Second
)

// fileState tells whether a file has changed.
type fileState struct {
	size     int64 // -1: there is no file
	modified time.Time
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{size: -1}
	}
	return fileState{info.Size(), info.ModTime()}
}

func isGone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// finish examines a recording's file and writes its sidecar, or removes a file that
// nobody wanted.
func (a *Archive) finish(ctx context.Context, j *job) {
	a.jobs.mu.Lock()
	s, calls := j.finish, len(j.callbacks)
	a.jobs.mu.Unlock()
	wav, err := s.Path(a.cfg.Dir)
	if err == nil {
		if err = s.check(); err != nil {
			err = fmt.Errorf("recording: finish: %w", err)
		}
	}
	if err != nil {
		a.failures.report(j, err)
		a.finished(j, s, calls, *s, err)
		return
	}
	_ = a.cfg.Dir.writeDraft(*s) // so that the end of Tapedeck loses nothing; if it fails, so will the sidecar
	if stillWritten(wav, time.Now()) {
		a.jobs.retry(j, quietTime)
		return
	}
	a.private.sound(a.cfg.Dir, j.id, wav)
	examined, err := a.examine(ctx, j, *s, wav)
	var fate error
	if err == nil {
		examined, fate, err = a.cfg.Dir.keepOrRemove(a.cfg.Evidence, *s, examined, wav)
	}
	if err == nil && fate == nil && examined.File != nil && isGone(wav) {
		// Not by Delete, which the draft forbids. The sidecar just written is replaced.
		err = fmt.Errorf("recording: %s was deleted before its sidecar was written", j.id)
	}
	if err == nil {
		err = a.cfg.Dir.removeDraft(j.id)
	}
	if err != nil {
		a.failures.report(j, err)
		a.jobs.retry(j, 0)
		return
	}
	a.failures.recovered()
	a.finished(j, s, calls, examined, fate)
	if fate == nil {
		a.makeWaveform(ctx, j, examined, wav)
	}
}

// makeWaveform makes the waveform of a recording, unless Run is ending: then
// whoever asks for it first has it made. A failure is no problem of the recording.
func (a *Archive) makeWaveform(ctx context.Context, j *job, s Sidecar, wav string) {
	a.jobs.mu.Lock()
	ending := j.lastTry
	a.jobs.mu.Unlock()
	if ending || s.File == nil || s.HasProblem(Unreadable) {
		return
	}
	if _, err := Waveform(ctx, a.cfg.Workshop, a.cfg.Dir, wav); err != nil && !errors.Is(err, ErrNoSound) && !errors.Is(err, ErrLive) && ctx.Err() == nil {
		a.cfg.Log.Warn("cannot make the waveform of a recording yet", "recording", j.id, "error", err)
	}
}

// stillWritten reports whether a file has an unfinished header and was written to
// just now. If our clock and that of the file system disagree it reports false.
func stillWritten(path string, now time.Time) bool {
	state := stateOf(path)
	if age := now.Sub(state.modified); state.size < 0 || age < 0 || age >= quietTime {
		return false
	}
	f, err := openRegular(path)
	if err != nil {
		return false
	}
	defer f.Close()
	wav, err := sound.Parse(f, state.size)
	return err == nil && wav.Unfinished
}

// examine is Examine, but it does not look again at a file that has not changed,
// and after some attempts it accepts that a file cannot be read.
func (a *Archive) examine(ctx context.Context, j *job, s Sidecar, wav string) (Sidecar, error) {
	if j.examined != nil && j.examinedState == stateOf(wav) {
		return *j.examined, nil
	}
	examined, err := examine(ctx, a.cfg.Workshop, wav, s, func() error { return a.cfg.Dir.repairHeader(wav) })
	if err != nil {
		most := maxReadFailures
		if errors.Is(err, ErrNoWorker) {
			most = maxWorkFailures
		}
		if j.readFailures++; j.readFailures < most || ctx.Err() != nil {
			return Sidecar{}, err
		}
		examined = s.clone()
		examined.AddProblem(Unreadable, rootCause(err))
		examined.Complete = false
		return examined, nil
	}
	j.examined, j.examinedState = nil, stateOf(wav)
	if size := j.examinedState.size; size >= 0 && size == examined.bytes() {
		j.examined = &examined
	}
	return examined, nil
}

// bytes is the size of the file; -1 if there is none.
func (s Sidecar) bytes() int64 {
	if s.File == nil {
		return -1
	}
	return s.File.Bytes
}

// finished calls the first so many callbacks of a job with what was written, and
// ends the job, unless Finish was called again meanwhile.
func (a *Archive) finished(j *job, s *Sidecar, calls int, written Sidecar, err error) {
	a.jobs.mu.Lock()
	callbacks := j.callbacks[:calls:calls]
	j.callbacks = j.callbacks[calls:]
	if j.finish == s {
		j.finish = nil
	}
	j.examined, j.delay, j.backoff = nil, 0, 0
	a.jobs.mu.Unlock()
	for _, call := range callbacks {
		call(written, err)
	}
}
