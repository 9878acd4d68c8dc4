package recording

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tapedeck/internal/durable"
)

// makeDirs makes the folders above a path that are missing below the root, with the
// root's owner and mode: FreeSWITCH, which may be another user, has to write into
// them. It never makes the root: if that is missing, a disk is not mounted.
func (d Dir) makeDirs(path string) error {
	folder, err := durable.MakeFolders(d.root, filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("%w: create the folder, or mount its disk", err)
	}
	folder.Close()
	return nil
}

// inFolder calls do with the open folder of a file, and the file's name in it. No folder
// between the root and the file may be a link.
func (d Dir) inFolder(path string, do func(folder *durable.Folder, name string) error) error {
	folder, err := durable.OpenFolder(d.root, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return do(folder, filepath.Base(path))
}

// openFile opens a regular file that is there, reached without a link.
func (d Dir) openFile(path string, flag int) (f *os.File, err error) {
	err = d.inFolder(path, func(folder *durable.Folder, name string) (err error) {
		f, err = folder.Open(name, flag)
		return err
	})
	return f, err
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
