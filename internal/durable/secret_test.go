package durable

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestOpenToOthers: a group may read a secret of root, and nothing more.
func TestOpenToOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if OpenToOthers(path) != 0 {
		t.Error("there is no file")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	owners := []int{os.Getuid()}
	if owners[0] == 0 {
		owners = []int{0, 65534}
	}
	for _, owner := range owners {
		for mode, open := range map[fs.FileMode]bool{
			0o600: false, 0o400: false, 0o640: owner != 0, 0o644: true, 0o604: true, 0o620: true, 0o660: true, 0o602: true, 0o601: true, 0o000: false,
		} {
			want := fs.FileMode(0)
			if open {
				want = mode
			}
			if err := os.Chown(path, owner, -1); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if got := OpenToOthers(path); got != want {
				t.Errorf("%v of %d: %v, want %v", mode, owner, got, want)
			}
		}
	}
}
