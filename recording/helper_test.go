package recording

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// tone is a sample that is not 0, like speech.
const tone = 1000

// synth is samples of one file: of each channel the same.
type synth struct {
	channels, rate int
	frames         []int16
}

func newSynth(channels, rate int) *synth { return &synth{channels: channels, rate: rate} }

// add adds milliseconds of one value.
func (s *synth) add(ms int64, value int16) *synth {
	for range ms * int64(s.rate) / 1000 {
		s.frames = append(s.frames, value)
	}
	return s
}

func (s *synth) data() []byte {
	var b []byte
	for _, v := range s.frames {
		for range s.channels {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	return b
}

func (s *synth) bytes() []byte { return wavOf(s.channels, s.rate, s.data()) }

// write writes the file, and makes its folder.
func (s *synth) write(t testing.TB, path string) { writeFile(t, path, s.bytes()) }

// wavOf is a WAV file with these samples.
func wavOf(channels, rate int, data []byte) []byte {
	b := riff(uint32(36 + len(data)))
	b = append(b, format(1, channels, rate, 16)...)
	return append(append(b, chunkOf("data", uint32(len(data)))...), data...)
}

func riff(size uint32) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), size), "WAVE"...)
}

func chunkOf(name string, size uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte(name), size)
}

func format(kind, channels, rate, bits int) []byte {
	b := chunkOf("fmt ", 16)
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*2))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*2))
	return binary.LittleEndian.AppendUint16(b, uint16(bits))
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func tempDir(t testing.TB) Dir {
	t.Helper()
	root, err := os.MkdirTemp("", "tapedeck-recording-") // a test's name may not be in a Dir
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

// sample is a finished call of two seconds, paused in its second half.
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

// sampleSound is what sample's file holds.
func sampleSound() *synth { return newSynth(2, 8000).add(1000, tone).add(1000, 0) }

func pathOf(t testing.TB, d Dir, s Sidecar) string {
	t.Helper()
	path, err := s.Path(d)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// put writes a sample's file and its sidecar, as the Archive would.
func put(t testing.TB, d Dir, s Sidecar) (path string) {
	t.Helper()
	path = pathOf(t, d, s)
	sampleSound().write(t, path)
	s, err := Examine(t.Context(), path, s, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.save(SidecarPath(path), s); err != nil {
		t.Fatal(err)
	}
	return path
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func seeded(t testing.TB, seed uint64) *rand.Rand {
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
