package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrOutside is the error for a path that is not that of a recording's file below
// the folder.
var ErrOutside = errors.New("it does not lie in the folder of recordings")

// Resolve returns the absolute path of a recording's sound, of its sidecar, or of
// what was made of the sound, from a path that is absolute or, as in the index,
// relative to the folder. It returns ErrOutside for a path that this package would
// not have made or that goes through a symbolic link. The file need not exist.
func (d Dir) Resolve(path string) (string, error) {
	if filepath.Clean(path) != path {
		return "", fmt.Errorf("%w: recording: path %.200q", ErrOutside, path)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.root, path)
	}
	if _, err := d.Parse(path); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOutside, err)
	}
	at := d.root
	for word := range strings.SplitSeq(d.relative(path), "/") {
		at = filepath.Join(at, word)
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("recording: resolve: %w", err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("%w: recording: path %s: %s is a symbolic link", ErrOutside, path, at)
		}
	}
	return path, nil
}

// locate returns the place of the recording that a path is of, and the folder that
// it lies in. Resolve has accepted the path and that of the sound.
func (d Dir) locate(path string) (Day, Place, error) {
	path, err := d.Resolve(path)
	if err != nil {
		return Day{}, Place{}, err
	}
	place, err := d.Parse(path)
	if err != nil {
		return Day{}, Place{}, err
	}
	day := Day{Path: filepath.Dir(path), Organisation: place.Organisation, Date: place.Day}
	_, err = d.Resolve(day.SoundPath(place.ID()))
	return day, place, err
}

// relative returns a path below the folder relative to the folder.
func (d Dir) relative(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, d.root), "/")
}

// Open opens a recording's sound, its sidecar, or what was made of the sound, for
// reading. The path is as for Resolve. A link that appears after Resolve leads
// nowhere outside the folder.
func (d Dir) Open(path string) (*os.File, error) {
	path, err := d.Resolve(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	defer root.Close()
	f, err := root.OpenFile(d.relative(path), os.O_RDONLY|syscall.O_NONBLOCK, 0) // so that a pipe without a writer does not block
	if err != nil {
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	return f, nil
}
