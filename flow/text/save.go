package text

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tapedeck/flow"
	"tapedeck/internal/durable"
)

// ErrChanged says that the policy's text is not what the draft began with.
var ErrChanged = errors.New("somebody else has changed the policy meanwhile: read it again, and make the change anew")

// ErrSeveral says that a draft changes more than one file: they could not be saved at once.
var ErrSeveral = errors.New("the changes are in several files: save those of one file at a time")

// Save writes the changed file whole: whatever happens to this process, the file has the old
// text or the new one. It keeps its owner and mode. Text that somebody else has written
// since it was read is not overwritten: then the error is ErrChanged. A draft without changes
// writes nothing.
func (d *Draft) Save() error {
	now, err := d.now()
	if err != nil {
		return err
	}
	which := -1
	for i, f := range now.Files {
		switch {
		case bytes.Equal(f.Text, d.read.Files[i].Text):
		case which >= 0:
			return ErrSeveral
		default:
			which = i
		}
	}
	if which < 0 {
		return nil
	}
	name, err := filepath.EvalSymlinks(now.Files[which].Name)
	if err != nil {
		return fmt.Errorf("policy: save: %w", err)
	}
	unlock, err := lock(filepath.Dir(name))
	if err != nil {
		return fmt.Errorf("policy: save: %w", err)
	}
	defer unlock()
	if there, err := flow.ReadText(d.read.Path); err != nil {
		return fmt.Errorf("policy: save: %w", err)
	} else if !there.Same(d.read) {
		return ErrChanged
	}
	if err := replace(name, now.Files[which].Text); err != nil {
		return fmt.Errorf("policy: save: %w: nothing is changed", err)
	}
	return d.begin(now)
}

// lock keeps other drafts from being saved at the same time, here or in another process. An
// editor does not ask for it.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := durable.Lock(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func replace(name string, text []byte) error {
	folder, err := durable.OpenFolder(filepath.Dir(name), filepath.Dir(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Replace(filepath.Base(name), text, true)
}
