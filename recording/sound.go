package recording

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

const (
	minSilence = 60      // ms: what is shorter is a lost packet, not a pause
	maxRuns    = 1 << 20 // of silence, in one file; they take 16 MB
	blockBytes = 256 << 10
)

// Run is a stretch of digital silence: every sample of every channel is 0.
type Run struct{ FromMS, ToMS int64 }

// Sound is what a file holds.
type Sound struct {
	Bytes      int64
	SHA256     string // hexadecimal
	Channels   int
	Rate       int // Hz
	DurationMS int64
	Silences   []Run // of 60 ms and more, in order
	Unfinished bool  // the header does not say how long the file is
	// Fault says why no sound could be read although the file could; then only
	// Bytes and SHA256 are known.
	Fault string
}

// Listen reads a file once, in bounded memory. It fails if the file cannot be
// read; one that is no WAV of 16 bit PCM has a Fault.
func Listen(ctx context.Context, path string) (Sound, error) {
	f, err := openPlain(path)
	if err != nil {
		return Sound{}, fmt.Errorf("recording: listen: %w", err)
	}
	defer f.Close()
	s, err := listen(ctx, f)
	if err != nil {
		return Sound{}, fmt.Errorf("recording: listen: %s: %w", path, err)
	}
	return s, nil
}

func listen(ctx context.Context, f *os.File) (Sound, error) {
	info, err := f.Stat()
	if err != nil {
		return Sound{}, err
	}
	s := Sound{Bytes: info.Size()}
	l, fault := readLayout(f, s.Bytes)
	hash := sha256.New()
	ear := ear{layout: l, sound: &s}
	if err := eachBlock(ctx, f, s.Bytes, func(block []byte) {
		hash.Write(block)
		if fault == nil {
			ear.hear(block)
		}
	}); err != nil {
		return Sound{}, err
	}
	s.SHA256 = hex.EncodeToString(hash.Sum(nil))
	if fault != nil {
		s.Fault = fault.Error()
		return s, nil
	}
	ear.close()
	s.Channels, s.Rate, s.Unfinished = l.channels, l.rate, l.unfinished
	s.DurationMS = l.ms(l.length / l.frame())
	return s, nil
}

// eachBlock gives the first size bytes of r to do, piece by piece. Fewer are an
// error: somebody cuts the file meanwhile.
func eachBlock(ctx context.Context, r io.Reader, size int64, do func([]byte)) error {
	buf := make([]byte, min(size, blockBytes))
	for left := size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		block := buf[:min(left, int64(len(buf)))]
		if _, err := io.ReadFull(r, block); err != nil {
			return err
		}
		do(block)
		left -= int64(len(block))
	}
	return nil
}

// ear finds the silences in a file that is given to it in blocks.
type ear struct {
	layout
	sound *Sound

	at     int64  // where the next block begins in the file
	part   []byte // the frame that the last block broke off in
	frames int64  // heard so far
	silent int64  // as many of them, at the end, are silent
}

func (e *ear) hear(block []byte) {
	from := max(0, e.data-e.at)
	until := min(int64(len(block)), e.data+e.length-e.at)
	e.at += int64(len(block))
	if from >= until {
		return
	}
	block = block[from:until]
	frame := int(e.frame())
	if len(e.part) > 0 {
		n := min(frame-len(e.part), len(block))
		e.part = append(e.part, block[:n]...)
		block = block[n:]
		if len(e.part) < frame {
			return
		}
		e.next(e.part)
		e.part = e.part[:0]
	}
	whole := len(block) - len(block)%frame
	for i := 0; i < whole; i += frame {
		e.next(block[i : i+frame])
	}
	e.part = append(e.part, block[whole:]...)
}

// next hears one frame.
func (e *ear) next(frame []byte) {
	for _, b := range frame {
		if b != 0 {
			if e.silent > 0 {
				e.close()
			}
			e.frames++
			return
		}
	}
	e.frames++
	e.silent++
}

// close ends the silence that is being heard.
func (e *ear) close() {
	if e.silent*1000 >= minSilence*int64(e.rate) && len(e.sound.Silences) < maxRuns {
		e.sound.Silences = append(e.sound.Silences, Run{e.ms(e.frames - e.silent), e.ms(e.frames)})
	}
	e.silent = 0
}
