// Package sound reads the WAV files that FreeSWITCH records: their format, length
// and silences. It repairs headers that were never finished, and makes waveforms
// and MP3s. It knows nothing of calls and of sidecars, and opens no files.
package sound

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

const (
	minSilence  = 60       // ms: a shorter one is a lost packet, not a pause
	maxSilences = 1 << 20  // in one file; they take 16 MB of memory
	blockBytes  = 64 << 10 // four seconds at 8 kHz: work can be stopped, and its progress is seen, that often
)

// Silence is a stretch in which every sample of every channel is 0.
type Silence struct{ FromMS, ToMS int64 }

// Analysis is what a file holds.
type Analysis struct {
	Bytes      int64
	SHA256     string // hexadecimal, of the whole file
	Channels   int
	Rate       int // Hz
	DurationMS int64
	Silences   []Silence // those of 60 ms and longer, in order
	Truncated  bool      // there are more silences than are listed
	Unfinished bool      // the header does not say how many samples there are
	// Fault says why the file is not 16-bit PCM. Then only Bytes and SHA256 are set.
	Fault string
}

// Analyse reads a file that has size bytes, once and in bounded memory. An error
// means that the file could not be read, or became shorter meanwhile; a file that
// is not 16-bit PCM has a Fault instead.
func Analyse(ctx context.Context, file io.ReaderAt, size int64) (Analysis, error) {
	a := Analysis{Bytes: size}
	wav, fault := Parse(file, size)
	hash := sha256.New()
	finder := silenceFinder{wav: wav}
	if err := eachBlock(ctx, io.NewSectionReader(file, 0, size), size, func(block []byte) {
		hash.Write(block)
		if fault == nil {
			finder.add(block)
		}
	}); err != nil {
		return Analysis{}, err
	}
	a.SHA256 = hex.EncodeToString(hash.Sum(nil))
	if fault != nil {
		a.Fault = fault.Error()
		return a, nil
	}
	finder.close()
	a.Channels, a.Rate, a.Unfinished = wav.Channels, wav.Rate, wav.Unfinished
	a.DurationMS = wav.DurationMS()
	a.Silences, a.Truncated = finder.found, len(finder.found) == maxSilences
	return a, nil
}

// eachBlock passes the first size bytes of r to do, block by block. It is an error
// if r has fewer: somebody cut the file.
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

// silenceFinder finds the silences in a file that it is given block by block.
type silenceFinder struct {
	wav   WAV
	found []Silence

	at      int64  // the offset of the next block in the file
	partial []byte // a frame of which the last block had only the beginning
	frames  int64  // seen so far
	silent  int64  // as many of the last of them are silent
}

// add takes the next block of the file, header included.
func (f *silenceFinder) add(block []byte) {
	from := max(0, f.wav.start-f.at)
	until := min(int64(len(block)), f.wav.start+f.wav.length-f.at)
	f.at += int64(len(block))
	if from >= until {
		return
	}
	block = block[from:until]
	frame := int(f.wav.frameBytes())
	if len(f.partial) > 0 {
		n := min(frame-len(f.partial), len(block))
		f.partial = append(f.partial, block[:n]...)
		block = block[n:]
		if len(f.partial) < frame {
			return
		}
		f.addFrame(f.partial)
		f.partial = f.partial[:0]
	}
	whole := len(block) - len(block)%frame
	for i := 0; i < whole; i += frame {
		f.addFrame(block[i : i+frame])
	}
	f.partial = append(f.partial, block[whole:]...)
}

func (f *silenceFinder) addFrame(frame []byte) {
	for _, b := range frame {
		if b != 0 {
			if f.silent > 0 {
				f.close()
			}
			f.frames++
			return
		}
	}
	f.frames++
	f.silent++
}

// close ends the silence that goes on, if there is one.
func (f *silenceFinder) close() {
	if f.silent*1000 >= minSilence*int64(f.wav.Rate) && len(f.found) < maxSilences {
		f.found = append(f.found, Silence{f.wav.ms(f.frames - f.silent), f.wav.ms(f.frames)})
	}
	f.silent = 0
}
