package lab

import (
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// fragmentLength is how much of a prompt is searched for: the loudest fragment.
const fragmentLength = 400 * time.Millisecond

// Prompt is the sound of a prompt, to be searched for in what somebody heard.
type Prompt struct {
	Path     string
	Length   time.Duration
	Offset   time.Duration // from its start to the fragment that is searched for
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

// loudest returns where the n samples with the most energy begin.
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

// without removes a tone from x, so that x is not found in that tone.
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

// Holds searches for a prompt in one channel (1 is the first). It returns where the
// sound is most like the prompt, and the loudness there as a share of the prompt's:
// about 1 if the prompt is there, whoever speaks meanwhile, and about 0 if not.
func (s *Sound) Holds(channel int, p *Prompt) (at time.Duration, loudness float64) {
	from, most := s.likeliest(channel, p, 0, len(s.samples[channel-1]))
	return s.time(from), most / p.energy
}

// HoldsBetween is Holds for a span of the sound. Packets of the prompt may be late
// there, and a few may be lost, as a telephone on a busy machine hears it.
func (s *Sound) HoldsBetween(channel int, p *Prompt, from, to time.Duration) (at time.Duration, loudness float64) {
	best, _ := s.likeliest(channel, p, s.sample(from), s.sample(to))
	packet := s.rate / 50
	whole := s.lacks(channel, p, best)
	least := p.energy
	for _, slip := range []int{-2 * packet, -packet, 0, packet, 2 * packet} {
		slipped := s.lacks(channel, p, best+slip)
		for n := range whole {
			least = min(least, forgiven(whole[:n], slipped[n:]), forgiven(slipped[:n], whole[n:]))
		}
	}
	return s.time(best), 1 - least/p.energy
}

// likeliest returns where, between two samples, the sound is most like a prompt, and
// the energy that they have in common.
func (s *Sound) likeliest(channel int, p *Prompt, from, to int) (best int, most float64) {
	x := s.samples[channel-1]
	for i := max(from, 0); i < to && i+len(p.fragment) <= len(x); i++ {
		if l := product(p.fragment, x[i:]); l > most {
			best, most = i, l
		}
	}
	return best, most
}

// lacks is how much energy each 20 ms of a prompt lacks, if the prompt is at from.
func (s *Sound) lacks(channel int, p *Prompt, from int) []float64 {
	x, packet := s.samples[channel-1], s.rate/50
	lacks := make([]float64, 0, len(p.fragment)/packet+1)
	for piece := range slices.Chunk(p.fragment, packet) {
		lack := product(piece, piece)
		if from >= 0 && from+len(piece) <= len(x) {
			lack -= product(piece, x[from:])
		}
		lacks = append(lacks, lack)
		from += len(piece)
	}
	return lacks
}

// mostLost is how many packets of a prompt may be lost at most.
const mostLost = 3

// forgiven is what two fragments lack together, without the packets that lack most.
func forgiven(first, second []float64) (sum float64) {
	lacks := slices.Sorted(slices.Values(slices.Concat(first, second)))
	for _, lack := range lacks[:max(0, len(lacks)-mostLost)] {
		sum += lack
	}
	return sum
}

func (s *Sound) time(sample int) time.Duration {
	return time.Duration(sample) * time.Second / time.Duration(s.rate)
}

func (s *Sound) sample(at time.Duration) int { return int(at * time.Duration(s.rate) / time.Second) }
