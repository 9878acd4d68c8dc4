package daemon

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/cmd/config"
	"tapedeck/internal/testkit"
)

// TestWarnsOfPrompts says so once.
func TestWarnsOfPrompts(t *testing.T) {
	cfg := config.Default()
	cfg.Prompts.Dir = t.TempDir()
	var log testkit.Log
	warnOfPrompts(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if text := log.String(); !strings.Contains(text, "level=WARN") || !strings.Contains(text, "folder="+cfg.Prompts.Dir+"/en\n") {
		t.Error(text)
	}
	if err := os.Mkdir(filepath.Join(cfg.Prompts.Dir, "en"), 0o700); err != nil {
		t.Fatal(err)
	}
	if warnOfPrompts(cfg, slog.New(slog.NewTextHandler(&log, nil))); strings.Count(log.String(), "\n") != 1 {
		t.Error(log.String())
	}
}
