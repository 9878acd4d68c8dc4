package recording

import (
	"context"
	"fmt"
	"os"
)

// Waveform returns the path of a recording's picture, an SVG beside the WAV, and
// makes it if there is none or if it is older than the WAV, whole or not at all.
// Path is that of one of the recording's files. sound.WAV.WriteWaveform says what
// the picture shows. The error is ErrNoSound for a recording without samples,
// ErrLive for one that is not over, and fs.ErrNotExist for one without a file.
func Waveform(ctx context.Context, shop Workshop, d Dir, path string) (svgPath string, err error) {
	v, err := d.openDerived(path, ".svg")
	if err == nil {
		defer v.close()
		if v.fresh() {
			return v.path, nil
		}
		err = v.create(func(in, out *os.File) error { return shop.Waveform(ctx, in, out) })
	}
	if err != nil {
		return "", fmt.Errorf("recording: waveform: %w", err)
	}
	return v.path, nil
}
