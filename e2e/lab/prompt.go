package lab

import (
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// fragmentLength is how much of a prompt is looked for: its loudest part.
const fragmentLength = 400 * time.Millisecond

// Prompt is a prompt's sound, to be found in what somebody heard.
type Prompt struct {
	Path     string
	Length   time.Duration
	Offset   time.Duration // where in it the part is that is looked for
	fragment []float64
	energy   float64
	rate     int
}

// ReadPrompt reads a WAV file of one channel.
func ReadPrompt(path string) (*Prompt, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("lab: prompt: %w", err)
	}
	channels, rate, pcm, err := parseWAV(data)
	if err == nil && channels != 1 {
		err = fmt.Errorf("%d channels", channels)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: prompt %s: %w", path, err)
	}
	p := &Prompt{Path: path, rate: rate}
	x := split(pcm, 1)[0]
	p.Length = time.Duration(len(x)) * time.Second / time.Duration(rate)
	from := loudest(x, int(fragmentLength)*rate/int(time.Second))
	p.Offset = time.Duration(from) * time.Second / time.Duration(rate)
	p.fragment = slices.Clone(x[from:min(len(x), from+int(fragmentLength)*rate/int(time.Second))])
	for _, t := range speakers {
		without(p.fragment, t, rate)
	}
	p.energy = product(p.fragment, p.fragment)
	return p, nil
}

// loudest is where the n samples with the most energy are.
func loudest(x []float64, n int) (from int) {
	n = min(n, len(x))
	now := product(x[:n], x[:n])
	best := now
	for i := n; i < len(x); i++ {
		now += x[i]*x[i] - x[i-n]*x[i-n]
		if now > best {
			best, from = now, i-n+1
		}
	}
	return from
}

// without takes a tone out of x, so that x is not found in the tone.
func without(x []float64, t Tone, rate int) {
	for _, phase := range []float64{0, math.Pi / 2} {
		wave := make([]float64, len(x))
		for i := range wave {
			wave[i] = math.Sin(2*math.Pi*float64(t)*float64(i)/float64(rate) + phase)
		}
		part := product(x, wave) / product(wave, wave)
		for i := range x {
			x[i] -= part * wave[i]
		}
	}
}

func product(x, y []float64) (sum float64) {
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

// Holds looks for a prompt in one channel (1 is the first) and returns where it
// is likest, and how loud it is there, compared with its file: about 1 if it is
// there, whoever else speaks meanwhile, and about 0 if it is not.
func (s *Sound) Holds(channel int, p *Prompt) (at time.Duration, loudness float64) {
	x := s.samples[channel-1]
	for from := 0; from+len(p.fragment) <= len(x); from++ {
		if l := product(p.fragment, x[from:]) / p.energy; l > loudness {
			at, loudness = time.Duration(from)*time.Second/time.Duration(s.rate), l
		}
	}
	return at, loudness
}
