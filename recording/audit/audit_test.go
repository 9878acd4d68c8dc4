package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

var day = time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)

func TestAdd(t *testing.T) {
	a := New(t.TempDir(), nil)
	evil := "a\n{\"who\":\"root\"}\x00\xff"
	if err := a.Add(Line{At: day, Who: evil, What: Listen, Organisation: evil, Recording: evil, From: evil, Detail: strings.Repeat(evil, 1000)}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 20 {
				if err := New(filepath.Dir(a.Path()), nil).Add(Line{At: day, What: fmt.Sprint(i, n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	lines := testkit.JSONLines[Line](t, a.Path())
	if len(lines) != 161 || lines[0].Who == "root" || !lines[0].At.Equal(day) {
		t.Errorf("%d lines, the first %+v", len(lines), lines[0])
	}
}

// TestTorn: a line that a power cut left without its end does not spoil the next one.
func TestTorn(t *testing.T) {
	a := New(t.TempDir(), nil)
	if err := os.WriteFile(a.Path(), []byte(`{"at":"2026-03-`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Add(Line{At: day, What: Listen}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(a.Path())
	want := `{"at":"2026-03-` + "\n" + `{"at":"2026-03-09T12:00:00Z","who":"","what":"listen"}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
}

// TestLink: whoever may write to the folder cannot have root add to another file.
func TestLink(t *testing.T) {
	a := New(t.TempDir(), nil)
	other := filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.WriteFile(other, nil, 0o600), os.Symlink(other, a.Path())); err != nil {
		t.Fatal(err)
	}
	if err := a.Add(Line{At: day, What: Listen}); !errors.Is(err, ErrNotWritten) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(other); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
}
