package recording

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tapedeck/recording/audit"
)

func TestResolve(t *testing.T) {
	d := tempDir(t)
	base := "acme/2026/03/09/" + call
	for _, ext := range []string{".wav", ".json", ".mp3", ".svg", ".part2.wav"} {
		want := filepath.Join(d.String(), base+ext)
		for _, path := range []string{base + ext, want} {
			if got, err := d.Resolve(path); err != nil || got != want {
				t.Errorf("Resolve(%q) = %q, %v", path, got, err)
			}
		}
	}
	for _, path := range []string{
		"", ".", "..", "/", "/etc/passwd", "../" + base + ".wav", "./" + base + ".wav", "acme/../" + base + ".wav",
		"acme//2026/03/09/" + call + ".wav", base + ".wav/", base + ".wav/..", base, base + ".txt", base + ".wav\x00", base + ".wav\n",
		"acme/2026/03/09/../../../../etc/passwd", "acme/2026/03/09/.lock", "audit.jsonl", ".live/" + call + ".json",
		"acme/2026/13/09/" + call + ".wav", "acme/2026/03/" + call + ".wav", "acme/x/2026/03/09/" + call + ".wav", "ACME/2026/03/09/" + call + ".wav",
		d.String(), d.String() + "x/" + base + ".wav", filepath.Dir(d.String()) + "/" + base + ".wav", d.String() + "/../" + base + ".wav",
		"acme/2026/03/09/..%2f" + call + ".wav", "acme/2026/03/09/" + strings.Repeat("a", 200) + ".wav", `acme\2026\03\09\x.wav`, "~/" + base + ".wav",
	} {
		if got, err := d.Resolve(path); !errors.Is(err, ErrOutside) || got != "" {
			t.Errorf("Resolve(%q) = %q, %v", path, got, err)
		}
		if f, err := d.Open(path); !errors.Is(err, ErrOutside) || f != nil {
			t.Errorf("Open(%q): %v", path, err)
		}
	}
	if got, err := (Dir{}).Resolve(base + ".wav"); err == nil {
		t.Errorf("no folder: %q", got)
	}
}

// TestResolveLinks: no part of a path may be a link, wherever it leads.
func TestResolveLinks(t *testing.T) {
	words := strings.Split("acme/2026/03/09/"+call+".wav", "/")
	for i := range words {
		for _, to := range []string{"absolute", "relative", "inside", "nowhere"} {
			t.Run(words[i]+" "+to, func(t *testing.T) {
				d, other := tempDir(t), tempDir(t)
				put(t, other, sample(call))
				link := filepath.Join(d.String(), filepath.Join(words[:i+1]...))
				target := filepath.Join(other.String(), filepath.Join(words[:i+1]...))
				switch to {
				case "relative":
					target, _ = filepath.Rel(filepath.Dir(link), target)
				case "inside":
					moved := filepath.Join(d.String(), "elsewhere")
					if err := os.Rename(target, moved); err != nil {
						t.Fatal(err)
					}
					target = moved
				case "nowhere":
					target = "/nowhere-that-is"
				}
				if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(target, link)); err != nil {
					t.Fatal(err)
				}
				before := filesBelow(t, other)
				path := filepath.Join(d.String(), filepath.Join(words...))
				_, opened := d.Open(path)
				_, _, verified := VerifyOne(t.Context(), InProcess{}, d, path)
				_, drawn := Waveform(t.Context(), InProcess{}, d, path)
				_, encoded := testEncoder(t, d, InProcess{}).MP3(t.Context(), "anna", path, sample(call))
				deleted := Delete(d, path, audit.New(d.String(), nil), audit.Actor{}, "", day)
				for _, err := range []error{opened, verified, drawn, encoded, deleted} {
					if !errors.Is(err, ErrOutside) {
						t.Errorf("not refused: %v", err)
					}
				}
				if after := filesBelow(t, other); strings.Join(after, " ") != strings.Join(before, " ") {
					t.Errorf("left %q of %q", after, before)
				}
			})
		}
	}
}

func TestOpen(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample(call))
	f, err := d.Open("acme/2026/03/09/" + call + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if f.Close(); err != nil || string(data) != string(sampleSound().WAV()) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := d.Open(strings.TrimSuffix(path, soundExt) + ".mp3"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file that is not there:", err)
	}
	pipe, dir := strings.Replace(path, call, "pipe", 1), strings.Replace(path, call, "dir", 1)
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir} {
		if _, err := d.Open(path); err == nil {
			t.Errorf("%s is open", path)
		}
	}
}
