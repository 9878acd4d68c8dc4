package esltest_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// writeWAV makes a file with spans of one tone for each channel, and a chunk of odd
// length before the samples. It shares no code with the switch.
func writeWAV(t *testing.T, rate int, stretches ...[]float64) string {
	t.Helper()
	channels := len(stretches[0])
	var data []byte
	for _, tones := range stretches {
		for i := range rate {
			for _, hz := range tones {
				x := 3000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
				data = binary.LittleEndian.AppendUint16(data, uint16(int16(x)))
			}
		}
	}
	b := append([]byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00\x01\x00"), byte(channels), 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*2*channels))
	b = append(b, byte(2*channels), 0, 16, 0)
	b = append(b, "data\xff\xff\xff\x7f"...) // longer than the file: still being written
	path := filepath.Join(t.TempDir(), "x.wav")
	if err := os.WriteFile(path, append(b, data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListen(t *testing.T) {
	path := writeWAV(t, 16000, []float64{440, 0}, []float64{440, 880}, []float64{0, 0}, []float64{880, 1000})
	heard, err := esltest.Listen(path, 100*time.Millisecond, 880, 440)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0s-1s 440|-", "1s-2s 440|880", "2s-3s -|-", "3s-4s 880|-"}
	if len(heard) != len(want) {
		t.Fatalf("%v, want %v", heard, want)
	}
	for i, h := range heard {
		if h.String() != want[i] {
			t.Errorf("%v, want %s", h, want[i])
		}
	}
	for _, test := range []struct {
		tones []float64
		want  time.Duration
	}{{[]float64{880, 440}, time.Second}, {[]float64{440}, time.Second}, {nil, time.Second}, {[]float64{1000}, 0}} {
		if got := esltest.Total(heard, test.tones...); got != test.want {
			t.Errorf("Total(%v) is %v, want %v", test.tones, got, test.want)
		}
	}
	if n, err := esltest.Length(path); n != 4*time.Second || err != nil {
		t.Errorf("Length is %v, %v", n, err)
	}
}

func TestListenErrors(t *testing.T) {
	good := writeWAV(t, 8000, []float64{440})
	if _, err := esltest.Listen(good, time.Microsecond, 440); err == nil {
		t.Error("a step shorter than a sample is taken")
	}
	b, _ := os.ReadFile(good)
	eight := append([]byte(nil), b...)
	eight[20+12+14] = 8 // bits per sample, after RIFF, WAVE and LIST
	for name, content := range map[string][]byte{"empty": nil, "text": []byte("hello, this is no sound"), "cut": b[:30], "8 bit": eight} {
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := esltest.Length(path); err == nil {
			t.Errorf("%s: length %v and no error", name, n)
		}
	}
	if _, err := esltest.Length(filepath.Join(t.TempDir(), "absent.wav")); !os.IsNotExist(err) {
		t.Error(err)
	}
}
