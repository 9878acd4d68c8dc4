package recording

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMakeMonth: the month is that of a file's path, and its folder has the root's mode.
func TestMakeMonth(t *testing.T) {
	d := tempDir(t)
	if err := os.Chmod(d.String(), 0o770); err != nil {
		t.Fatal(err)
	}
	west := time.FixedZone("west of Greenwich", -8*3600)
	moment := time.Date(2026, 3, 31, 20, 0, 0, 0, west) // it is April in UTC
	for range 2 {                                       // the second time it is there
		if err := d.MakeMonth("acme", moment); err != nil {
			t.Fatal(err)
		}
	}
	path, err := d.Path("acme", moment, "one")
	if err != nil {
		t.Fatal(err)
	}
	day := filepath.Dir(path)
	for dir := filepath.Dir(day); dir != d.String(); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o770 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
	if _, err := os.Stat(day); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the day's folder: %v", err)
	}
}

// TestMakeMonthNot: not for what is no organisation, and not without the root.
func TestMakeMonthNot(t *testing.T) {
	d := tempDir(t)
	for _, organisation := range []string{"", "..", "a/b", ".live"} {
		if d.MakeMonth(organisation, day) == nil {
			t.Errorf("%q is taken", organisation)
		}
	}
	if err := os.Remove(d.String()); err != nil { // which fails if anything was made
		t.Fatal(err)
	}
	if err := d.MakeMonth("acme", day); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the root: %v", err)
	}
}
