// Package recordings is what the commands of `tapedeck recordings` do: they list, show,
// verify, hold and purge recordings, and make their index anew.
package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tapedeck/cmd/config"
	"tapedeck/recording"
)

// Check checks that the recordings' folder is there.
func Check(cfg *config.Config) error {
	if _, err := os.ReadDir(cfg.Recordings.Dir.String()); err != nil {
		return fmt.Errorf("recordings.dir in the daemon file: %w: mount its disk, run this as a user who may read it, or name another daemon file with --config", err)
	}
	return nil
}

// findFile returns the path of the sound of a recording, which need not exist, by its id.
func findFile(ctx context.Context, d recording.Dir, id string) (path string, err error) {
	path, err = recording.Find(ctx, d, id)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no recording %.80q: `tapedeck recordings ls` lists them", id)
	}
	return path, err
}

// findRecording finds a recording's sound and reads its sidecar.
func findRecording(ctx context.Context, d recording.Dir, id string) (path string, s recording.Sidecar, err error) {
	if path, err = findFile(ctx, d, id); err != nil {
		return "", s, err
	}
	s, err = recording.ReadSidecar(recording.SidecarPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", s, fmt.Errorf("%s has no sidecar: while its call is live that is so, later `tapedeck recordings reindex` makes one", path)
	}
	if err == nil && s.ID() != id {
		err = fmt.Errorf("the sidecar of %s is that of %s: `tapedeck recordings verify` finds all that are swapped", path, s.ID())
	}
	return path, s, err
}
