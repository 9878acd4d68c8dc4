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

// Replace replaces a file, or makes it: whoever reads it, at whatever moment and
// after whatever happened to the writer, reads the old text or the new one. With
// sync it is on the disk when Replace returns, so a power cut does not change that.
// A file keeps its owner and mode; a new one gets FileMode and the folder's owner.
func Replace(path string, data []byte, sync bool) error {
	s, err := Stage(path, data, sync)
	if err != nil {
		return err
	}
	return s.Commit()
}

// Staged is a file that is written and does not have its name yet.
type Staged struct {
	temp, path string
	sync       bool
}

// Stage is the first half of Replace: it writes the file under another name. Commit or
// Drop has to follow.
func Stage(path string, data []byte, sync bool) (s *Staged, err error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, tempPrefix+name+".*"+tempExt)
	if err != nil {
		return nil, err
	}
	s = &Staged{temp: f.Name(), path: path, sync: sync}
	_, err = f.Write(data)
	if err == nil {
		err = keepOwner(f, path)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		s.Drop()
		return nil, err
	}
	return s, nil
}

// Commit is the second half of Replace: the file gets its name.
func (s *Staged) Commit() error {
	if err := os.Rename(s.temp, s.path); err != nil {
		s.Drop()
		return err
	}
	if !s.sync {
		return nil
	}
	return SyncDir(filepath.Dir(s.path))
}

// Drop removes the file. After Commit it does nothing.
func (s *Staged) Drop() { os.Remove(s.temp) }

// keepOwner gives a file the owner and mode of the one at path that it replaces.
func keepOwner(f *os.File, path string) error {
	mode := fs.FileMode(FileMode)
	like, err := os.Lstat(path)
	if err == nil && like.Mode().IsRegular() {
		mode = like.Mode().Perm()
	} else if like, err = os.Stat(filepath.Dir(path)); err != nil {
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

// OpenShared opens a file that several processes write to, and makes it if it is
// missing. A new one gets the owner of its folder, and whoever may write into the
// folder may write to it.
func OpenShared(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f, err = os.OpenFile(path, flag|os.O_CREATE|os.O_EXCL, FileMode) // so that no link's target is given away
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, flag, 0)
	}
	if err != nil {
		return nil, err
	}
	chown(f, folder)
	return f, f.Chmod(FileMode | folder.Mode().Perm()&0o020)
}

// OpenRegular opens a file for reading, in a folder into which others may write: no link,
// and no pipe or device, which could block. The file is nil if there is an error.
func OpenRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

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

// SyncDir has the names in a folder on the disk when it returns.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
