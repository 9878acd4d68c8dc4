package esltest

import (
	"math"
	"sync"
)

const loudness = 8000 // the peak of a tone; the sum of two fits into 16 bits

var (
	tonesMu sync.Mutex
	tones   = map[int]*[rate]int16{0: new([rate]int16)}
)

// noPackets is the tone of a leg from which no packets come. FreeSWITCH writes
// samples of -1 then, unlike the zeros of a mask (switch_core_media_bug_read).
const noPackets = -1

// toneOf returns one second of a tone, which can be repeated: a whole number of
// waves fits into it.
func toneOf(hz int) *[rate]int16 {
	tonesMu.Lock()
	defer tonesMu.Unlock()
	if t, ok := tones[hz]; ok {
		return t
	}
	t := new([rate]int16)
	for i := range t {
		if hz == noPackets {
			t[i] = -1
			continue
		}
		t[i] = int16(loudness * math.Sin(2*math.Pi*float64(hz)*float64(i)/rate))
	}
	tones[hz] = t
	return t
}
