package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tapedeck/internal/durable"
)

// fileMode is the mode of a new accounts file. The file has no secret in clear, but
// hashes on which somebody could try passwords.
const fileMode = 0o600

// Change reads an accounts file, lets do change it, and writes it, whole or not at all.
// It makes an absent file. A lock lets one process write at a time. A file keeps its
// owner and mode; a new one belongs to the owner of its folder. If do returns an error,
// the file stays as it is.
func Change(path string, do func(*File) error) error {
	path, err := followed(path)
	if err != nil {
		return fmt.Errorf("access: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("access: %w: make the folder", err)
	}
	defer dir.Close() // which unlocks it
	if err := durable.Lock(dir); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	f, err := ReadFile(path)
	if err != nil {
		return err
	}
	if err := do(f); err != nil {
		return err
	}
	text, err := f.encode()
	if err == nil {
		err = replace(dir, path, text)
	}
	if err != nil {
		return fmt.Errorf("access: write %s: %w", path, err)
	}
	return nil
}

// followed returns the path of the file itself if path is a symbolic link to it.
func followed(path string) (string, error) {
	whole, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return whole, err
}

// replace writes a file in place of another. The file is on the disk when it returns.
func replace(dir *os.File, path string, text []byte) (err error) {
	f, err := os.CreateTemp(dir.Name(), ".accounts.*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(text); err == nil {
		err = likeBefore(f, dir, path)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return dir.Sync()
}

// likeBefore gives a file the owner and mode of the one that it replaces: the daemon,
// which may be another user, has to read it. A new file gets the owner of the folder,
// if this process may do that.
func likeBefore(f, dir *os.File, path string) error {
	before, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if folder, err := dir.Stat(); err == nil {
			_ = own(f, folder)
		}
		return f.Chmod(fileMode)
	}
	if err == nil {
		err = own(f, before)
	}
	if err == nil {
		err = f.Chmod(before.Mode().Perm())
	}
	return err
}

func own(f *os.File, like fs.FileInfo) error {
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	have, ok := ours.Sys().(*syscall.Stat_t)
	want, ok2 := like.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}
