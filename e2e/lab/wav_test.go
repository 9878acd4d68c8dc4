package lab

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

// writeTones writes a WAV file with one list of tones per channel, at 8 kHz.
func writeTones(t *testing.T, length time.Duration, channels ...[]Tone) string {
	t.Helper()
	const rate = 8000
	frames := int(length.Seconds() * rate)
	pcm := make([]byte, 0, 2*frames*len(channels))
	for i := range frames {
		for _, tones := range channels {
			var v float64
			for _, tone := range tones {
				v += 4000 * math.Sin(2*math.Pi*float64(tone)*float64(i)/rate)
			}
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(int16(v)))
		}
	}
	path := filepath.Join(t.TempDir(), "tones.wav")
	testkit.WriteFile(t, path, testkit.WAV(len(channels), rate, pcm))
	return path
}

func TestListen(t *testing.T) {
	for _, tc := range []struct {
		name     string
		channels [][]Tone
		want     string
	}{
		{"silence", [][]Tone{nil, nil}, "0.0:-|- 1.00:end"},
		{"one a side", [][]Tone{{Outside}, {Alice}}, "0.0:outside|alice 1.00:end"},
		{"all at once", [][]Tone{{App, Outside, Alice, Bob, Carol}, {Carol}}, "0.0:app+outside+alice+bob+carol|carol 1.00:end"},
		{"mono", [][]Tone{{Bob}}, "0.0:bob 1.00:end"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Listen(writeTones(t, time.Second, tc.channels...))
			if err != nil {
				t.Fatal(err)
			}
			if s.String() != tc.want {
				t.Errorf("heard %s, want %s", s, tc.want)
			}
			if want := tc.name == "silence"; s.Silent() != want {
				t.Errorf("Silent() = %v", s.Silent())
			}
		})
	}
}

func TestListenRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "no WAV": "hello", "no data": "RIFF\x00\x00\x00\x00WAVE", "other format": "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x06\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00",
	} {
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Listen(path); err == nil {
			t.Errorf("%s: heard %s, want an error", name, s)
		}
	}
}

func TestClicks(t *testing.T) {
	quiet, outside, both := []Heard{nil}, []Heard{{Outside}}, []Heard{{Outside, Alice}}
	steps := func(all ...[]Heard) [][]Heard { return all }
	for name, tc := range map[string]struct{ heard, clear, want [][]Heard }{
		"a jump":             {steps(outside, both, outside), steps(outside, outside, outside), steps(outside, outside, outside)},
		"somebody, briefly":  {steps(outside, both, outside), steps(outside, both, outside), steps(outside, both, outside)},
		"somebody, from far": {steps(outside, both, both), steps(outside, outside, outside), steps(outside, both, both)},
		"silence":            {steps(quiet, quiet), steps(quiet, quiet), steps(quiet, quiet)},
	} {
		if got := withoutClicks(tc.heard, tc.clear); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s: heard %v, want %v", name, got, tc.want)
		}
	}
}
