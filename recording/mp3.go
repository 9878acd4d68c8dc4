package recording

import (
	"context"
	"fmt"
	"os"
	"strings"

	"tapedeck/internal/tidy"
	"tapedeck/recording/sound"
)

// encoders is how many MP3s this process makes at once. Each keeps one processor
// busy.
const encoders = 2

var encoding = newLimiter(encoders)

// MP3 returns the path of a recording's MP3, beside the WAV, and makes it if there
// is none or if it is older than the WAV, whole or not at all. Path is that of one
// of the recording's files. The WAV stays as it is. An existing MP3 keeps the tags
// that it was made with. The error is ErrNoSound for a recording that cannot become
// an MP3, ErrLive for one that is not over, and fs.ErrNotExist for one without a
// file.
//
// The end of ctx ends the wait for a free encoder. Once encoding has begun, only
// the end of until stops it: whoever could not wait finds the MP3 at the next
// attempt.
func MP3(ctx, until context.Context, d Dir, path string, s Sidecar) (mp3Path string, err error) {
	v, err := d.openDerived(path, ".mp3")
	if err == nil {
		defer v.close()
		err = v.mp3(ctx, until, tagsOf(s))
	}
	if err != nil {
		return "", fmt.Errorf("recording: MP3: %w", err)
	}
	return v.path, nil
}

func (v *derived) mp3(ctx, until context.Context, tags sound.Tags) error {
	if v.fresh() {
		return nil
	}
	done, err := encoding.acquire(ctx, v.path)
	if err != nil {
		return err
	}
	defer done()
	if v.fresh() { // whoever was before us made it
		return nil
	}
	return v.create(until, func(out *os.File, wav sound.WAV) error {
		m, err := sound.NewMP3(wav)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNoSound, err)
		}
		return m.Write(until, out, tags)
	})
}

// tagsOf is how a recording's MP3 describes itself.
func tagsOf(s Sidecar) sound.Tags {
	title := s.Direction + " call"
	if s.External != "" {
		title += ", " + s.External
	}
	if len(s.Users) > 0 {
		title += ", " + strings.Join(s.Users, ", ")
	}
	return sound.Tags{
		Title: tidy.Text(title, maxReason), Date: tidy.Time(s.Started),
		Album: tidy.Text(s.Organisation, maxReason), Comment: tidy.Text("recording "+s.ID(), maxReason),
	}
}
