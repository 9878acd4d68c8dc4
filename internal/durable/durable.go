// Package durable writes files that other processes read or write at the same
// time: files are replaced whole, what is written survives a power cut, and an
// administrator who writes for a daemon leaves the daemon's owner and mode alone.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Until it is whole, a file has the name ".<name>.<number>.tmp".
const (
	tempPrefix = "."
	tempExt    = ".tmp"
)

// FileMode is the mode of a new file.
const FileMode = 0o640

// IsTemp reports whether a name is that of a file that Replace is writing, or that
// an interrupted one left behind.
func IsTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempExt)
}

// TempName returns a name for a file that will be renamed to name when it is whole.
func TempName(name string) string {
	return fmt.Sprintf("%s%s.%d%s", tempPrefix, name, rand.Uint64(), tempExt)
}

// TempOf returns the name that a file gets when it is whole, from the name that it has
// until then.
func TempOf(temp string) (name string, ok bool) {
	if !IsTemp(temp) {
		return "", false
	}
	name = strings.TrimSuffix(strings.TrimPrefix(temp, tempPrefix), tempExt)
	dot := strings.LastIndexByte(name, '.')
	return name[:max(dot, 0)], dot > 0
}

// Replace replaces a file in the folder, or makes it: whoever reads it, at whatever
// moment and after whatever happened to the writer, reads the old text or the new one.
// With sync it is on the disk when Replace returns, so a power cut does not change that.
// A file keeps its owner and mode; a new one gets FileMode and the folder's owner.
func (d *Folder) Replace(name string, data []byte, sync bool) error {
	s, err := d.Stage(name, data, sync)
	if err != nil {
		return err
	}
	return s.Commit()
}

// Staged is a file that is written and does not have its name yet.
type Staged struct {
	folder     *Folder
	file       *os.File // open, so that no other file can be taken for it
	temp, name string
	sync       bool
}

// Stage is the first half of Replace: it writes the file under another name. Commit or
// Drop has to follow, before the folder is closed.
func (d *Folder) Stage(name string, data []byte, sync bool) (s *Staged, err error) {
	s = &Staged{folder: d, temp: TempName(name), name: name, sync: sync}
	if s.file, err = d.Create(s.temp); err != nil {
		return nil, err
	}
	_, err = s.file.Write(data)
	if err == nil {
		err = d.keepOwner(s.file, name)
	}
	if err == nil && sync {
		err = s.file.Sync()
	}
	if err != nil {
		s.Drop()
		return nil, err
	}
	return s, nil
}

// Commit is the second half of Replace: the file gets its name. It is an error if
// somebody has put another file in the place of what was written.
func (s *Staged) Commit() error {
	defer s.Drop()
	if err := s.isStill(s.temp); err != nil {
		return err
	}
	if err := s.folder.Rename(s.temp, s.name); err != nil {
		return err
	}
	if now, err := s.folder.Lstat(s.name); err == nil && !now.Mode().IsRegular() { // it was replaced in between
		return s.folder.failed("rename", s.name, ErrLink)
	}
	if err := s.file.Close(); err != nil || !s.sync { // a network file system may refuse only now what was written
		return err
	}
	return s.folder.Sync()
}

// isStill returns an error if a name is not that of the file that was written.
func (s *Staged) isStill(name string) error {
	written, err := s.file.Stat()
	if err != nil {
		return err
	}
	now, err := s.folder.Lstat(name)
	if err == nil && !os.SameFile(now, written) {
		err = s.folder.failed("rename", name, ErrLink)
	}
	return err
}

// Drop removes the file. After Commit it does nothing.
func (s *Staged) Drop() {
	s.file.Close()
	_ = s.folder.Remove(s.temp)
}

// keepOwner gives a file the owner and mode of the one that it replaces.
func (d *Folder) keepOwner(f *os.File, name string) error {
	mode := fs.FileMode(FileMode)
	like, err := d.Lstat(name)
	if err == nil && like.Mode().IsRegular() {
		mode = like.Mode().Perm()
	} else if like, err = d.Stat(); err != nil {
		return err
	}
	chown(f, like)
	return f.Chmod(mode)
}

// chown gives a file the owner and group of another, as far as this process may:
// root may give it away; anybody else owns it already, or shares the group.
func chown(f *os.File, like fs.FileInfo) {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if ok && f.Chown(int(owner.Uid), int(owner.Gid)) != nil {
		_ = f.Chown(-1, int(owner.Gid))
	}
}

// Create makes a file that is not there yet, with this mode and the folder's owner, on the
// disk when Create returns. The error is fs.ErrExist if it is there.
func Create(path string, data []byte, mode fs.FileMode) (err error) {
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%w: make the folder first", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	chown(f, folder)
	_, err = f.Write(data)
	if err = errors.Join(f.Chmod(mode), err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// OpenShared opens a file that several processes write to, and makes it if it is
// missing. A new one gets the owner of its folder, and whoever may write into the
// folder may write to it. A link is ErrLink.
func OpenShared(path string, flag int) (*os.File, error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	d, err := OpenFolder(dir, dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.OpenShared(name, flag)
}

// OpenShared is OpenShared for a file in this folder.
func (d *Folder) OpenShared(name string, flag int) (*os.File, error) {
	f, err := d.Open(name, flag)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	folder, err := d.Stat()
	if err != nil {
		return nil, err
	}
	f, err = d.root.OpenFile(name, flag|os.O_CREATE|os.O_EXCL, FileMode)
	if errors.Is(err, fs.ErrExist) {
		return d.Open(name, flag)
	}
	if err != nil {
		return nil, d.whole(err)
	}
	chown(f, folder)
	return f, f.Chmod(FileMode | folder.Mode().Perm()&0o020)
}

// OpenRegular opens a file for reading, in a folder into which others may write: no link,
// and no pipe or device, which could block. The file is nil if there is an error.
func OpenRegular(path string) (*os.File, error) { return openFile(path, os.O_RDONLY) }

// Lock waits for the exclusive lock of a file. Closing the file unlocks it, and so
// does the end of the process.
func Lock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

// ErrLocked is what TryLock returns if another has the lock.
var ErrLocked error = syscall.EWOULDBLOCK

// TryLock is Lock, and does not wait.
func TryLock(f *os.File) error { return flock(f, syscall.LOCK_EX|syscall.LOCK_NB) }

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}
