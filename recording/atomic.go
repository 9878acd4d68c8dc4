package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A file that is being written is called ".<name>.<number>.tmp" until it is
// whole.
const (
	tempMark = "."
	tempExt  = ".tmp"

	// tempAge is how old such a file is at least when nobody can be writing it.
	tempAge = time.Hour

	fileMode = 0o640
)

// isTemp reports whether a file is one that writeWhole, interrupted, left behind.
func isTemp(name string) bool {
	return strings.HasPrefix(name, tempMark) && strings.HasSuffix(name, tempExt)
}

// writeWhole replaces a file, or makes it: whoever reads it, at whatever moment,
// and after whatever happened to the writer, reads the old or the new. A durable
// one is on the disk when it returns, so a power cut does not change that.
func writeWhole(path string, data []byte, durable bool) (err error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, tempMark+name+".*"+tempExt)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = likeBefore(f, path)
	}
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil || !durable {
		return err
	}
	return syncDir(dir)
}

// likeBefore gives a file the owner and mode of the one at path that it is to
// replace, and a new one the owner of the folder: an administrator may write what
// serve, which is another user, has to read.
func likeBefore(f *os.File, path string) error {
	mode := fs.FileMode(fileMode)
	like, err := os.Lstat(path)
	if err == nil && like.Mode().IsRegular() {
		mode = like.Mode().Perm()
	} else if like, err = os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	give(f, like)
	return f.Chmod(mode)
}

// give gives a file the owner and group of another, as far as we may: only root
// can give it away; anybody else is the owner already, or shares the group.
func give(f *os.File, like fs.FileInfo) {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if ok && f.Chown(int(owner.Uid), int(owner.Gid)) != nil {
		_ = f.Chown(-1, int(owner.Gid))
	}
}

// openShared opens a file in the root that several processes write to. A new one
// gets the owner of the folder, and whoever may write into the folder may write
// to it.
func openShared(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	folder, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f, err = os.OpenFile(path, flag|os.O_CREATE|os.O_EXCL, fileMode) // no link's target is given away
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path, flag, 0)
	}
	if err != nil {
		return nil, err
	}
	give(f, folder)
	return f, f.Chmod(fileMode | folder.Mode().Perm()&0o020)
}

// syncDir has the names in a folder on the disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// makeDirs makes the folders above a path that are missing below the root, each
// like the root: FreeSWITCH, which may be another user, has to write into them.
// The root is never made: if it is gone, a disk is not mounted.
func (d Dir) makeDirs(path string) error {
	root, err := os.Stat(d.root)
	if err != nil {
		return fmt.Errorf("%w: create the folder, or mount its disk", err)
	}
	return makeLike(filepath.Dir(path), d.root, root)
}

func makeLike(dir, root string, like fs.FileInfo) error {
	if len(dir) <= len(root) {
		return nil
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeLike(filepath.Dir(dir), root, like); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	if owner, ok := like.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(dir, int(owner.Uid), int(owner.Gid)) // only root can; anybody else is the owner already, or shares the group
	}
	return os.Chmod(dir, like.Mode().Perm()|like.Mode()&fs.ModeSetgid)
}

// lockName is the file whose lock keeps a hold from being set, by another process
// too, between the look at a sidecar and the deletion that follows from it.
const lockName = ".lock"

// locked does something under the lock of the folder's sidecars.
func (d Dir) locked(do func() error) error {
	f, err := openShared(filepath.Join(d.root, lockName), os.O_RDWR)
	if err != nil {
		return fmt.Errorf("recording: lock: %w", err)
	}
	defer f.Close() // which unlocks it
	if err := flock(f); err != nil {
		return fmt.Errorf("recording: lock: %w", err)
	}
	return do()
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}
