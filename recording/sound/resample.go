package sound

import "math"

// reach is how many samples of the slower rate the resampler's filter uses on each
// side: 2 ms at 8000 Hz. That far sound reaches into a pause.
const reach = 16

// resampler converts samples of one channel to another rate, with a windowed sinc.
// Digital silence stays silent, except within the filter's reach of its edges.
type resampler struct {
	up, down int         // up samples come out for down that go in
	phases   [][]float32 // by phase: the filter's taps, the oldest sample's first
	history  []float32   // the input that is still needed
	phase    int
}

// newResampler returns a resampler that also multiplies by gain. Rates are in Hz.
func newResampler(from, to int, gain float64) *resampler {
	g := gcd(from, to)
	r := &resampler{up: to / g, down: from / g}
	cut := min(1, float64(to)/float64(from)) // of the input's Nyquist frequency
	half := int(math.Ceil(reach / cut))
	for phase := range r.up {
		r.phases = append(r.phases, taps(float64(phase)/float64(r.up), half, cut, gain))
	}
	r.history = make([]float32, half-1, 4*half+blockBytes) // silence before the first sample
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// taps returns the filter's taps for a point between two samples, half of them
// before it and half after it. Their sum is gain.
func taps(between float64, half int, cut, gain float64) []float32 {
	all := make([]float64, 2*half)
	sum := 0.0
	for i := range all {
		x := float64(i-half+1) - between
		all[i] = sinc(x*cut) * blackman(x/float64(half))
		sum += all[i]
	}
	out := make([]float32, len(all))
	for i := range all {
		out[i] = float32(all[i] * gain / sum)
	}
	return out
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// blackman is a window from -1 to 1; outside it is 0.
func blackman(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return 0.42 + 0.5*math.Cos(math.Pi*x) + 0.08*math.Cos(2*math.Pi*x)
}

// add converts samples and appends the result to out. The result of the last ones
// comes with the samples that follow, as many as the filter reaches over.
func (r *resampler) add(out []float32, samples []float32) []float32 {
	r.history = append(r.history, samples...)
	length := len(r.phases[0])
	at := 0
	for at+length <= len(r.history) {
		window, sum := r.history[at:at+length], float32(0)
		for i, tap := range r.phases[r.phase] {
			sum += tap * window[i]
		}
		out = append(out, sum)
		r.phase += r.down
		at += r.phase / r.up
		r.phase %= r.up
	}
	rest := copy(r.history, r.history[at:])
	r.history = r.history[:rest]
	return out
}
