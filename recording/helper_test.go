package recording

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

// tone is a sample that is not 0, like speech.
const tone = 1000

func tempDir(t testing.TB) Dir {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-recording-") // t.TempDir has the test's name in it, which a Dir may refuse
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return dirOf(t, root)
}

func dirOf(t testing.TB, root string) Dir {
	t.Helper()
	d, err := NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sample returns a finished call of two seconds, paused in its second half.
func sample(id string) Sidecar {
	ended := day.Add(2 * time.Second)
	return Sidecar{
		Version: Version, Call: id, Organisation: "acme", Direction: "inbound", External: "+442079460999", Number: "+442079460001",
		Users: []string{"alice"}, Switch: "fs1", Anchor: id, Started: day, Answered: day, Ended: ended, Trigger: "automatic",
		Decided: Cause{Element: "number/+442079460001", Setting: "yes"},
		File:    &File{Name: id + ".wav", Began: day, Stopped: ended},
		Spans: []Span{
			{FromMS: 0, ToMS: 1030, State: StateRecording, Cause: Cause{Element: "number/+442079460001", Setting: "yes"}},
			{FromMS: 1030, ToMS: 2040, State: StatePaused, Cause: Cause{Toggle: "dtmf", User: "alice"}},
		},
		Trace: []Note{{At: day, What: "entered", Element: "number/+442079460001", Setting: "yes"}},
	}
}

// sampleSound returns what sample's file holds.
func sampleSound() *testkit.Clip { return testkit.NewClip(2, 8000).Add(1000, tone).Add(1000, 0) }

func pathOf(t testing.TB, d Dir, s Sidecar) string {
	t.Helper()
	path, err := s.Path(d)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// put writes a sample's file and its sidecar as an Archive would.
func put(t testing.TB, d Dir, s Sidecar) (path string) {
	t.Helper()
	path = pathOf(t, d, s)
	sampleSound().Write(t, path)
	s, err := Examine(t.Context(), path, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.save(nil, SidecarPath(path), s); err != nil {
		t.Fatal(err)
	}
	return path
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
