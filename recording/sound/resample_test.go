package sound

import (
	"math"
	"testing"
)

// resampled resamples samples piece by piece.
func resampled(from, to int, in []float32, piece int) (out []float32) {
	r := newResampler(from, to, 1)
	in = append(in, make([]float32, 1000)...)
	for len(in) > 0 {
		n := min(piece, len(in))
		out = r.add(out, in[:n])
		in = in[n:]
	}
	return out
}

// TestResampler: a tone keeps its time, level and pitch; tones that the other rate
// cannot hold are gone; and the result does not depend on the pieces.
func TestResampler(t *testing.T) {
	for from := range mp3Rates {
		for _, to := range []int{mp3Rate, 8000} {
			for _, hz := range []float64{100, 1000, 3000, 0.45 * float64(from)} {
				in := make([]float32, from/5)
				for i := range in {
					in[i] = float32(10_000 * math.Sin(2*math.Pi*hz*float64(i)/float64(from)))
				}
				out := resampled(from, to, in, 777)
				var noise, loudest float64
				for i := to / 20; i < to*3/20; i++ { // not at the edges
					want := 10_000 * math.Sin(2*math.Pi*hz*float64(i)/float64(to))
					noise = max(noise, math.Abs(want-float64(out[i])))
					loudest = max(loudest, math.Abs(float64(out[i])))
				}
				switch nyquist := float64(min(from, to)) / 2; {
				case hz <= 0.8*nyquist && noise > 100: // 40 dB
					t.Errorf("%d to %d Hz: a tone of %.0f Hz is wrong by %.0f", from, to, hz, noise)
				case hz >= 1.3*nyquist && loudest > 100:
					t.Errorf("%d to %d Hz: of a tone of %.0f Hz %.0f is left", from, to, hz, loudest)
				}
				if hz != 1000 {
					continue
				}
				for i, v := range resampled(from, to, in, 1) {
					if v != out[i] {
						t.Fatalf("%d to %d Hz: sample %d is %f, in pieces %f", from, to, i, out[i], v)
					}
				}
			}
		}
	}
}

// TestResamplerSilence: silence stays silent, except for 2 ms at its edges.
func TestResamplerSilence(t *testing.T) {
	for from := range mp3Rates {
		in := make([]float32, from)
		for i := range in {
			if i < from/4 || i >= from*3/4 {
				in[i] = float32(20_000 - i%3*20_000)
			}
		}
		const edge = mp3Rate * 21 / 10_000
		for i, v := range resampled(from, mp3Rate, in, 4000)[mp3Rate/4+edge : mp3Rate*3/4-edge] {
			if v != 0 {
				t.Errorf("%d Hz: sample %d of the pause is %f", from, i, v)
				break
			}
		}
	}
}
