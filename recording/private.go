package recording

import (
	"log/slog"
	"os"
	"sync/atomic"

	"tapedeck/internal/durable"
)

// forOthers are the rights of those who are neither the owner of a file nor in its group.
const forOthers = 0o007

// OthersMayEnter reports whether others than owner and group may list or enter the folder
// of the recordings.
func (d Dir) OthersMayEnter() bool {
	info, err := os.Stat(d.root)
	return err == nil && info.Mode()&forOthers != 0
}

// private takes away from the sound of recordings what FreeSWITCH's umask has given to
// others than its owner and group: its mode is at most that of the sidecar. Where that is
// refused, because FreeSWITCH is another user, the recording goes on. It logs each cause
// once.
type private struct {
	log                *slog.Logger
	saidOpen, saidKept atomic.Bool
}

// sound makes the file of one recording private. A file that is not there stays so.
func (p *private) sound(d Dir, id, path string) {
	_ = d.inFolder(path, func(folder *durable.Folder, name string) error { // what cannot be opened, its examination tells
		f, err := folder.Open(name, os.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil || info.Mode().Perm()&^durable.FileMode == 0 {
			return err
		}
		within, err := folder.Stat()
		if err == nil && info.Mode()&forOthers != 0 && within.Mode()&forOthers != 0 && d.OthersMayEnter() && p.saidOpen.CompareAndSwap(false, true) {
			p.log.Warn("others may read recordings while their calls last: start FreeSWITCH with umask 027 (systemd: UMask=0027), and chmod o= this folder",
				"folder", d.root, "recording", id, "mode", info.Mode().String())
		}
		if err := f.Chmod(info.Mode().Perm() & durable.FileMode); err != nil && p.saidKept.CompareAndSwap(false, true) {
			p.log.Warn("the sound of recordings keeps the mode that FreeSWITCH gave it: start FreeSWITCH with umask 027, or as Tapedeck's user", "recording", id, "error", err)
		}
		return nil
	})
}
