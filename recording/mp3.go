package recording

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
)

// encoders is how many MP3s are made at once, in this process: each keeps one
// processor busy.
const encoders = 2

var encoding = newTurns(encoders)

// MP3 is the path of a recording's MP3, which is made if there is none, or if it
// is older than the sound: beside it, whole or not at all. Path is that of one of
// the recording's files; the WAV itself stays as it is. An MP3 that is there keeps
// the tags that it was made with. It plays as long as the WAV to the sample, in
// whatever knows an Info frame: browsers do. ErrNoSound is of a recording that is
// not made into an MP3, ErrLive of one that is not over, fs.ErrNotExist of one
// without a file.
//
// Ctx ends the waiting for a turn. Once it is being made, only until ends that:
// whoever could not wait finds it at the next attempt.
func MP3(ctx, until context.Context, d Dir, path string, tags Tags) (mp3Path string, err error) {
	v, err := d.derivation(path, ".mp3")
	if err == nil {
		defer v.close()
		err = v.mp3(ctx, until, tags)
	}
	if err != nil {
		return "", fmt.Errorf("recording: MP3: %w", err)
	}
	return v.path(), nil
}

func (v *derivation) mp3(ctx, until context.Context, tags Tags) error {
	if v.fresh() {
		return nil
	}
	done, err := encoding.take(ctx, v.path())
	if err != nil {
		return err
	}
	defer done()
	if v.fresh() { // by whoever had the turn before
		return nil
	}
	return v.make(until, func(out, wav *os.File, l layout) error {
		f, err := formOf(l)
		if err != nil {
			return err
		}
		return f.write(until, out, tags.id3(), wav, l)
	})
}

// write writes the file: tags, Info frame, frames. What the Info frame says of the
// frames is known at last.
func (f mp3Form) write(ctx context.Context, out *os.File, tag []byte, wav *os.File, l layout) error {
	if _, err := out.Write(append(tag, f.info(0)...)); err != nil {
		return err
	}
	sum := &checksum{}
	buffered := bufio.NewWriterSize(io.MultiWriter(out, sum), blockBytes)
	if err := f.encode(ctx, buffered, wav, l); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err := out.WriteAt(f.info(sum.sum), int64(len(tag)))
	return err
}

// checksum is that of what was written to it.
type checksum struct{ sum uint16 }

func (c *checksum) Write(p []byte) (int, error) {
	c.sum = crc16(c.sum, p)
	return len(p), nil
}
