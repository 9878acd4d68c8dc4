package recording

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
	"tapedeck/recording/sound"
)

// TestFinishTwice: a call of Finish during another one is not lost, and both are
// called back.
func TestFinishTwice(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d})
	s := sample(call)
	sampleSound().Write(t, pathOf(t, d, s))
	var waits []func() (Sidecar, error)
	for i := range 50 {
		s.External = fmt.Sprint(i)
		waits = append(waits, finishing(a, s))
		a.Draft(s)
	}
	for _, wait := range waits {
		if _, err := wait(); err != nil {
			t.Error(err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got, err := ReadSidecar(SidecarPath(pathOf(t, d, s))); err != nil || got.External != "49" {
		t.Errorf("%q, %v", got.External, err)
	}
}

func TestFinishKeepsHold(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample(call))
	hold := &Hold{By: "carol", Reason: "court", At: day}
	if _, err := SetHold(d, path, hold, audit.New(d.String(), nil), audit.Actor{Who: "carol"}, day); err != nil {
		t.Fatal(err)
	}
	a, _ := running(t, ArchiveConfig{Dir: d})
	if s, err := finishing(a, sample(call))(); err != nil || !reflect.DeepEqual(s.Hold, hold) {
		t.Errorf("%+v, %v", s.Hold, err)
	}
}

// TestArchiveUnreadable: a file that cannot be read is tried for a while; then its
// sidecar says so.
func TestArchiveUnreadable(t *testing.T) {
	d := tempDir(t)
	s := sample(call)
	path := pathOf(t, d, s)
	testkit.WriteFile(t, filepath.Join(filepath.Dir(path), "other"), nil)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a, stop := running(t, ArchiveConfig{Dir: d})
		began := time.Now()
		s, err := finishing(a, s)()
		if err != nil || s.Complete || !s.HasProblem(Unreadable) || time.Since(began) != 15*time.Second {
			t.Errorf("%+v, %v, after %v", s, err, time.Since(began))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// failing is a Workshop that cannot work so many times.
type failing struct {
	InProcess
	left int
}

func (f *failing) Analyse(ctx context.Context, in *os.File) (sound.Analysis, error) {
	if f.left--; f.left >= 0 {
		return sound.Analysis{}, fmt.Errorf("%w: out of memory", ErrNoWorker)
	}
	return f.InProcess.Analyse(ctx, in)
}

// TestArchiveWithoutWorkers: a file is not unreadable because nobody could examine it for a
// while. A file that nobody ever can examine has a sidecar all the same.
func TestArchiveWithoutWorkers(t *testing.T) {
	for failures, unreadable := range map[int]bool{20: false, 1000: true} {
		d := tempDir(t)
		s := sample(call)
		testkit.WriteFile(t, pathOf(t, d, s), testkit.NewClip(2, 8000).Add(1000, 1000).WAV())
		synctest.Test(t, func(t *testing.T) {
			a, stop := running(t, ArchiveConfig{Dir: d, Workshop: &failing{left: failures}})
			s, err := finishing(a, s)()
			if err != nil || s.HasProblem(Unreadable) != unreadable || (s.File != nil && s.File.DurationMS == 1000) == unreadable {
				t.Errorf("%d failures: %+v, %v", failures, s, err)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// deleting is a Workshop during whose work the file is deleted.
type deleting struct{ InProcess }

func (d deleting) Analyse(ctx context.Context, in *os.File) (sound.Analysis, error) {
	heard, err := d.InProcess.Analyse(ctx, in)
	return heard, errors.Join(err, os.Remove(in.Name()))
}

// TestArchiveFileDeleted: the sidecar of a file that was deleted while it was examined says so.
func TestArchiveFileDeleted(t *testing.T) {
	d := tempDir(t)
	s := sample(call)
	testkit.WriteFile(t, pathOf(t, d, s), testkit.NewClip(2, 8000).Add(1000, 1000).WAV())
	synctest.Test(t, func(t *testing.T) {
		a, stop := running(t, ArchiveConfig{Dir: d, Workshop: deleting{}})
		if s, err := finishing(a, s)(); err != nil || s.File != nil || !s.HasProblem(FileMissing) {
			t.Errorf("%+v, %v", s, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestStillWritten: an unfinished file is repaired only when nobody has written to
// it for a while.
func TestStillWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	at := time.Now().Truncate(time.Second)
	for _, test := range []struct {
		file []byte
		age  time.Duration
		want bool
	}{
		{slices.Concat(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 400)), quietTime - 1, true},
		{slices.Concat(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 400)), quietTime, false},
		{slices.Concat(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 400)), -1, false},
		{sampleSound().WAV(), 0, false},
		{[]byte("RIFF"), 0, false},
	} {
		testkit.WriteFile(t, path, test.file)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if got := stillWritten(path, at.Add(test.age)); got != test.want {
			t.Errorf("%.20q, %v: %v", test.file, test.age, got)
		}
	}
	if stillWritten(path+"x", at) {
		t.Error("a file that is not there")
	}
}
