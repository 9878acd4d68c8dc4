package lab

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestHolds: every prompt is found in itself, also while people speak. It is found
// neither in their voices nor in another prompt.
func TestHolds(t *testing.T) {
	files, err := filepath.Glob("../../freeswitch-conf/sounds/en/8000/*.wav")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		p, err := ReadPrompt(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range files {
			said, err := Listen(other)
			if err != nil {
				t.Fatal(err)
			}
			lead := int(300 * said.rate / 1000)
			mixed := make([]float64, lead+len(said.samples[0]))
			for i := range mixed {
				mixed[i] = 6000 * math.Sin(2*math.Pi*float64(Outside)*float64(i)/float64(said.rate))
				if i >= lead {
					mixed[i] += said.samples[0][i-lead]
				}
			}
			at, loudness := (&Sound{rate: said.rate, samples: [][]float64{mixed}}).Holds(1, p)
			switch want := 300*time.Millisecond + p.Offset; {
			case other == file && (loudness < 0.9 || (at-want).Abs() > time.Millisecond):
				t.Errorf("%s in itself: %.2f at %v, want about 1 at %v", file, loudness, at, want)
			case other != file && loudness > 0.65:
				t.Errorf("%s in %s: %.2f", file, other, loudness)
			}
		}
	}
}

// TestHoldsBetween: a prompt with a missing or late packet is found where it is, and no
// other prompt is found there.
func TestHoldsBetween(t *testing.T) {
	const near = 100 * time.Millisecond
	names := []string{"recorded", "not-permitted", "is-being-recorded"}
	for _, name := range names {
		p, err := ReadPrompt("../../freeswitch-conf/sounds/en/8000/" + name + ".wav")
		if err != nil {
			t.Fatal(err)
		}
		silence := &Sound{rate: p.rate, samples: [][]float64{make([]float64, p.rate)}}
		if _, loudness := silence.HoldsBetween(1, p, 0, time.Second); loudness > 0.5 {
			t.Errorf("%s in silence: %.2f", name, loudness)
		}
		for _, other := range names {
			said, err := Listen("../../freeswitch-conf/sounds/en/8000/" + other + ".wav")
			if err != nil {
				t.Fatal(err)
			}
			x, packet := slices.Concat(make([]float64, said.rate), said.samples[0], make([]float64, said.rate)), said.rate/50
			for cut := said.rate; cut < said.rate+len(said.samples[0]); cut += 7 * packet {
				for _, heard := range [][]float64{
					slices.Concat(x[:cut], x[cut+packet:]), slices.Concat(x[:cut], make([]float64, packet), x[cut:]),
					slices.Concat(x[:cut], make([]float64, 3*packet), x[cut+2*packet:]),
				} {
					s := &Sound{rate: said.rate, samples: [][]float64{heard}}
					at := time.Second + p.Offset
					_, loudness := s.HoldsBetween(1, p, at-near, at+near)
					if there := loudness >= 0.8; there != (name == other) {
						t.Errorf("%s in %s, cut at %d: %.2f", name, other, cut, loudness)
					}
				}
			}
		}
	}
}

// TestSilences: a silence is zero in every channel, and longer than asked for.
func TestSilences(t *testing.T) {
	x, y := make([]float64, 8000), make([]float64, 8000)
	for i := range x {
		x[i], y[i] = 1, 1
	}
	clear(x[800:4000])
	clear(y[1600:4800])
	clear(x[6000:6400])
	clear(y[6000:6400])
	clear(x[7200:])
	clear(y[7200:])
	found := (&Sound{rate: 8000, samples: [][]float64{x, y}}).Silences(60 * time.Millisecond)
	want := [][2]time.Duration{{200 * time.Millisecond, 500 * time.Millisecond}, {900 * time.Millisecond, time.Second}}
	if len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
		t.Errorf("silences are %v, want %v", found, want)
	}
}

// TestUlaw compares some values with the table of ITU-T G.711.
func TestUlaw(t *testing.T) {
	for sample, want := range map[int]byte{0: 0xff, 8: 0xfe, -8: 0x7e, 8031 * 4: 0x80, -8031 * 4: 0x00, 1000: 0xce} {
		if got := ulaw(sample); got != want {
			t.Errorf("%d is %#x, want %#x", sample, got, want)
		}
	}
}
