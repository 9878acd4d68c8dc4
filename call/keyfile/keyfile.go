// Package keyfile names the files of the Record keys' markers, and removes them.
package keyfile

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/internal/durable"
)

// folder is where the markers are, in the folder of the recordings. prefix begins the
// name of each.
const (
	folder = ".keys"
	prefix = "tapedeck-key-"
)

// Of is the path of the marker of a phone's leg, below the folder of the recordings, as
// the profile makes it from freeswitch-conf's record-path and record-template.
func Of(recordings, leg string) string {
	return filepath.Join(recordings, folder, prefix+leg+".wav")
}

// Is reports whether a file is a marker, by its name.
func Is(file string) bool { return strings.HasPrefix(filepath.Base(file), prefix) }

// How often markers are looked for whose event did not come, and how long nobody must
// have written to one of them. FreeSWITCH refuses a recording whose file vanishes
// between its creation and RECORD_START (switch_core_file.c,
// switch_core_perform_file_open).
const (
	sweepEvery = 10 * time.Second
	leftAfter  = time.Second
)

// Remover passes the paths of markers to the one goroutine that removes them, Serve. A
// marker's file is removed as soon as FreeSWITCH reports the marker, while it is being
// written: FreeSWITCH goes on writing to the open file, which has no name any more,
// and the disk frees it when it is closed. So not even a crash leaves one behind.
type Remover chan string

// NewRemover makes a Remover, which starts nothing.
func NewRemover() Remover { return make(Remover, 1024) }

// Remove has the file of a marker removed. It does not block: if the disk hangs, Serve
// does it later, when it looks through the folder.
func (r Remover) Remove(path string) {
	select {
	case r <- path:
	default:
	}
}

// Serve removes markers until ctx ends: those that it is told of, and those that an
// earlier Tapedeck, or a FreeSWITCH that crashed, has left below the folder of the
// recordings. It logs once if it cannot, and again after it could.
func (r Remover) Serve(ctx context.Context, recordings string, log *slog.Logger) {
	look := time.NewTicker(sweepEvery)
	defer look.Stop()
	dir, failed := filepath.Join(recordings, folder), false
	for {
		err := sweep(recordings, time.Now())
		if err != nil && !failed {
			log.Warn("record key: markers not removed: Tapedeck's user must be able to write to their folder", "folder", dir, "error", err)
		}
		failed = err != nil
		for swept := false; !swept; {
			select {
			case path := <-r:
				_ = remove(recordings, path) // if it is still there, the sweep says so
			case <-look.C:
				swept = true
			case <-ctx.Done():
				return
			}
		}
	}
}

// sweep removes the markers below the folder of the recordings to which nobody has
// written for leftAfter. There need not be a folder of markers; it is none if it is a
// link.
func sweep(recordings string, now time.Time) error {
	markers, err := durable.OpenFolder(recordings, filepath.Join(recordings, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer markers.Close()
	names, err := markers.Names()
	for _, name := range names {
		if !Is(name) {
			continue
		}
		if info, gone := markers.Lstat(name); gone == nil && now.Sub(info.ModTime()) >= leftAfter {
			err = errors.Join(err, markers.Remove(name))
		}
	}
	return err
}

// remove removes the file of a marker below the folder of the recordings, if it is there.
func remove(recordings, path string) error {
	markers, err := durable.OpenFolder(recordings, filepath.Dir(path))
	if err != nil {
		return err
	}
	defer markers.Close()
	return markers.Remove(filepath.Base(path))
}
