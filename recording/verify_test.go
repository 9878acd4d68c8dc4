package recording

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
)

func findings(t *testing.T, d Dir) (found []string) {
	t.Helper()
	counts, err := Verify(t.Context(), d, func(f Finding) {
		found = append(found, strings.TrimPrefix(f.String(), d.String()+"/acme/2026/03/09/"))
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range counts.Findings {
		total += n
	}
	if total != len(found) {
		t.Errorf("%d findings are counted, %d reported", total, len(found))
	}
	return found
}

// edit changes a file's bytes.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, path, change(data))
}

// alter changes a sidecar.
func alter(t *testing.T, sound string, change func(*Sidecar)) {
	t.Helper()
	s, err := ReadSidecar(SidecarPath(sound))
	if err != nil {
		t.Fatal(err)
	}
	change(&s)
	if err := WriteSidecar(SidecarPath(sound), s); err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	for name, test := range map[string]struct {
		harm func(t *testing.T, d Dir, one, two string)
		want []string // how the findings begin
	}{
		"nothing": {func(*testing.T, Dir, string, string) {}, nil},
		"a flipped bit": {func(t *testing.T, d Dir, one, two string) {
			edit(t, one, func(b []byte) []byte { b[1000] ^= 1; return b })
		}, []string{"one.wav: changed: SHA-256 "}},
		"truncated": {func(t *testing.T, d Dir, one, two string) {
			edit(t, one, func(b []byte) []byte { return b[:len(b)-4] })
		}, []string{"one.wav: truncated: 64040 bytes, it had 64044"}},
		"truncated by more": {func(t *testing.T, d Dir, one, two string) {
			edit(t, one, func(b []byte) []byte { return b[:len(b)/2] })
		}, []string{"one.wav: truncated", "one.wav: duration disagrees: 999 ms, 2 channels, 8000 Hz; the sidecar says 2000, 2, 8000", "one.wav: spans disagree: they end at 2000 ms, the file at 999"}},
		"longer": {func(t *testing.T, d Dir, one, two string) {
			edit(t, one, func(b []byte) []byte { return append(b, 0) })
		}, []string{"one.wav: changed: 64045 bytes, it had 64044"}},
		"swapped sidecars": {func(t *testing.T, d Dir, one, two string) {
			a, b := SidecarPath(one), SidecarPath(two)
			if err := errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b)); err != nil {
				t.Fatal(err)
			}
		}, []string{"one.wav: swapped: the sidecar is of two", "two.wav: swapped: the sidecar is of one"}},
		"swapped files": {func(t *testing.T, d Dir, one, two string) {
			edit(t, one, func(b []byte) []byte { b[44] = 7; return b })
			alter(t, one, func(s *Sidecar) {
				*s, _ = Examine(t.Context(), one, *s)
			})
			if err := errors.Join(os.Rename(one, one+"x"), os.Rename(two, one), os.Rename(one+"x", two)); err != nil {
				t.Fatal(err)
			}
		}, []string{"one.wav: changed", "two.wav: changed"}},
		"a sidecar of another organisation": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.Organisation = "other" })
		}, []string{"one.wav: swapped: the sidecar is of organisation other"}},
		"a sidecar of another day": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.Started = s.Started.AddDate(0, 0, 1) })
		}, []string{"one.wav: swapped: the sidecar is of 2026-03-10"}},
		"a sidecar that names another file": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.File.Name = "two.wav" })
		}, []string{`one.wav: swapped: the sidecar names the file "two.wav"`}},
		"no file":    {func(t *testing.T, d Dir, one, two string) { os.Remove(one) }, []string{"one.wav: file missing"}},
		"no sidecar": {func(t *testing.T, d Dir, one, two string) { os.Remove(SidecarPath(one)) }, []string{"one.wav: no sidecar"}},
		"no sidecar, but live": {func(t *testing.T, d Dir, one, two string) {
			if err := errors.Join(os.Remove(SidecarPath(one)), d.writeDraft(sample("one"))); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"half a sidecar": {func(t *testing.T, d Dir, one, two string) {
			edit(t, SidecarPath(one), func(b []byte) []byte { return b[:100] })
		}, []string{"one.wav: unreadable sidecar: unexpected end of JSON input"}},
		"a sidecar that knows of no file": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.File = nil })
		}, []string{"one.wav: changed: the sidecar says that there is no file"}},
		"spans that are wrong": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.Spans[0].ToMS, s.Spans[1].FromMS = 800, 800 })
			alter(t, two, func(s *Sidecar) { s.Spans[0].ToMS, s.Spans[1].FromMS = 939, 939 })
		}, []string{"one.wav: spans disagree: speech in a pause from 860ms to 1s", "two.wav: spans disagree: speech in a pause from 999ms to 1s", "two.wav: spans disagree: span 2 begins 61 ms before or after the silence"}},
		"spans that are 60 ms off": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.Spans[0].ToMS, s.Spans[1].FromMS = 940, 940 })
		}, nil},
		"spans that say no more than they know": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) {
				s.Spans[0].ToMS, s.Spans[1].FromMS = 800, 800
				s.AddProblem(SpeechInPause, "so it is")
			})
		}, []string{"one.wav: admitted: speech in a pause: so it is"}},
		"a call that waited": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) {
				s.Spans = slices.Insert(s.Spans, 1, Span{FromMS: 1000, ToMS: 1000, WaitedMS: 7000, State: StateWaiting})
			})
		}, nil},
		"spans with a gap": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.Spans[1].FromMS = 1001 })
		}, []string{"one.wav: spans disagree: span 2 is from 1001 to 2000 ms, after 1000"}},
		"a span of nothing known": {func(t *testing.T, d Dir, one, two string) {
			alter(t, one, func(s *Sidecar) { s.Spans[0].State = "maybe" })
		}, []string{`one.wav: spans disagree: span 1 says "maybe"`}},
		"leftovers and strays": {func(t *testing.T, d Dir, one, two string) {
			dir := filepath.Dir(one)
			for _, name := range []string{".one.json.77.tmp", "notes.txt", "three.mp3", "one.mp3", "one.svg"} {
				testkit.WriteFile(t, filepath.Join(dir, name), []byte("half"))
			}
			testkit.WriteFile(t, filepath.Join(d.String(), draftDir, ".x.json.1.tmp"), nil)
		}, []string{".one.json.77.tmp: leftover", "notes.txt: stray", "three.mp3: stray", ".live/.x.json.1.tmp: leftover"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := tempDir(t)
			one, two := put(t, d, sample("one")), put(t, d, sample("two"))
			test.harm(t, d, one, two)
			got := findings(t, d)
			for i := range got {
				got[i] = strings.TrimPrefix(got[i], d.String()+"/")
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("found %q\nwant  %q", got, test.want)
			}
		})
	}
}

func TestVerifyFails(t *testing.T) {
	if _, err := Verify(t.Context(), dirOf(t, "/nowhere-that-is"), func(Finding) {}); !errors.Is(err, fs.ErrNotExist) {
		t.Error("no folder:", err)
	}
	d := tempDir(t)
	put(t, d, sample("one"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, d, func(Finding) {}); !errors.Is(err, context.Canceled) {
		t.Error("ended:", err)
	}
}

// TestVerifyWhileWritten: a waveform or an MP3 that is being made is no leftover. What is
// left when its writer has ended is one.
func TestVerifyWhileWritten(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	testkit.WriteFile(t, filepath.Join(filepath.Dir(path), "other"), nil) // makes the folder
	f, err := os.Create(filepath.Join(filepath.Dir(path), durable.TempName(call+".svg")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("<svg"); err != nil {
		t.Fatal(err)
	}
	if err := durable.Lock(f); err != nil {
		t.Fatal(err)
	}
	leftovers := func() int {
		counts, err := Verify(t.Context(), d, func(Finding) {})
		if err != nil {
			t.Fatal(err)
		}
		return counts.Findings[Leftover]
	}
	if n := leftovers(); n != 0 {
		t.Errorf("%d leftovers while it is written", n)
	}
	f.Close()
	if n := leftovers(); n != 1 {
		t.Errorf("%d leftovers when its writer has ended", n)
	}
}

// TestVerifyWhilePublished: a waveform that is whole, and waits for its name because a
// recording is just being deleted, is no leftover either. Nor is one that was made this moment.
func TestVerifyWhilePublished(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	testkit.WriteFile(t, path, testkit.NewClip(1, 8000).Add(1000, 1000).WAV())
	day := filepath.Dir(path)
	leftovers := func() int {
		counts, err := Verify(t.Context(), d, func(Finding) {})
		if err != nil {
			t.Fatal(err)
		}
		return counts.Findings[Leftover]
	}
	made := make(chan error, 1)
	err := d.locked(func() error {
		go func() { _, err := Waveform(t.Context(), InProcess{}, d, path); made <- err }()
		testkit.Until(t, "the waveform is whole", func() bool {
			files, _ := filepath.Glob(filepath.Join(day, ".*.tmp"))
			for _, f := range files {
				if b, err := os.ReadFile(f); err == nil && strings.HasSuffix(strings.TrimSpace(string(b)), "</svg>") {
					return true
				}
			}
			return false
		})
		for range 100 { // also between its last byte and the wait
			if n := leftovers(); n != 0 {
				t.Errorf("%d leftovers while it waits", n)
				break
			}
		}
		return nil
	})
	if err := errors.Join(err, <-made); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(day, durable.TempName(call+".mp3"))
	testkit.WriteFile(t, fresh, nil)
	if n := leftovers(); n != 0 {
		t.Errorf("%d leftovers when it is made", n)
	}
	old := time.Now().Add(-DerivedAge - time.Second)
	if err := os.Chtimes(fresh, old, old); err != nil {
		t.Fatal(err)
	}
	if n := leftovers(); n != 1 {
		t.Errorf("%d leftovers when its writer has ended", n)
	}
}
