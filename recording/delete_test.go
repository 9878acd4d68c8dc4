package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

func TestDelete(t *testing.T) {
	hold := func(s *Sidecar) { s.Hold = &Hold{By: "carol"} }
	for name, test := range map[string]struct {
		harm func(t *testing.T, d Dir, one, part string)
		want error // nil, a particular one, or errAny
	}{
		"as it is":             {nil, nil},
		"held":                 {func(t *testing.T, d Dir, one, part string) { alter(t, one, hold) }, ErrHeld},
		"another part is held": {func(t *testing.T, d Dir, one, part string) { alter(t, part, hold) }, ErrHeld},
		"live": {func(t *testing.T, d Dir, one, part string) {
			if err := d.writeDraft(sample("one")); err != nil {
				t.Fatal(err)
			}
		}, ErrLive},
		"another part is live": {func(t *testing.T, d Dir, one, part string) {
			s := sample("one")
			s.Part = 2
			if err := d.writeDraft(s); err != nil {
				t.Fatal(err)
			}
		}, ErrLive},
		"a part that only begins": {func(t *testing.T, d Dir, one, part string) {
			s := sample("one")
			s.Part = 3
			testkit.NewClip(1, 8000).Add(20, tone).Write(t, pathOf(t, d, s))
			if err := d.writeDraft(s); err != nil {
				t.Fatal(err)
			}
		}, ErrLive},
		"no sidecar": {func(t *testing.T, d Dir, one, part string) { os.Remove(SidecarPath(one)) }, fs.ErrNotExist},
		"half a sidecar": {func(t *testing.T, d Dir, one, part string) {
			edit(t, SidecarPath(one), func(b []byte) []byte { return b[:99] })
		}, errAny},
		"another part's sidecar is unreadable": {func(t *testing.T, d Dir, one, part string) {
			edit(t, SidecarPath(part), func(b []byte) []byte { return b[:99] })
		}, errAny},
		"another's sidecar": {func(t *testing.T, d Dir, one, part string) {
			alter(t, one, func(s *Sidecar) { s.Organisation = "other" })
		}, errAny},
		"no audit file": {func(t *testing.T, d Dir, one, part string) {
			if err := os.Mkdir(audit.New(d.String(), nil).Path(), 0o755); err != nil {
				t.Fatal(err)
			}
		}, errAny},
		"interrupted": {func(t *testing.T, d Dir, one, part string) { os.Remove(one) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := tempDir(t)
			second := sample("one")
			second.Part = 2
			one, part, other := put(t, d, sample("one")), put(t, d, second), put(t, d, sample("one-more"))
			for _, ext := range derivedExts {
				testkit.WriteFile(t, strings.TrimSuffix(one, soundExt)+ext, []byte("derived"))
				testkit.WriteFile(t, strings.TrimSuffix(other, soundExt)+ext, []byte("derived"))
			}
			if test.harm != nil {
				test.harm(t, d, one, part)
			}
			before := filesBelow(t, d)
			held, err := HeldBy(d, one)
			if want := map[string]string{"held": "one", "another part is held": "one.part2"}[name]; held != want || err != nil {
				t.Errorf("held by %q, %v; want %q", held, err, want)
			}
			log := audit.New(d.String(), nil)
			err = Delete(d, one, log, audit.Actor{Who: "carol", From: "192.0.2.1"}, "asked by\nthe caller", day)
			deleted := filesBelow(t, d)
			if test.want != nil {
				if err == nil || test.want != errAny && !errors.Is(err, test.want) || !slices.Equal(deleted, before) {
					t.Errorf("%v: left %q of %q", err, deleted, before)
				}
				return
			}
			if err != nil || slices.ContainsFunc(deleted, func(name string) bool {
				return strings.Contains(name, "/one.") && !strings.Contains(name, "/one.part2.")
			}) {
				t.Errorf("%v: left %q", err, deleted)
			}
			for _, ext := range []string{"one.part2.wav", "one.part2.json", "one-more.wav", "one-more.json", "one-more.mp3", "one-more.svg"} {
				if !slices.Contains(deleted, "acme/2026/03/09/"+ext) {
					t.Errorf("%s is gone too: %q", ext, deleted)
				}
			}
			want := audit.Line{At: day, Who: "carol", What: audit.Delete, Organisation: "acme", Recording: "one", From: "192.0.2.1", Detail: "asked by the caller"}
			if lines := testkit.JSONLines[audit.Line](t, log.Path()); len(lines) != 1 || lines[0] != want {
				t.Errorf("%+v", lines)
			}
		})
	}
}

var errAny = errors.New("any")

// TestDeletePaths: only the files of recordings are deleted.
func TestDeletePaths(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample("one"))
	stray := filepath.Join(filepath.Dir(path), "notes.txt")
	testkit.WriteFile(t, stray, nil)
	before := filesBelow(t, d)
	for _, p := range []string{stray, "/etc/passwd", path + "/../one.wav", filepath.Dir(path), d.String(), ""} {
		if err := Delete(d, p, audit.New(d.String(), nil), audit.Actor{}, "", day); err == nil {
			t.Errorf("%q is deleted", p)
		}
	}
	if after := filesBelow(t, d); !slices.Equal(after, before) {
		t.Errorf("left %q of %q", after, before)
	}
}

// TestDeleteFails: if a sound cannot be deleted its sidecar stays, and the failure
// is in the audit log.
func TestDeleteFails(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample("one"))
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "full"), 0o755)); err != nil {
		t.Fatal(err)
	}
	err := Delete(d, path, audit.New(d.String(), nil), audit.Actor{Who: "carol"}, "why", day)
	lines := testkit.JSONLines[audit.Line](t, audit.New(d.String(), nil).Path())
	if err == nil || !exists(SidecarPath(path)) || len(lines) != 2 || lines[1].What != audit.Failed || lines[1].Recording != "one" {
		t.Errorf("%v: %+v", err, lines)
	}
}

// TestDeleteAgainstHold: a recording whose hold was set is not deleted, however close
// the deletion is.
func TestDeleteAgainstHold(t *testing.T) {
	d := tempDir(t)
	log := audit.New(d.String(), nil)
	for i := range 60 {
		path := put(t, d, sample(fmt.Sprintf("call-%02d", i)))
		var group sync.WaitGroup
		var hold, gone error
		start := make(chan struct{})
		group.Go(func() {
			<-start
			_, hold = SetHold(d, path, &Hold{By: "carol"}, log, audit.Actor{}, day)
		})
		group.Go(func() {
			<-start
			gone = Delete(d, path, log, audit.Actor{}, "", day)
		})
		close(start)
		group.Wait()
		if (hold == nil) == (gone == nil) || hold == nil && !errors.Is(gone, ErrHeld) || exists(path) != (hold == nil) {
			t.Errorf("hold: %v, deletion: %v", hold, gone)
		}
	}
}

// TestDeleteAgainstDerivation: no file is left beside a sound that is deleted.
func TestDeleteAgainstDerivation(t *testing.T) {
	d := tempDir(t)
	log := audit.New(d.String(), nil)
	encoder := testEncoder(t, d, InProcess{})
	for i := range 10 {
		path := put(t, d, sample(fmt.Sprintf("call-%02d", i)))
		var group sync.WaitGroup
		start := make(chan struct{})
		for _, make := range []func(context.Context) error{
			func(ctx context.Context) error { _, err := Waveform(ctx, InProcess{}, d, path); return err },
			func(ctx context.Context) error { _, err := encoder.MP3(ctx, "anna", path, Sidecar{}); return err },
		} {
			group.Go(func() {
				<-start
				if err := make(t.Context()); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			})
		}
		group.Go(func() {
			<-start
			if err := Delete(d, path, log, audit.Actor{}, "", day); err != nil {
				t.Error(err)
			}
		})
		close(start)
		group.Wait()
	}
	if left := filesBelow(t, d); !slices.Equal(left, []string{"audit.jsonl"}) {
		t.Errorf("left %q", left)
	}
}
