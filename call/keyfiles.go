package call

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"tapedeck/recording"
)

// keyDir is the folder of the markers, in the folder of the recordings.
const keyDir = ".keys"

// How often markers are looked for whose event did not come, and how long nobody must
// have written to one of them. FreeSWITCH refuses a recording whose file vanishes
// between its creation and RECORD_START (switch_core_file.c,
// switch_core_perform_file_open).
const (
	markerSweepEvery = 10 * time.Second
	markerAge        = time.Second
)

// markerFiles passes the paths of markers to the one goroutine that removes them. A
// marker's file is removed as soon as FreeSWITCH reports the marker, while it is being
// written: FreeSWITCH goes on writing to the open file, which has no name any more,
// and the disk frees it when it is closed. So not even a crash leaves one behind.
type markerFiles chan string

// remove has the file of a marker removed. It does not block: if the disk hangs, the
// sweep does it later.
func (m markerFiles) remove(path string) {
	select {
	case m <- path:
	default:
	}
}

// serve removes markers until ctx ends: those that it is told of, and those that an
// earlier Tapedeck, or a FreeSWITCH that crashed, has left in the folder.
func (m markerFiles) serve(ctx context.Context, dir recording.Dir, log *slog.Logger) {
	sweep := time.NewTicker(markerSweepEvery)
	defer sweep.Stop()
	folder, failed := filepath.Join(dir.String(), keyDir), false
	for {
		err := sweepMarkers(folder, time.Now())
		if err != nil && !failed {
			log.Warn("record key: markers not removed: Tapedeck's user must be able to write to their folder", "folder", folder, "error", err)
		}
		failed = err != nil
		for swept := false; !swept; {
			select {
			case path := <-m:
				_ = removeMarker(path) // if it is still there, the sweep says so
			case <-sweep.C:
				swept = true
			case <-ctx.Done():
				return
			}
		}
	}
}

// sweepMarkers removes the markers in a folder to which nobody has written for
// markerAge. There need not be such a folder.
func sweepMarkers(folder string, now time.Time) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !isMarker(e.Name()) {
			continue
		}
		if info, gone := e.Info(); gone == nil && now.Sub(info.ModTime()) >= markerAge {
			err = errors.Join(err, removeMarker(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

// removeMarker removes the file of a marker, if it is there.
func removeMarker(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
