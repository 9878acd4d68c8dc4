package recording

import (
	"fmt"
	"slices"
	"time"

	"tapedeck/recording/sound"
)

// longSilent is how long, in ms, a recording stretch is at least that must not be
// digital silence.
const longSilent = 2000

// mismatch is a stretch of a file that does not hold what the spans say.
type mismatch struct {
	code     string // SpeechInPause or Silent
	from, to int64  // ms
}

func (m mismatch) detail() string {
	return fmt.Sprintf("from %s to %s", offset(m.from), offset(m.to))
}

// offset returns a place in a file as people read it.
func offset(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

// mismatches returns the paused stretches that are not silent, and the long recording
// stretches that are.
func mismatches(spans []Span, silences []sound.Silence) []mismatch {
	var found []mismatch
	spans, _ = solid(spans)
	for _, s := range stretches(spans) {
		from, to := s.from+edgeSlack, s.to-s.slackAfter-edgeSlack
		switch {
		case s.silent:
			if gap, ok := firstSound(silences, from, to); ok {
				found = append(found, mismatch{SpeechInPause, gap.FromMS, gap.ToMS})
			}
		case s.to-s.from >= longSilent && covered(silences, from, to):
			found = append(found, mismatch{Silent, s.from, s.to})
		}
	}
	return found
}

// firstSound returns the first stretch within from..to that no silence covers.
func firstSound(silences []sound.Silence, from, to int64) (sound.Silence, bool) {
	for _, r := range silences[after(silences, from):] {
		if r.FromMS > from {
			to = min(to, r.FromMS)
			break
		}
		from = r.ToMS
	}
	return sound.Silence{FromMS: from, ToMS: to}, from < to
}

// covered reports whether one silence after the other covers from..to.
func covered(silences []sound.Silence, from, to int64) bool {
	_, heard := firstSound(silences, from, to)
	return !heard
}

// after returns the index of the first silence that ends after a place.
func after(silences []sound.Silence, at int64) int {
	i, _ := slices.BinarySearchFunc(silences, at, func(r sound.Silence, at int64) int {
		if r.ToMS <= at {
			return -1
		}
		return 1
	})
	return i
}
