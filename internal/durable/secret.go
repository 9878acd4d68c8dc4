package durable

import (
	"io/fs"
	"os"
	"syscall"
)

// OpenToOthers returns the mode of a file that holds a secret if others than those who
// need it may read or change it: its owner alone may, and if that is root, its group may
// read it, because so a daemon reads it that is not root. It returns 0 if all is well, or
// there is no file.
func OpenToOthers(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	others := fs.FileMode(0o077)
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid == 0 {
		others = 0o037
	}
	if info.Mode().Perm()&others == 0 {
		return 0
	}
	return info.Mode().Perm()
}
