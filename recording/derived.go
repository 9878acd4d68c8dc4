package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tapedeck/internal/durable"
	"tapedeck/recording/sound"
)

// ErrNoSound is of a recording whose file holds nothing that a picture or an MP3
// could be made of.
var ErrNoSound = errors.New("it holds no sound that can be used")

// derivation is a file that is made of a recording's sound, and lies beside it.
// All is done below the folder, whatever links there are.
type derivation struct {
	d         Dir
	root      *os.Root
	id        string
	wav, made string // relative to the folder
}

// derivation opens one. Path is that of one of the recording's files.
func (d Dir) derivation(path, ext string) (*derivation, error) {
	day, place, err := d.locate(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(d.relative(day.Path), place.ID())
	return &derivation{d, root, place.ID(), base + soundExt, base + ext}, nil
}

func (v *derivation) close() { v.root.Close() }

// path is where the file lies.
func (v *derivation) path() string { return filepath.Join(v.d.root, v.made) }

// fresh reports whether the file is there and not older than the sound.
func (v *derivation) fresh() bool {
	wav, err := v.root.Lstat(v.wav)
	if err != nil {
		return false
	}
	made, err := v.root.Lstat(v.made)
	return err == nil && made.Mode().IsRegular() && !made.ModTime().Before(wav.ModTime())
}

// make has the file written, whole or not at all, by write.
func (v *derivation) make(ctx context.Context, write func(out *os.File, wav sound.WAV) error) error {
	if v.d.hasDraft(v.id) {
		return ErrLive
	}
	f, err := v.d.Open(v.wav)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	wav, err := sound.Parse(f, info.Size())
	if err == nil && wav.Frames() == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSound, err)
	}
	temp := filepath.Join(filepath.Dir(v.made), durable.TempName(filepath.Base(v.made)))
	out, err := v.root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, durable.FileMode)
	if err != nil {
		return err
	}
	defer v.root.Remove(temp) // which is gone when all went well
	err = write(out, wav)
	if err == nil {
		err = errors.Join(out.Chmod(durable.FileMode), out.Sync())
	}
	if err = errors.Join(err, out.Close(), ctx.Err()); err != nil {
		return err
	}
	return v.publish(temp, info)
}

// publish gives the file its name, unless the sound was deleted or changed
// meanwhile: under the lock of deletions, so that nothing comes to lie beside a
// sound that is gone.
func (v *derivation) publish(temp string, wav fs.FileInfo) error {
	return v.d.locked(func() error {
		now, err := v.root.Lstat(v.wav)
		if err != nil {
			return err
		}
		if !os.SameFile(now, wav) || now.Size() != wav.Size() || !now.ModTime().Equal(wav.ModTime()) {
			return errors.New("the sound was changed meanwhile: try again")
		}
		made, err := v.root.Lstat(temp)
		if err == nil && made.ModTime().Before(now.ModTime()) { // a clock was set
			err = v.root.Chtimes(temp, now.ModTime(), now.ModTime())
		}
		if err != nil {
			return err
		}
		return v.root.Rename(temp, v.made)
	})
}
