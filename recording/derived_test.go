package recording

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
)

// makers are the functions that make a file of a recording's sound, by extension.
var makers = map[string]func(t *testing.T, d Dir, path string) (string, error){
	".svg": func(t *testing.T, d Dir, path string) (string, error) {
		return Waveform(t.Context(), InProcess{}, d, path)
	},
	".mp3": func(t *testing.T, d Dir, path string) (string, error) {
		return testEncoder(t, d, InProcess{}).MP3(t.Context(), "anna", path, sample(call))
	},
}

// TestDerive: a file is made of a sound once, and again if it is older than the
// sound. The sound is not changed.
func TestDerive(t *testing.T) {
	for ext, make := range makers {
		t.Run(ext, func(t *testing.T) {
			d := tempDir(t)
			path := put(t, d, sample(call))
			if err := os.Chtimes(path, day, day); err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSuffix(path, soundExt)
			for _, name := range []string{path, SidecarPath(path), base + ext, d.relative(path)} {
				if got, err := make(t, d, name); err != nil || got != base+ext {
					t.Fatalf("%q, %v", got, err)
				}
			}
			first := infoOf(t, base+ext)
			if first.Mode() != durable.FileMode || first.Size() == 0 {
				t.Errorf("%v, %d bytes", first.Mode(), first.Size())
			}
			if wav, err := os.ReadFile(path); err != nil || string(wav) != string(sampleSound().WAV()) || !infoOf(t, path).ModTime().Equal(day) {
				t.Errorf("the sound was changed: %v", err)
			}
			for name, change := range map[string]func() error{
				"older than the sound": func() error { return os.Chtimes(base+ext, day, day.Add(-time.Millisecond)) },
				"a link": func() error {
					return errors.Join(os.Rename(base+ext, filepath.Join(d.String(), "moved")), os.Symlink(filepath.Join(d.String(), "moved"), base+ext))
				},
				"gone":                  func() error { return os.Rename(base+ext, filepath.Join(d.String(), "gone")) },
				"a sound of the future": func() error { return os.Chtimes(path, day.AddDate(99, 0, 0), day.AddDate(99, 0, 0)) },
			} {
				old := infoOf(t, base+ext)
				if err := change(); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := make(t, d, path); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
				made := infoOf(t, base+ext)
				if os.SameFile(made, old) || !made.Mode().IsRegular() || made.ModTime().Before(infoOf(t, path).ModTime()) {
					t.Errorf("%s: it was not made again", name)
				}
				if _, err := make(t, d, path); err != nil || !os.SameFile(made, infoOf(t, base+ext)) {
					t.Errorf("%s: it was made once more: %v", name, err)
				}
			}
			if moved, err := os.ReadFile(filepath.Join(d.String(), "moved")); err == nil && len(moved) != int(first.Size()) {
				t.Errorf("through a link %d bytes were written", len(moved))
			}
		})
	}
}

func infoOf(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestDeriveRefuses: nothing is made, and nothing left behind, of a file that is no
// finished sound.
func TestDeriveRefuses(t *testing.T) {
	for ext, make := range makers {
		for name, test := range map[string]struct {
			harm func(t *testing.T, d Dir, path string) error
			want error
		}{
			"no sound":   {func(t *testing.T, d Dir, path string) error { return os.Remove(path) }, fs.ErrNotExist},
			"live":       {func(t *testing.T, d Dir, path string) error { return d.writeDraft(sample(call)) }, ErrLive},
			"empty file": {func(t *testing.T, d Dir, path string) error { return os.Truncate(path, 0) }, ErrNoSound},
			"no samples": {func(t *testing.T, d Dir, path string) error { return os.Truncate(path, 44) }, ErrNoSound},
			"no WAV": {func(t *testing.T, d Dir, path string) error {
				return os.WriteFile(path, []byte(strings.Repeat("x", 1000)), 0o600)
			}, ErrNoSound},
			"a folder": {func(t *testing.T, d Dir, path string) error {
				return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
			}, errAny},
			"its place is taken": {func(t *testing.T, d Dir, path string) error {
				return os.MkdirAll(filepath.Join(strings.TrimSuffix(path, soundExt)+ext, "full"), 0o700)
			}, errAny},
		} {
			t.Run(ext+" "+name, func(t *testing.T) {
				d := tempDir(t)
				path := put(t, d, sample(call))
				if err := test.harm(t, d, path); err != nil {
					t.Fatal(err)
				}
				before := filesBelow(t, d)
				got, err := make(t, d, path)
				if got != "" || err == nil || test.want != errAny && !errors.Is(err, test.want) {
					t.Errorf("%q, %v", got, err)
				}
				if after := filesBelow(t, d); strings.Join(after, " ") != strings.Join(before, " ") {
					t.Errorf("left %q of %q", after, before)
				}
			})
		}
	}
}

// TestDeriveDiskFull: nothing is left behind on a disk that becomes full, at whatever
// moment.
func TestDeriveDiskFull(t *testing.T) {
	for ext, make := range makers {
		t.Run(ext, func(t *testing.T) {
			d := tmpfs(t)
			path := pathOf(t, d, sample(call))
			testkit.NewClip(1, 8000).Add(1500, tone).Write(t, path)
			if err := d.locked(func() error { return nil }); err != nil { // makes its file
				t.Fatal(err)
			}
			filler := fill(t, d.String())
			failures := 0
			for free := int64(0); ; free += 4096 {
				if err := os.Truncate(filler, max(0, sizeOf(filler)-free)); err != nil {
					t.Fatal(err)
				}
				before := filesBelow(t, d)
				_, err := make(t, d, path)
				if err == nil {
					break
				}
				failures++
				if after := filesBelow(t, d); !strings.Contains(err.Error(), "no space") || strings.Join(after, " ") != strings.Join(before, " ") {
					t.Fatalf("%v: left %q of %q", err, after, before)
				}
			}
			if failures == 0 {
				t.Error("the disk is not full")
			}
			if wav, err := os.ReadFile(path); err != nil || string(wav) != string(testkit.NewClip(1, 8000).Add(1500, tone).WAV()) {
				t.Errorf("the sound was changed: %v", err)
			}
		})
	}
}

// TestDeriveChanged: a file is not kept if its sound was changed while it was made.
func TestDeriveChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+"x", sampleSound().WAV(), 0o600), os.Chtimes(path+"x", day, day), os.Rename(path+"x", path))
		},
		"longer":  func(path string) error { return errors.Join(os.Truncate(path, 99_999), os.Chtimes(path, day, day)) },
		"touched": func(path string) error { return os.Chtimes(path, day, day.Add(time.Second)) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			d := tempDir(t)
			path := put(t, d, sample(call))
			if err := os.Chtimes(path, day, day); err != nil {
				t.Fatal(err)
			}
			v, err := d.openDerived(path, ".svg")
			if err != nil {
				t.Fatal(err)
			}
			defer v.close()
			err = v.create(func(_, _ *os.File) error { return change(path) })
			files := strings.Join(filesBelow(t, d), " ")
			if err == nil || strings.Contains(files, ".svg") {
				t.Errorf("%v: %s", err, files)
			}
		})
	}
}
