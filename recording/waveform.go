package recording

import "context"

// Waveform makes the picture of a recording.
func Waveform(ctx context.Context, d Dir, wavPath string) (svgPath string, err error) {
	return "", ErrNoSound
}
