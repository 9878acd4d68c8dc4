package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tapedeck/internal/durable"
)

// tempAge is how old a file that an interrupted write left behind is at least.
const tempAge = time.Hour

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
	f, err := durable.OpenShared(filepath.Join(d.root, lockName), os.O_RDWR)
	if err != nil {
		return fmt.Errorf("recording: lock: %w", err)
	}
	defer f.Close() // which unlocks it
	if err := durable.Lock(f); err != nil {
		return fmt.Errorf("recording: lock: %w", err)
	}
	return do()
}
