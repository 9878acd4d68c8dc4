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

// makeDirs makes the folders above a path that are missing below the root, with the
// root's owner and mode: FreeSWITCH, which may be another user, has to write into
// them. It never makes the root: if that is missing, a disk is not mounted.
func (d Dir) makeDirs(path string) error {
	root, err := os.Stat(d.root)
	if err != nil {
		return fmt.Errorf("%w: create the folder, or mount its disk", err)
	}
	return makeLike(filepath.Dir(path), d.root, root)
}

// MakeMonth makes the folder of an organisation's recordings of the month, in UTC, in
// which a moment is. If it is there already, nothing changes. FreeSWITCH makes missing
// folders by itself, but if two recordings begin at the same moment and the month's
// folder is missing, it may fail one of them (docs/freeswitch.md, "uuid_record").
func (d Dir) MakeMonth(organisation string, moment time.Time) error {
	if !isOrganisation(organisation) {
		return fmt.Errorf("recording: make month: organisation %.80q is no id of 1 to %d characters a-z, 0-9 and -", organisation, maxToken)
	}
	if err := d.makeDirs(d.dayPath(organisation, moment.UTC())); err != nil {
		return fmt.Errorf("recording: make month: %w", err)
	}
	return nil
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
		_ = os.Chown(dir, int(owner.Uid), int(owner.Gid)) // only root can; anybody else owns it already, or shares the group
	}
	return os.Chmod(dir, like.Mode().Perm()|like.Mode()&fs.ModeSetgid)
}

// lockName is the file whose lock keeps every process from setting a hold between
// the moment in which a sidecar is read and the deletion that it allows.
const lockName = ".lock"

// locked calls do while it holds the lock of the folder's sidecars.
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
