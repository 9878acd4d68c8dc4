package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func open(t *testing.T, dir string) *Folder {
	t.Helper()
	d, err := OpenFolder(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestReplace: a new file has FileMode, a replaced one keeps its mode, and nothing is
// left behind.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	d := open(t, filepath.Dir(path))
	for i, text := range []string{"one", "two"} {
		if err := d.Replace("x.json", []byte(text), i == 0); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
		if want := []fs.FileMode{FileMode, 0o604}[i]; modeOf(t, path) != want {
			t.Errorf("mode %v, want %v", modeOf(t, path), want)
		}
		if err := os.Chmod(path, 0o604); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left %v, %v", files, err)
	}
}

// TestReplaceWhole: a reader sees one text or the other, never a part.
func TestReplaceWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	d := open(t, filepath.Dir(path))
	texts := map[string]bool{strings.Repeat("a", 100_000): true, strings.Repeat("b", 50_000): true}
	var writers sync.WaitGroup
	for text := range texts {
		writers.Go(func() {
			for range 200 {
				if err := d.Replace("x", []byte(text), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		if got, err := os.ReadFile(path); err == nil && !texts[string(got)] {
			t.Fatalf("read %d bytes of a part", len(got))
		}
	}
}

func TestTempName(t *testing.T) {
	if name := TempName("x.mp3"); !IsTemp(name) || !strings.Contains(name, "x.mp3") {
		t.Error(name)
	}
	if name, ok := TempOf(TempName("x.mp3")); !ok || name != "x.mp3" {
		t.Errorf("%q, %v", name, ok)
	}
	for _, temp := range []string{"x.mp3", ".x.tmp", ".tmp", "..1.tmp"} {
		if name, ok := TempOf(temp); ok {
			t.Errorf("%q: %q", temp, name)
		}
	}
	for _, name := range []string{"x.tmp", ".x", "x.json"} {
		if IsTemp(name) {
			t.Errorf("%s is taken for a file of an interrupted write", name)
		}
	}
}

// TestOpenShared: whoever may write into the folder may write to a new file.
func TestOpenShared(t *testing.T) {
	dir := t.TempDir()
	for i, mode := range []fs.FileMode{0o770, 0o750} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, []string{"a", "b"}[i])
		for range 2 {
			f, err := OpenShared(path, os.O_RDWR)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		if want := []fs.FileMode{0o660, 0o640}[i]; modeOf(t, path) != want {
			t.Errorf("mode %v, want %v", modeOf(t, path), want)
		}
	}
}

// TestLock: the second who locks a file waits for the first to close it.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock := func() *os.File {
		f, err := OpenShared(path, os.O_RDWR)
		if err == nil {
			err = Lock(f)
		}
		if err != nil {
			t.Error(err)
		}
		return f
	}
	first := lock()
	look, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	if err := TryLock(look); !errors.Is(err, ErrLocked) {
		t.Errorf("it is not locked: %v", err)
	}
	second := make(chan *os.File)
	go func() { second <- lock() }()
	select {
	case <-second:
		t.Error("two have the lock")
	case <-time.After(20 * time.Millisecond):
		first.Close()
		(<-second).Close()
	}
}
