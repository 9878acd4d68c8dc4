package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"tapedeck/cmd/config"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
)

// recordingsFlags are the flags that every command about recordings has.
func recordingsFlags(name string) (flags *flag.FlagSet, daemonFile *string) {
	flags = flag.NewFlagSet("recordings "+name, flag.ContinueOnError)
	return flags, flags.String("config", "", "daemon `FILE`, which says where the recordings are (default "+config.DefaultFile+")")
}

// loadRecordings reads the daemon file and checks that the recordings' folder is
// there.
func loadRecordings(daemonFile string) (*config.Config, error) {
	cfg, err := config.Load(daemonFile)
	if err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(cfg.Recordings.Dir.String()); err != nil {
		return nil, fmt.Errorf("recordings.dir in the daemon file: %w: mount its disk, run this as a user who may read it, or name another daemon file with --config", err)
	}
	return cfg, nil
}

// findFile finds where a recording's sound is, or would be, by its id.
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

// plainText is a text for a terminal: on one line, without anything that a
// terminal would obey; "-" if there is none.
func plainText(text string) string {
	if text = tidy.Text(text, maxCell); text == "" {
		return "-"
	}
	return text
}

// maxCell is the longest text in a table, in bytes.
const maxCell = 100

// plainJSON is the same JSON on one line, with everything escaped that a
// terminal would obey: JSON itself may have C1 controls and direction marks.
func plainJSON(text []byte) (string, error) {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, r := range line.String() {
		switch {
		case !unicode.Is(unicode.C, r):
			b.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String(), nil
}

func printJSON(w io.Writer, text []byte) error {
	line, err := plainJSON(text)
	if err == nil {
		_, err = fmt.Fprintln(w, line)
	}
	return err
}

// position is a place in a file, to the millisecond.
func position(ms int64) string { return fmt.Sprintf("%d:%02d.%03d", ms/60_000, ms/1000%60, ms%1000) }

// size is a number of bytes for people.
func size(bytes int64) string {
	switch b := float64(bytes); {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", b/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", b/1e6)
	case bytes >= 1e3:
		return fmt.Sprintf("%.1f kB", b/1e3)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// zone is where times are shown.
func zone(utc bool) *time.Location {
	if utc {
		return time.UTC
	}
	return time.Local
}

// plural is "1 recording", "2 recordings".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
