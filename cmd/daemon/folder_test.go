package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/cmd/config"
	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

// TestMakeFolder: the folder of the recordings is made for its owner and group alone. One
// that others may enter is logged, with what to do.
func TestMakeFolder(t *testing.T) {
	cfg := config.Default()
	var err error
	if cfg.Recordings.Dir, err = recording.NewDir(filepath.Join(spooltest.Folder(t), "spool")); err != nil {
		t.Fatal(err)
	}
	dir := cfg.Recordings.Dir.String()
	var log testkit.Log
	start := func() { makeFolder(cfg, slog.New(slog.NewTextHandler(&log, nil))) }
	start()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o707 != 0o700 || log.String() != "" {
		t.Errorf("%v, %v: %s", info, err, &log)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	start()
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "chmod o= it\" folder="+dir) {
		t.Errorf("log: %s", text)
	}
}
