package recording

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tapedeck/internal/durable"
)

// ErrNoSound is the error for a recording whose file holds nothing that a waveform
// or an MP3 could be made of.
var ErrNoSound = errors.New("it holds no sound that can be used")

// derived is a file that is made of a recording's sound and lies beside it. It is
// made below the folder of recordings, whatever links there are.
type derived struct {
	d         Dir
	folder    *durable.Folder // of that day
	path      string          // where the file lies
	id        string          // of the recording
	wav, made string          // names in the folder
}

// openDerived returns a recording's file with the extension ext, which need not
// exist. Path is that of one of the recording's files. The caller closes it.
func (d Dir) openDerived(path, ext string) (*derived, error) {
	day, place, err := d.locate(path)
	if err != nil {
		return nil, err
	}
	folder, err := durable.OpenFolder(d.root, day.Path)
	if err != nil {
		return nil, err
	}
	id := place.ID()
	return &derived{d, folder, filepath.Join(day.Path, id+ext), id, id + soundExt, id + ext}, nil
}

func (v *derived) close() { v.folder.Close() }

// fresh reports whether the file exists and is not older than the sound.
func (v *derived) fresh() bool {
	wav, err := v.folder.Lstat(v.wav)
	if err != nil {
		return false
	}
	made, err := v.folder.Lstat(v.made)
	return err == nil && made.Mode().IsRegular() && !made.ModTime().Before(wav.ModTime())
}

// create has the file out written from the sound by write, whole or not at all.
func (v *derived) create(write func(in, out *os.File) error) error {
	if v.d.hasDraft(v.id) {
		return ErrLive
	}
	in, err := v.folder.Open(v.wav, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	temp := durable.TempName(v.made)
	out, err := v.folder.Create(temp)
	if err != nil {
		return err
	}
	defer out.Close()                            // which unlocks it
	defer func() { _ = v.folder.Remove(temp) }() // it has another name by then if all went well
	if err = durable.Lock(out); err == nil {     // until it has its name, nobody takes it for a leftover
		err = write(in, out)
	}
	if err == nil {
		err = errors.Join(out.Chmod(durable.FileMode), out.Sync())
	}
	if err != nil {
		return err
	}
	return v.publish(temp, info)
}

// publish gives the file its name, unless the sound was deleted or changed
// meanwhile. It holds the lock under which recordings are deleted, so that no file
// is left beside a sound that is gone.
func (v *derived) publish(temp string, wav fs.FileInfo) error {
	return v.d.locked(func() error {
		now, err := v.folder.Lstat(v.wav)
		if err != nil {
			return err
		}
		if !os.SameFile(now, wav) || now.Size() != wav.Size() || !now.ModTime().Equal(wav.ModTime()) {
			return errors.New("the sound was changed meanwhile: try again")
		}
		made, err := v.folder.Lstat(temp)
		if err == nil && made.ModTime().Before(now.ModTime()) { // somebody set the clock back
			err = v.folder.Chtimes(temp, now.ModTime())
		}
		if err != nil {
			return err
		}
		return v.folder.Rename(temp, v.made)
	})
}
