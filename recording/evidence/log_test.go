package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tapedeck/recording/chain"
)

// nothing is what a log tells of in these tests.
type nothing struct{}

func (nothing) Begin() (int64, string, bool, error) { return 0, "", false, nil }

func (nothing) Settle(chain.Entry) ([]chain.Entry, func() error, error) { return nil, nil, nil }

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
