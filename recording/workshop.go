package recording

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tapedeck/recording/sound"
)

// Workshop does what keeps a processor busy for long: the work on a recording's sound.
// It has the files open and needs no path. The caller closes them.
type Workshop interface {
	// Analyse reads a sound file whole.
	Analyse(ctx context.Context, in *os.File) (sound.Analysis, error)
	// Waveform writes the picture of a sound. The error is ErrNoSound if it has none.
	Waveform(ctx context.Context, in, out *os.File) error
	// MP3 writes the MP3 of a sound. The error is ErrNoSound if there can be none. If ctx
	// ends because of ErrAbandoned, an MP3 that is nearly done is completed.
	MP3(ctx context.Context, in, out *os.File, tags sound.Tags) error
}

// ErrNoWorker is the error for work that was not done, for a reason that is not the file's.
var ErrNoWorker = errors.New("the work on the sound was not done")

// ErrAbandoned is the cause with which the context of work ends that nobody waits for
// any more.
var ErrAbandoned = errors.New("nobody waits for it any more")

// nearlyDone is the share of an MP3 from which on it is completed although nobody waits
// for it: whoever asks again will have it.
const nearlyDone = 0.8

// InProcess is the Workshop that works in this process, at once.
type InProcess struct {
	// Progress is told now and then how much of a file has been read, from 0 to 1; nil:
	// nobody is told.
	Progress func(done float64)
}

// Analyse is that of Workshop.
func (w InProcess) Analyse(ctx context.Context, in *os.File) (sound.Analysis, error) {
	r, err := w.reader(in)
	if err != nil {
		return sound.Analysis{}, err
	}
	return sound.Analyse(ctx, r, r.size)
}

// Waveform is that of Workshop.
func (w InProcess) Waveform(ctx context.Context, in, out *os.File) error {
	wav, _, err := w.parse(in)
	if err != nil {
		return err
	}
	return wav.WriteWaveform(ctx, out)
}

// MP3 is that of Workshop.
func (w InProcess) MP3(ctx context.Context, in, out *os.File, tags sound.Tags) error {
	wav, r, err := w.parse(in)
	if err != nil {
		return err
	}
	m, err := sound.NewMP3(wav)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSound, err)
	}
	r.stopped = func() error {
		if context.Cause(ctx) == ErrAbandoned && r.done() >= nearlyDone {
			return nil
		}
		return ctx.Err()
	}
	return m.Write(context.WithoutCancel(ctx), out, tags)
}

// parse reads the header of a sound that has samples.
func (w InProcess) parse(in *os.File) (sound.WAV, *reader, error) {
	r, err := w.reader(in)
	if err != nil {
		return sound.WAV{}, nil, err
	}
	wav, err := sound.Parse(r, r.size)
	if err == nil && wav.Frames() == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrNoSound, err)
	}
	return wav, r, err
}

func (w InProcess) reader(in *os.File) (*reader, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	return &reader{file: in, size: info.Size(), progress: w.Progress}, nil
}

// reader reads a file once, from its beginning, and knows how far it has come.
type reader struct {
	file     *os.File
	size     int64
	read     int64 // the end of what was read
	progress func(float64)
	stopped  func() error // why nothing more is to be read; nil: nothing stops it
}

func (r *reader) ReadAt(p []byte, at int64) (int, error) {
	if r.stopped != nil {
		if err := r.stopped(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.ReadAt(p, at)
	r.read = at + int64(n)
	if r.progress != nil {
		r.progress(r.done())
	}
	return n, err
}

func (r *reader) done() float64 { return float64(r.read) / float64(max(1, r.size)) }
