package keyfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestIs(t *testing.T) {
	for file, want := range map[string]bool{
		Of("/var/spool/tapedeck", "an-uuid"):           true,
		"/elsewhere/tapedeck-key-x.wav":                true,
		"/var/spool/tapedeck/.keys/notes.txt":          false,
		"/tapedeck-key-x/acme/2026/07/28/an-uuid.wav":  false,
		"/var/spool/tapedeck/acme/2026/07/an-uuid.wav": false,
	} {
		if Is(file) != want {
			t.Errorf("%s: got %t", file, !want)
		}
	}
}

// TestSweepSparesNew: FreeSWITCH may be about to look for a file that it has
// just created.
func TestSweepSparesNew(t *testing.T) {
	dir := t.TempDir()
	path := Of(dir, "new")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for age, left := range map[time.Duration]bool{leftAfter - time.Millisecond: true, leftAfter: false} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		if err := sweep(dir, info.ModTime().Add(age)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != left {
			t.Errorf("%v old: %v", age, err)
		}
	}
	if err := sweep(filepath.Join(dir, "none"), time.Now()); err != nil {
		t.Errorf("without the folder: %v", err)
	}
}

// TestLink: where the folder of the markers is a link, nothing is removed through it.
func TestLink(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	path := filepath.Join(other, prefix+"x.wav")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Symlink(other, filepath.Join(dir, folder))); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{sweep(dir, time.Now().Add(time.Hour)), remove(dir, Of(dir, "x")), remove(dir, path)} {
		if err == nil {
			t.Error("it is no error")
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
