package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDrafts(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d})
	if drafts, err := a.Drafts(); err != nil || len(drafts) > 0 {
		t.Errorf("at first: %v, %v", drafts, err)
	}
	for _, id := range []string{"one", "two", "gone", "other", "cut"} {
		s := sample(id)
		a.Draft(s)
		s.Users[0] = "mallory" // the Archive has a copy
	}
	a.Discard("gone")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(d.String(), draftDir)
	old := time.Now().Add(-2 * tempAge)
	for name, do := range map[string]func(path string) error{
		"other.json":        func(path string) error { return os.Rename(path, filepath.Join(live, "three.json")) },
		"cut.json":          func(path string) error { return os.Truncate(path, 100) },
		".one.json.123.tmp": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		".two.json.123.tmp": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, old, old))
		},
		"notes.txt":           func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"..%2f..%2fpass.json": func(path string) error { return os.WriteFile(path, []byte(`{"version":1}`), 0o600) },
	} {
		if err := do(filepath.Join(live, name)); err != nil {
			t.Fatal(err)
		}
	}
	drafts, err := a.Drafts()
	if len(drafts) != 2 || drafts[0].ID() != "one" || drafts[1].ID() != "two" || drafts[0].Users[0] != "alice" {
		t.Errorf("%+v", drafts)
	}
	if text := fmt.Sprint(err); strings.Count(text, "put aside") != 3 || !strings.Contains(text, `"three"`) || !strings.Contains(text, `"cut"`) {
		t.Error(err)
	}
	if drafts, err := a.Drafts(); err != nil || len(drafts) != 2 {
		t.Errorf("the second time: %v, %v", drafts, err)
	}
	want := []string{"..%2f..%2fpass.json.broken", ".one.json.123.tmp", "cut.json.broken", "notes.txt", "one.json", "three.json.broken", "two.json"}
	for i, name := range want {
		want[i] = draftDir + "/" + name
	}
	if files := filesBelow(t, d); !reflect.DeepEqual(files, want) {
		t.Errorf("files %q\nwant  %q", files, want)
	}
}

// TestDraftLatest: a draft that comes while the one before is written is written
// too.
func TestDraftLatest(t *testing.T) {
	d := tempDir(t)
	for range 20 {
		a, stop := running(t, ArchiveConfig{Dir: d})
		s := sample(call)
		for n := range 200 {
			s.External = fmt.Sprint(n)
			a.Draft(s)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Drafts(); err != nil || len(got) != 1 || got[0].External != "199" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}
