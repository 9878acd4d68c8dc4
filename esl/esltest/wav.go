package esltest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"tapedeck/recording/sound"
)

// Heard is a span of a file in which the same tones are heard.
type Heard struct {
	From, To time.Duration
	Channels [][]float64 // per channel of the file, the tones in Hz, ascending
}

// String is like "0s-1.5s 440|880": a bar stands between channels, a plus between
// tones, and a minus is silence.
func (h Heard) String() string {
	var channels []string
	for _, tones := range h.Channels {
		text := "-"
		for i, hz := range tones {
			if i == 0 {
				text = fmt.Sprint(hz)
			} else {
				text += "+" + fmt.Sprint(hz)
			}
		}
		channels = append(channels, text)
	}
	return fmt.Sprintf("%v-%v %s", h.From, h.To, strings.Join(channels, "|"))
}

// Tones are the tones that are heard in any channel, ascending.
func (h Heard) Tones() []float64 {
	all := slices.Concat(h.Channels...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Total is how long exactly these tones are heard, whatever their channels.
func Total(heard []Heard, tonesHz ...float64) time.Duration {
	want := slices.Sorted(slices.Values(tonesHz))
	var total time.Duration
	for _, h := range heard {
		if slices.Equal(h.Tones(), want) {
			total += h.To - h.From
		}
	}
	return total
}

// wavFile is a 16 bit PCM file. The samples of its channels are interleaved.
type wavFile struct {
	channels, rate int
	samples        []int16
}

// Length is how long a WAV file plays.
func Length(path string) (time.Duration, error) {
	w, err := readWAV(path)
	if err != nil {
		return 0, err
	}
	return time.Duration(len(w.samples)/w.channels) * time.Second / time.Duration(w.rate), nil
}

// Listen finds when each of the given tones is heard in a WAV file (16 bit PCM). It
// examines one step after the other, and leaves out what is left at the end. A tone
// counts from about one percent of full loudness.
func Listen(path string, step time.Duration, tonesHz ...float64) ([]Heard, error) {
	w, err := readWAV(path)
	if err != nil {
		return nil, err
	}
	n := int(step * time.Duration(w.rate) / time.Second)
	if n < 1 {
		return nil, fmt.Errorf("esltest: listen: step %v is shorter than a sample", step)
	}
	var heard []Heard
	total := len(w.samples) / w.channels
	for i := 0; i+n <= total; i += n {
		h := Heard{
			From:     time.Duration(i) * time.Second / time.Duration(w.rate),
			To:       time.Duration(i+n) * time.Second / time.Duration(w.rate),
			Channels: w.tonesAt(i, n, tonesHz),
		}
		if last := len(heard) - 1; last >= 0 && slices.EqualFunc(heard[last].Channels, h.Channels, slices.Equal[[]float64]) {
			heard[last].To = h.To
			continue
		}
		heard = append(heard, h)
	}
	return heard, nil
}

// tonesAt finds the tones in n samples from sample i on, for each channel.
func (w *wavFile) tonesAt(i, n int, tonesHz []float64) [][]float64 {
	channels := make([][]float64, w.channels)
	for c := range channels {
		channels[c] = []float64{}
		for _, hz := range tonesHz {
			if w.amplitude(i, n, c, hz) > 300 {
				channels[c] = append(channels[c], hz)
			}
		}
		slices.Sort(channels[c])
	}
	return channels
}

// amplitude is the loudness of a tone, by Goertzel's algorithm.
func (w *wavFile) amplitude(from, n, channel int, hz float64) float64 {
	k := 2 * math.Cos(2*math.Pi*hz/float64(w.rate))
	var a, b float64
	for i := from; i < from+n; i++ {
		a, b = float64(w.samples[i*w.channels+channel])+k*a-b, a
	}
	return math.Sqrt(max(0, a*a+b*b-k*a*b)) / float64(n) * 2
}

// readWAV reads a file of 16-bit PCM, even while it is being written.
func readWAV(path string) (*wavFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	wav, err := sound.Parse(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("esltest: wav: %s: %w", path, err)
	}
	pcm, err := io.ReadAll(wav.Samples())
	if err != nil {
		return nil, fmt.Errorf("esltest: wav: %s: %w", path, err)
	}
	w := &wavFile{channels: wav.Channels, rate: wav.Rate}
	for ; len(pcm) >= 2; pcm = pcm[2:] {
		w.samples = append(w.samples, int16(binary.LittleEndian.Uint16(pcm)))
	}
	return w, nil
}
