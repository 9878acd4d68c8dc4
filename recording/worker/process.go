package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"tapedeck/recording"
	"tapedeck/recording/sound"
)

const (
	tries      = 2 // for a job whose worker ends
	firstDelay = 100 * time.Millisecond
	lastDelay  = 30 * time.Second
)

// process is one worker and those that replace it.
type process struct {
	cfg      Config
	name     string
	program  string
	flags    []string // for Main; empty but in tests
	patience time.Duration
	life     *life
	turn     chan struct{} // holds a value while a job is done: whoever has put it there owns what follows

	now       *child // nil: none runs
	failures  int    // since a job was done
	notBefore time.Time
	missing   bool // none could be started
}

func newProcess(l *life, cfg Config, name string) *process {
	return &process{cfg: cfg, name: name, program: program, patience: patience, life: l, turn: make(chan struct{}, 1)}
}

// do has a job done when it is its turn.
func (p *process) do(ctx context.Context, r request, files ...*os.File) (sound.Analysis, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return sound.Analysis{}, ctx.Err()
	}
	for try := 1; ; try++ {
		if err := p.ready(ctx); errors.Is(err, errMissing) {
			return here(ctx, r, files)
		} else if err != nil {
			return sound.Analysis{}, err
		}
		found, err := p.now.do(ctx, r, p.patience, files)
		ended, failed := errors.AsType[endedError](err)
		if !failed {
			p.failures = 0
			return found, err
		}
		if cancelled(ctx) { // it had no time
			p.now.kill()
			p.now = nil
			return sound.Analysis{}, ctx.Err()
		}
		p.lose(ended)
		if p.life.alive.Err() != nil {
			return sound.Analysis{}, p.life.alive.Err()
		}
		if try == tries {
			return sound.Analysis{}, fmt.Errorf("%w: the %s worker: %w", recording.ErrNoWorker, p.name, err)
		}
		if err := emptied(files); err != nil {
			return sound.Analysis{}, err
		}
	}
}

// emptied makes the file empty that a worker has begun.
func emptied(files []*os.File) error {
	if len(files) < 2 {
		return nil
	}
	_, err := files[1].Seek(0, 0)
	return errors.Join(err, files[1].Truncate(0))
}

// here does a job in this process.
func here(ctx context.Context, r request, files []*os.File) (sound.Analysis, error) {
	shop := recording.InProcess{}
	switch r.Do {
	case doWaveform:
		return sound.Analysis{}, shop.Waveform(ctx, files[0], files[1])
	case doMP3:
		return sound.Analysis{}, shop.MP3(ctx, files[0], files[1], r.Tags)
	}
	return shop.Analyse(ctx, files[0])
}

// errMissing is the error if there is no worker, and none can be started now.
var errMissing = errors.New("no worker can be started")

// ready starts a worker if none runs. After a failure it waits before; if none could be
// started, the caller does the work meanwhile.
func (p *process) ready(ctx context.Context) error {
	if p.now != nil {
		return nil
	}
	if wait := time.Until(p.notBefore); wait > 0 {
		if p.missing {
			return errMissing
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		case <-p.life.alive.Done():
			return p.life.alive.Err()
		}
	}
	c, err := p.start()
	if err == nil {
		p.now, p.missing = c, false
		return nil
	}
	if p.life.alive.Err() != nil {
		return p.life.alive.Err()
	}
	p.failed()
	if !p.missing {
		p.cfg.Log.Warn("no worker process can be started: this process works on sounds itself, and calls may have to wait for that", "worker", p.name, "error", err)
	}
	p.missing = true
	return errMissing
}

// lose ends the worker that runs, because it failed.
func (p *process) lose(why endedError) {
	said := p.now.kill()
	p.now = nil
	if p.life.alive.Err() == nil {
		p.failed()
		p.cfg.Log.Warn("a worker process failed: another one is started", "worker", p.name, "error", why, "said", said)
	}
}

// failed counts a failure; the next start is later each time.
func (p *process) failed() {
	p.cfg.Failed(p.name)
	delay := min(lastDelay, firstDelay<<min(p.failures, 10))
	p.failures++
	p.notBefore = time.Now().Add(delay)
}
