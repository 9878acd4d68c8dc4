package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestLinks: nothing is opened, written, made, renamed or removed through a link, at
// whatever place of the path it is, even if it leads to a place in the same folder.
func TestLinks(t *testing.T) {
	for _, at := range []string{"a", "a/b", "a/b/x"} {
		top, other := t.TempDir(), t.TempDir()
		dir := filepath.Join(top, "a", "b")
		link, target := filepath.Join(top, at), filepath.Join(other, at)
		for _, dir := range []string{filepath.Join(other, "a", "b"), filepath.Dir(link)} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.WriteFile(filepath.Join(other, "a", "b", "x"), []byte("theirs"), 0o604), os.Symlink(target, link)); err != nil {
			t.Fatal(err)
		}
		d, err := OpenFolder(top, dir)
		if err == nil {
			_, err = d.Open("x", os.O_RDWR)
			if shared, wrong := OpenShared(filepath.Join(dir, "x"), os.O_RDWR|os.O_APPEND); !errors.Is(wrong, ErrLink) {
				t.Errorf("%s: shared: %v, %v", at, shared, wrong)
			}
			if wrong := d.RemoveFolder("x"); !errors.Is(wrong, ErrLink) {
				t.Errorf("%s: %v", at, wrong)
			}
			if err := errors.Join(d.Replace("x", []byte("ours"), true), d.Remove("x"), d.Rename("y", "x")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", at, err)
			}
			d.Close()
		} else if made, wrong := MakeFolders(top, filepath.Join(dir, "c")); !errors.Is(wrong, ErrLink) {
			t.Errorf("%s: made: %v, %v", at, made, wrong)
		}
		if !errors.Is(err, ErrLink) || !strings.Contains(err.Error(), link) {
			t.Errorf("%s: %v", at, err)
		}
		if text, err := os.ReadFile(filepath.Join(other, "a", "b", "x")); err != nil || string(text) != "theirs" {
			t.Errorf("%s: now %q, %v", at, text, err)
		}
		if files, err := os.ReadDir(filepath.Join(other, "a", "b")); err != nil || len(files) != 1 {
			t.Errorf("%s: %v, %v", at, files, err)
		}
	}
}

// TestFolderStays: what is done is done in the folder that was opened, even if its path
// leads elsewhere now.
func TestFolderStays(t *testing.T) {
	top, other := t.TempDir(), t.TempDir()
	dir := filepath.Join(top, "a")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(other, "x"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	if err := errors.Join(os.Rename(dir, dir+"moved"), os.Symlink(other, dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Replace("y", nil, true), d.Remove("x")); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(other); err != nil || len(files) != 1 || files[0].Name() != "x" {
		t.Errorf("%v, %v", files, err)
	}
	if _, err := os.Stat(filepath.Join(dir+"moved", "y")); err != nil {
		t.Error(err)
	}
}

// TestStagedReplaced: a file that somebody has put in the place of what was written is
// an error, and nothing is written through it.
func TestStagedReplaced(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(other, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, dir)
	s, err := d.Stage("x", []byte("ours"), true)
	if err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, s.temp)
	if err := errors.Join(os.Remove(temp), os.Symlink(other, temp)); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(); !errors.Is(err, ErrLink) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "theirs" {
		t.Errorf("now %q, %v", text, err)
	}
}

// TestOpenReplaced: a file that is replaced all the time is never taken for a link.
func TestOpenReplaced(t *testing.T) {
	d := open(t, t.TempDir())
	if err := d.Replace("x", nil, false); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 1000 {
			if err := d.Replace("x", nil, false); err != nil {
				t.Error(err)
			}
		}
	})
	done := make(chan struct{})
	go func() { writer.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
		}
		f, err := d.Open("x", os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// TestMakeFolders: missing folders get owner and mode of the top, those that are there
// stay as they are, and only what is below the top is made.
func TestMakeFolders(t *testing.T) {
	top := t.TempDir()
	owner := os.Getuid()
	if owner == 0 {
		owner = 65534
	}
	if err := errors.Join(os.Mkdir(filepath.Join(top, "a"), 0o700), os.Chown(top, owner, -1), os.Chmod(top, fs.ModeSetgid|0o770)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d, err := MakeFolders(top, filepath.Join(top, "a", "b", "c"))
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
	}
	for path, want := range map[string]fs.FileMode{"a": 0o700 | fs.ModeDir, "a/b": 0o770 | fs.ModeDir | fs.ModeSetgid, "a/b/c": 0o770 | fs.ModeDir | fs.ModeSetgid} {
		info, err := os.Stat(filepath.Join(top, path))
		if err != nil {
			t.Fatal(err)
		}
		if uid := int(info.Sys().(*syscall.Stat_t).Uid); info.Mode() != want || path != "a" && uid != owner {
			t.Errorf("%s: %v of %d, want %v of %d", path, info.Mode(), uid, want, owner)
		}
	}
	for _, dir := range []string{filepath.Dir(top), filepath.Join(top, "..", "x"), "/"} {
		if _, err := MakeFolders(top, dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if _, err := MakeFolders(filepath.Join(top, "no"), filepath.Join(top, "no", "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the top: %v", err)
	}
}

// TestMakeFoldersRaced: whoever may write to the folder puts a link in the place of one that
// is just being made. What it leads to is not given to him.
func TestMakeFoldersRaced(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const user, rounds = 65534, 20_000
	top, victim := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.Chown(top, user, user), os.WriteFile(victim, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(top, "acme")
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if os.Remove(at) == nil {
				_ = os.Symlink(victim, at)
			}
		}
	}()
	made := 0
	for range rounds {
		if d, err := MakeFolders(top, at); err == nil {
			d.Close()
			made++
		}
		info, err := os.Stat(victim)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 || info.Mode() != 0o600 {
			t.Fatalf("root's file is of user %d, %v", owner, info.Mode())
		}
	}
	close(stop)
	<-ended
	t.Logf("%d of %d were made", made, rounds)
}
