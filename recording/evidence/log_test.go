package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
	"tapedeck/recording/chain"
)

// nothing is what a log tells of in these tests.
type nothing struct{}

func (nothing) Begin() (int64, string, bool, error) { return 0, "", false, nil }

func (nothing) Settle(chain.Entry) ([]chain.Entry, func() error, error) { return nil, nil, nil }

// stuck is what a log tells of while what was begun cannot be carried out.
type stuck struct {
	nothing
	err error
}

func (s *stuck) Settle(open chain.Entry) ([]chain.Entry, func() error, error) {
	return []chain.Entry{{Kind: chain.Recovered, Of: open.Seq}}, func() error { return s.err }, nil
}

func removed(string, int64) (chain.Entry, error) {
	return chain.Entry{Kind: chain.Removed, Recording: "one"}, nil
}

// TestSettleAgain: while what a killed process has begun cannot be carried out, nothing
// else is written, and the log does not grow by each attempt.
func TestSettleAgain(t *testing.T) {
	dir := t.TempDir()
	killed, err := Open(dir, "host", dir, nothing{})
	if err == nil {
		err = killed.Record(removed, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	books := &stuck{err: errors.New("no space")}
	l, err := Open(dir, "host", dir, books)
	for range 5 {
		if !errors.Is(err, books.err) {
			t.Fatal(err)
		}
		err = l.Record(removed, nil)
	}
	books.err = nil
	if err := l.Record(removed, nil); err != nil || l.head.last.Seq != 4 { // begun, removed, recovered, removed
		t.Errorf("%v, %+v", err, l.head.last)
	}
}

// TestEndWithoutEntries: a log that goes on with what no process writes is put aside.
func TestEndWithoutEntries(t *testing.T) {
	for name, text := range map[string]string{"no line": strings.Repeat("x", 2*endSize), "a long line": strings.Repeat("x", 2*endSize) + "\n"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := Open(dir, "host", dir, nothing{})
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(l.Path(), os.O_WRONLY|os.O_APPEND, 0)
			if err == nil {
				_, err = f.WriteString(text)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if err := l.Record(removed, nil); err != nil || l.head.last.Seq != 3 { // begun, damaged, removed
				t.Errorf("%v, %+v", err, l.head.last)
			}
			if files, err := Files(dir); err != nil || len(files) != 2 {
				t.Errorf("%q, %v", files, err)
			}
		})
	}
}

// TestOpen: the folder is made for its owner and group alone, and any host has a file.
func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for _, host := range []string{"pbx-1", "../../etc/passwd", "a b.example.net", ""} {
		l, err := Open(dir, host, t.TempDir(), nothing{})
		if err != nil {
			t.Fatalf("%q: %v", host, err)
		}
		if info, err := os.Stat(l.Path()); err != nil || info.Mode() != 0o640 || filepath.Dir(l.Path()) != dir {
			t.Errorf("%q: %s, %v, %v", host, l.Path(), info, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info, err)
	}
	if files, err := Files(dir); err != nil || len(files) != 4 {
		t.Errorf("%q, %v", files, err)
	}
}

// TestOpenLocked: a process that starts does not wait for one that has the log locked, and
// may be stopped: the first entry waits.
func TestOpenLocked(t *testing.T) {
	dir := t.TempDir()
	other, err := Open(dir, "host", dir, nothing{})
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := other.open(durable.Lock)
	if err != nil {
		t.Fatal(err)
	}
	type opened struct {
		log *Log
		err error
	}
	done, recorded := make(chan opened), make(chan error)
	go func() {
		l, err := Open(dir, "host", dir, nothing{})
		done <- opened{l, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			t.Fatal(o.err)
		}
		go func() { recorded <- o.log.Record(removed, nil) }()
	case <-time.After(testkit.Patience):
		t.Fatal("it waits for the lock")
	}
	f.Close()
	if err := <-recorded; err != nil {
		t.Error(err)
	}
}

// TestRecord: the entry is there before what it tells of is done; what fails has an
// entry that says so. Without a log it is done all the same.
func TestRecord(t *testing.T) {
	l, err := Open(t.TempDir(), "host", t.TempDir(), nothing{})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(id string, seq int64) (chain.Entry, error) {
		if id == "" || seq != 2 {
			t.Errorf("%q, %d", id, seq)
		}
		return chain.Entry{Kind: chain.Removed, Recording: "one"}, nil
	}
	sizeOf := func() int64 {
		info, err := os.Stat(l.Path())
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	size, fails := sizeOf(), errors.New("it fails")
	if err := l.Record(entry, func() error {
		if sizeOf() == size {
			t.Error("there is no entry yet")
		}
		return fails
	}); !errors.Is(err, fails) || l.head.last.Kind != chain.Undone || l.head.last.Of != 2 || l.head.last.Why != "it fails" {
		t.Errorf("%v, %+v", err, l.head.last)
	}
	if err := l.Record(func(string, int64) (chain.Entry, error) { return chain.Entry{}, fails }, func() error { t.Error("it is done"); return nil }); !errors.Is(err, fails) {
		t.Errorf("%v", err)
	}
	done := false
	if err := (*Log)(nil).Record(entry, func() error { done = true; return nil }); err != nil || !done {
		t.Errorf("%v, %v", done, err)
	}
}

// TestLink: a folder that is a link is no folder for the log.
func TestLink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	other := t.TempDir()
	if err := os.Symlink(other, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "host", t.TempDir(), nothing{}); !errors.Is(err, durable.ErrLink) {
		t.Errorf("%v", err)
	}
	if files, err := os.ReadDir(other); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
}
