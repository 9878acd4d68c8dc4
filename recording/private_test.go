package recording

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tapedeck/internal/testkit"
)

// TestPrivate: at the end of its call the sound is for its owner and group alone. Nobody
// gets a right that he did not have. What others could read until then is logged once,
// unless they may not enter the folder anyway.
func TestPrivate(t *testing.T) {
	for mode, want := range map[fs.FileMode]fs.FileMode{0o644: 0o640, 0o666: 0o640, 0o777: 0o640, 0o640: 0o640, 0o600: 0o600} {
		for _, folders := range [][2]fs.FileMode{{0o755, 0o755}, {0o755, 0o750}, {0o750, 0o755}} {
			d, logged := tempDir(t), &testkit.Log{}
			a, stop := running(t, ArchiveConfig{Dir: d, Log: slog.New(slog.NewTextHandler(logged, nil))})
			for _, id := range []string{"one", "two"} {
				path := pathOf(t, d, sample(id))
				sampleSound().Write(t, path)
				for path, mode := range map[string]fs.FileMode{path: mode, d.String(): folders[0], filepath.Dir(path): folders[1]} {
					if err := os.Chmod(path, mode); err != nil {
						t.Fatal(err)
					}
				}
				if got, err := finishing(a, sample(id))(); err != nil || !got.Complete {
					t.Errorf("%v: %+v, %v", mode, got, err)
				}
				if now := infoOf(t, path).Mode(); now != want {
					t.Errorf("%v has become %v, want %v", mode, now, want)
				}
				if side := infoOf(t, SidecarPath(path)).Mode(); side != 0o640 {
					t.Errorf("the sidecar has %v", side)
				}
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			lines := 0
			if mode&0o004 != 0 && folders[0]&folders[1]&0o001 != 0 {
				lines = 1
			}
			if strings.Count(logged.String(), "level=WARN") != lines || strings.Count(logged.String(), "umask 027") != lines {
				t.Errorf("%v in %v: log: %s", mode, folders, logged)
			}
		}
	}
}

// TestPrivateRefused: what cannot be made private is logged once, and that is all. What
// is not there, or is a link, is not touched.
func TestPrivateRefused(t *testing.T) {
	d, logged := tmpfs(t), &testkit.Log{}
	path := pathOf(t, d, sample(call))
	testkit.WriteFile(t, path, nil)
	elsewhere := filepath.Join(t.TempDir(), "theirs")
	testkit.WriteFile(t, elsewhere, nil)
	link := pathOf(t, d, sample("link"))
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(elsewhere, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", d.String(), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	p := private{log: slog.New(slog.NewTextHandler(logged, nil))}
	for range 2 {
		for _, path := range []string{path, link, path + "x"} {
			p.sound(d, call, path)
		}
	}
	if n := strings.Count(logged.String(), "keeps the mode"); n != 1 {
		t.Errorf("%d times in the log: %s", n, logged)
	}
	if mode := infoOf(t, elsewhere).Mode(); mode != 0o666 {
		t.Errorf("through the link: %v", mode)
	}
}

// TestOthersMayEnter: any right of others is one too many.
func TestOthersMayEnter(t *testing.T) {
	d := tempDir(t)
	for mode, want := range map[fs.FileMode]bool{0o750: false, 0o770: false, 0o700: false, 0o755: true, 0o751: true, 0o754: true} {
		if err := os.Chmod(d.String(), mode); err != nil {
			t.Fatal(err)
		}
		if d.OthersMayEnter() != want {
			t.Errorf("%v: %v", mode, !want)
		}
	}
}
