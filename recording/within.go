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

// ErrOutside is of a path that is no recording's file below the folder.
var ErrOutside = errors.New("it does not lie in the folder of recordings")

// Within is the absolute path of a recording's file, sidecar, or what was made of
// it, from one that is relative to the folder, as the index has it, or below it
// already. A path that this package would not have made, or that goes through a
// symbolic link, is ErrOutside. Whether the file is there is not asked.
func (d Dir) Within(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = d.root + "/" + path
	}
	if _, err := d.Parse(path); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOutside, err)
	}
	words := strings.Split(strings.TrimPrefix(path, d.root+"/"), "/")
	at := d.root
	for _, word := range words {
		at = filepath.Join(at, word)
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("recording: within: %w", err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return "", fmt.Errorf("%w: recording: path %s: %s is a symbolic link", ErrOutside, path, at)
		}
	}
	return path, nil
}

// Open opens a recording's file, sidecar, or what was made of it, for reading.
// The path is one for Within; what a link that comes in between leads to is not
// opened, unless it is below the folder too.
func (d Dir) Open(path string) (*os.File, error) {
	path, err := d.Within(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(d.root)
	if err != nil {
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	defer root.Close()
	f, err := root.OpenFile(strings.TrimPrefix(path, d.root+"/"), os.O_RDONLY|syscall.O_NONBLOCK, 0) // which does not wait for a pipe's other end
	if err != nil {
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is no file")}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("recording: open: %w", err)
	}
	return f, nil
}
