package files

import (
	"errors"
	"io/fs"

	"tapedeck/recording"
)

// Growth is what the watchdog has seen of a file so far.
type Growth struct {
	bytes int64
	still int // number of looks since the file last grew
}

// How many looks it takes before a missing file, or one that does not grow, is a
// problem.
const (
	missingLooks = 2 // FreeSWITCH may report a file a little before it makes it
	stillLooks   = 3
)

// Rest takes one look at a file that need not grow now: FreeSWITCH writes nothing to it
// while its call waits.
func (g *Growth) Rest(bytes int64) { *g = Growth{bytes: bytes} }

// Look takes one look at a file that should grow: its size in bytes, or the error.
// It returns recording.FileMissing, recording.NotGrowing or "". An error other than
// fs.ErrNotExist says nothing about the file and changes nothing.
func (g *Growth) Look(bytes int64, err error) (problem string) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		g.still++
		if g.still >= missingLooks {
			return recording.FileMissing
		}
	case err != nil:
	case bytes != g.bytes:
		*g = Growth{bytes: bytes}
	default:
		g.still++
		if g.still >= stillLooks {
			return recording.NotGrowing
		}
	}
	return ""
}
