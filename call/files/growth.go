package files

import (
	"errors"
	"io/fs"

	"tapedeck/recording"
)

// Growth is what was seen of a file on the disk, look by look.
type Growth struct {
	bytes int64
	still int // looks since it last grew
}

// Looks at a file before what they show is a problem.
const (
	missingLooks = 2 // FreeSWITCH may make the file a little later than it says so
	stillLooks   = 3
)

// Look takes one look at a file that should grow: its size in bytes, or why there
// is none. It returns recording.FileMissing, recording.NotGrowing or "". An error
// that is the disk's and not the file's says nothing.
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
