package lab

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// Step is the length of sound that is analysed at once. Every tone is a whole
// multiple of 1/Step, so that none is found where another one is.
const Step = 100 * time.Millisecond

// Tone is a frequency in Hz.
type Tone int

// The tones of the parties. App is what applications play.
const (
	Outside Tone = 530
	Alice   Tone = 670
	Bob     Tone = 970
	Carol   Tone = 1430
	Dave    Tone = 1190
	App     Tone = 350
)

var speakers = []Tone{App, Outside, Alice, Bob, Carol, Dave}

var speakerNames = map[Tone]string{App: "app", Outside: "outside", Alice: "alice", Bob: "bob", Carol: "carol", Dave: "dave"}

// String names who speaks the tone.
func (t Tone) String() string { return speakerNames[t] }

// Heard are the tones in one channel in one Step, in rising order.
type Heard []Tone

// String names who was heard.
func (h Heard) String() string {
	if len(h) == 0 {
		return "-"
	}
	names := make([]string, len(h))
	for i, t := range h {
		names[i] = t.String()
	}
	return strings.Join(names, "+")
}

// Sound is the content of a WAV file, and who is heard in it.
type Sound struct {
	Path     string
	Channels int
	Length   time.Duration
	Peak     int // the loudest sample, of at most 32768
	rate     int
	samples  [][]float64 // by channel
	steps    [][]Heard   // by step, by channel
}

// Listen reads a WAV file of 16-bit PCM and finds the tones in it.
func Listen(path string) (*Sound, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("lab: listen: %w", err)
	}
	channels, rate, pcm, err := parseWAV(data)
	if err != nil {
		return nil, fmt.Errorf("lab: listen to %s: %w", path, err)
	}
	s := &Sound{Path: path, Channels: channels, rate: rate, samples: split(pcm, channels)}
	frames := len(s.samples[0])
	s.Length = time.Duration(frames) * time.Second / time.Duration(rate)
	for _, x := range s.samples {
		for _, v := range x {
			s.Peak = max(s.Peak, int(math.Abs(v)))
		}
	}
	per := rate * int(Step/time.Millisecond) / 1000
	var clear [][]Heard
	for from := 0; from+per <= frames; from += per {
		heard, loud := make([]Heard, channels), make([]Heard, channels)
		for c, x := range s.samples {
			heard[c], loud[c] = tonesIn(x[from:from+per], rate)
		}
		s.steps, clear = append(s.steps, heard), append(clear, loud)
	}
	s.steps = withoutClicks(s.steps, clear)
	return s, nil
}

// withoutClicks leaves out the tones that are heard in one step only, and not clearly:
// there another tone has a click.
func withoutClicks(steps, clear [][]Heard) [][]Heard {
	out := make([][]Heard, len(steps))
	for i, step := range steps {
		for c, heard := range step {
			out[i] = append(out[i], slices.DeleteFunc(slices.Clone(heard), func(t Tone) bool {
				before, after := i > 0 && slices.Contains(steps[i-1][c], t), i+1 < len(steps) && slices.Contains(steps[i+1][c], t)
				return !before && !after && !slices.Contains(clear[i][c], t)
			}))
		}
	}
	return out
}

// parseWAV finds the format and the samples of a file that FreeSWITCH has closed.
// It is not tapedeck/recording/sound's reader, on purpose: the end-to-end tests
// compare what they hear with what Tapedeck wrote about a file, so a mistake in
// that reader must not be in both.
func parseWAV(b []byte) (channels, rate int, pcm []byte, err error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return 0, 0, nil, fmt.Errorf("not a WAV file")
	}
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), int(binary.LittleEndian.Uint32(b[4:8]))
		b = b[8:]
		body := b[:min(size, len(b))]
		switch id {
		case "fmt ":
			if len(body) < 16 || binary.LittleEndian.Uint16(body) != 1 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return 0, 0, nil, fmt.Errorf("not 16-bit PCM")
			}
			channels, rate = int(binary.LittleEndian.Uint16(body[2:])), int(binary.LittleEndian.Uint32(body[4:]))
		case "data":
			if channels == 0 || rate == 0 {
				return 0, 0, nil, fmt.Errorf("no format before the data")
			}
			return channels, rate, body, nil
		}
		b = b[min(size+size%2, len(b)):]
	}
	return 0, 0, nil, fmt.Errorf("no data in it")
}

// split separates the channels of 16-bit PCM.
func split(pcm []byte, channels int) [][]float64 {
	out := make([][]float64, channels)
	for at := 0; at+2*channels <= len(pcm); at += 2 * channels {
		for c := range channels {
			out[c] = append(out[c], float64(int16(binary.LittleEndian.Uint16(pcm[at+2*c:]))))
		}
	}
	return out
}

// audible is the amplitude from which a tone counts as heard; the telephones speak at
// several thousand. Beside a louder tone it is a share of that one's amplitude: where
// a packet was lost, a tone clicks, and every other frequency is there a little.
const (
	audible      = 300
	audibleShare = 0.1
	clearShare   = 0.3
)

// tonesIn finds each speaker's tone with Goertzel's algorithm. Those in clear cannot be
// the click of another tone.
func tonesIn(x []float64, rate int) (heard, clear Heard) {
	amplitudes := make([]float64, len(speakers))
	for i, t := range speakers {
		k := 2 * math.Cos(2*math.Pi*float64(t)/float64(rate))
		var a, b float64
		for _, v := range x {
			a, b = v+k*a-b, a
		}
		power := a*a + b*b - k*a*b
		amplitudes[i] = 2 * math.Sqrt(max(0, power)) / float64(len(x))
	}
	loudest := slices.Max(amplitudes)
	for i, t := range speakers {
		if amplitudes[i] > max(audible, audibleShare*loudest) {
			heard = append(heard, t)
		}
		if amplitudes[i] > max(audible, clearShare*loudest) {
			clear = append(clear, t)
		}
	}
	slices.Sort(heard)
	return heard, clear
}

// Speaks reports how long a tone is heard, in any channel.
func (s *Sound) Speaks(t Tone) (total time.Duration) {
	for _, step := range s.steps {
		if slices.ContainsFunc(step, func(h Heard) bool { return slices.Contains(h, t) }) {
			total += Step
		}
	}
	return total
}

// Rate is the number of samples of one channel in a second.
func (s *Sound) Rate() int { return s.rate }

// Silent reports whether every sample is zero.
func (s *Sound) Silent() bool { return s.Peak == 0 }

// SilentBetween reports whether every sample from one time to another is zero.
func (s *Sound) SilentBetween(from, to time.Duration) bool {
	frame := func(at time.Duration) int {
		return min(max(0, int(at*time.Duration(s.rate)/time.Second)), len(s.samples[0]))
	}
	return !slices.ContainsFunc(s.samples, func(x []float64) bool {
		return slices.ContainsFunc(x[frame(from):frame(to)], func(v float64) bool { return v != 0 })
	})
}

// Silences returns the periods, longer than shortest, in which every sample of every
// channel is zero.
func (s *Sound) Silences(shortest time.Duration) (found [][2]time.Duration) {
	frames := len(s.samples[0])
	at := func(frame int) time.Duration { return time.Duration(frame) * time.Second / time.Duration(s.rate) }
	since := 0
	for i := range frames + 1 {
		if i < frames && !slices.ContainsFunc(s.samples, func(x []float64) bool { return x[i] != 0 }) {
			continue
		}
		if at(i-since) > shortest {
			found = append(found, [2]time.Duration{at(since), at(i)})
		}
		since = i + 1
	}
	return found
}

// Between calls check for every whole Step from one time to another.
func (s *Sound) Between(from, to time.Duration, check func(at time.Duration, channels []Heard)) {
	for i, step := range s.steps {
		at := time.Duration(i) * Step
		if at >= from && at+Step <= to {
			check(at, step)
		}
	}
}

// String is the whole file in one line: who is heard from when on, for each channel.
func (s *Sound) String() string {
	var b strings.Builder
	last := ""
	for i, step := range s.steps {
		names := make([]string, len(step))
		for c, h := range step {
			names[c] = h.String()
		}
		if now := strings.Join(names, "|"); now != last {
			fmt.Fprintf(&b, "%.1f:%s ", float64(i)*Step.Seconds(), now)
			last = now
		}
	}
	fmt.Fprintf(&b, "%.2f:end", s.Length.Seconds())
	return b.String()
}
