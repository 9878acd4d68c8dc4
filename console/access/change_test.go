package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"tapedeck/internal/testkit"
)

// TestChangeAtOnce: no change of several at the same time is lost, and a reader always
// reads a whole file.
func TestChangeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	const each = 20
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := ReadFile(path); err != nil {
				t.Errorf("while it is written: %v", err)
				return
			}
		}
	})
	for w := range 4 {
		writers.Go(func() {
			for i := range each {
				name := fmt.Sprintf("a%d-%d", w, i)
				if err := Change(path, func(f *File) error { return f.Put(Account{Name: name, Role: Operator}, "", false) }); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	f, err := ReadFile(path)
	if err != nil || len(f.Accounts()) != 4*each {
		t.Errorf("%v; %d accounts, want %d", err, len(f.Accounts()), 4*each)
	}
	rest, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(rest) > 0 {
		t.Errorf("left behind: %v, %v", rest, err)
	}
}

func TestChangeFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.yaml")
	testkit.Replace(t, path, goodFile)
	mine := errors.New("mine")
	if err := Change(path, func(f *File) error {
		if _, err := f.Remove("anna"); err != nil {
			t.Error(err)
		}
		return mine
	}); err != mine {
		t.Errorf("%v, want the error of do", err)
	}
	for _, bad := range []Account{{Name: "root", Role: Operator}, {Name: "X", Role: Operator}, {Name: "x", Role: "boss"}, {Name: "x", Role: User, Organisation: "a b", User: "u"},
		{Name: "x", Role: Organisation, Organisation: "acme", Groups: []string{"a\nb"}}, {Name: "x", Role: Operator, Rights: []Right{}}} {
		if err := Change(path, func(f *File) error { return f.Put(bad, "", false) }); err == nil {
			t.Errorf("%+v is written", bad)
		}
	}
	if err := Change(path, func(f *File) error { return f.SetPassword("anna", "plain") }); err == nil {
		t.Error("a plain password is written")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != goodFile {
		t.Errorf("%v; the file is\n%s", err, text)
	}
	if err := Change(filepath.Join(dir, "no", "accounts.yaml"), func(*File) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
}

// TestChangeKeeps: a symbolic link stays one, and the file keeps its owner and mode.
func TestChangeKeeps(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real", "a.yaml"), filepath.Join(dir, "accounts.yaml")
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(goodFile), 0o600), os.Chmod(path, 0o640), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	if owner == 0 {
		owner = 12345
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	if err := Change(link, func(f *File) error { _, err := f.Remove("anna"); return err }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 || int(info.Sys().(*syscall.Stat_t).Uid) != owner {
		t.Errorf("%v, %+v", err, info)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	f, err := ReadFile(link)
	if err != nil || len(f.Accounts()) != 3 || len(f.Tokens()) != 0 {
		t.Errorf("%v; %+v", err, f.Accounts())
	}
}
