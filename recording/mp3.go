package recording

import (
	"context"
	"errors"
	"time"
)

// ErrNoSound is of a recording whose file holds nothing that a picture or an MP3
// could be made of.
var ErrNoSound = errors.New("it holds no sound that can be read")

// Tags is what an MP3 says of itself. Empty ones are left out.
type Tags struct {
	Title   string
	Date    time.Time
	Album   string
	Comment string
}

// MP3 makes the MP3 of a recording.
func MP3(ctx context.Context, d Dir, wavPath string, tags Tags) (path string, err error) {
	return "", ErrNoSound
}
