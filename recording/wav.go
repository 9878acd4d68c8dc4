package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// A WAV file is "RIFF", a size, "WAVE", and chunks: a name of four letters, a
// size, and that many bytes, filled up to an even number. FreeSWITCH (libsndfile)
// begins with the sizes 8 and 0 and writes the true ones when it closes the file.
const (
	riffHead    = 12
	chunkHead   = 8
	maxChunks   = 1000
	maxChannels = 32
	maxRate     = 768_000 // Hz

	formatPCM        = 1
	formatExtensible = 0xFFFE
	sampleBytes      = 2
)

// layout is where the sound is in a WAV file of 16 bit PCM.
type layout struct {
	channels, rate int
	data           int64 // where the samples begin
	length         int64 // how many bytes of samples are there, whole frames only
	unfinished     bool  // the header says otherwise
}

func (l layout) frame() int64 { return int64(l.channels) * sampleBytes }

// ms is a number of frames in milliseconds, rounded.
func (l layout) ms(frames int64) int64 {
	rate := int64(l.rate)
	return frames/rate*1000 + (frames%rate*1000+rate/2)/rate
}

// chunk is a chunk's name and the size that it says it has.
type chunk struct {
	name string
	size int64
	body int64 // where its bytes begin
}

func (c chunk) next() int64 { return c.body + c.size + c.size%2 }

func chunkAt(r io.ReaderAt, at int64) (chunk, error) {
	var b [chunkHead]byte
	if n, err := r.ReadAt(b[:], at); n < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return chunk{}, err
	}
	return chunk{string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:])), at + chunkHead}, nil
}

// readLayout reads the header of a WAV file that has size bytes. No size in it is
// believed.
func readLayout(r io.ReaderAt, size int64) (layout, error) {
	var l layout
	var head [riffHead]byte
	if n, err := r.ReadAt(head[:], 0); n < len(head) && err != io.EOF {
		return l, err
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return l, errors.New("it is no WAV file")
	}
	at := int64(riffHead)
	for range maxChunks {
		if at+chunkHead > size {
			return l, errors.New("its header ends before the samples")
		}
		c, err := chunkAt(r, at)
		if err != nil {
			return l, err
		}
		switch {
		case c.name == "fmt ":
			err = l.readFormat(r, c)
		case c.name == "data" && l.channels == 0:
			err = errors.New("the samples begin before their format")
		case c.name == "data":
			return l, l.measure(r, c, size)
		}
		if err != nil {
			return l, err
		}
		at = c.next()
	}
	return l, fmt.Errorf("it has more than %d chunks before the samples", maxChunks)
}

func (l *layout) readFormat(r io.ReaderAt, c chunk) error {
	var b [26]byte
	want := min(int64(len(b)), c.size)
	if n, err := r.ReadAt(b[:want], c.body); int64(n) < want && err != io.EOF {
		return err
	}
	kind, bits := binary.LittleEndian.Uint16(b[:]), binary.LittleEndian.Uint16(b[14:])
	if kind == formatExtensible {
		kind = binary.LittleEndian.Uint16(b[24:])
	}
	channels, rate := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	if want < 16 || kind != formatPCM || bits != 8*sampleBytes || channels < 1 || channels > maxChannels || rate < 1 || rate > maxRate {
		return fmt.Errorf("format %d of %d bits, %d channels, %d Hz: only PCM of 16 bits is read", kind, bits, channels, rate)
	}
	l.channels, l.rate = channels, int(rate)
	return nil
}

// measure finds how many samples there really are, from the data chunk on.
func (l *layout) measure(r io.ReaderAt, data chunk, size int64) error {
	there := size - data.body
	whole := there - there%l.frame()
	l.data, l.length = data.body, whole
	switch {
	case data.size > there:
		l.unfinished = true
		return nil
	case data.size >= whole: // what is left over at the end is no whole frame
		l.length = whole
	default:
		chunks, err := onlyChunks(r, data.next(), size)
		if err != nil {
			return err
		}
		if !chunks {
			l.unfinished = true
			return nil
		}
		l.length = data.size - data.size%l.frame()
	}
	if l.length == 0 {
		riff, err := chunkAt(r, 0)
		l.unfinished = riff.size+chunkHead < data.body
		return err
	}
	return nil
}

// onlyChunks reports whether a file has nothing but chunks from a place to its
// end; samples that the header knows nothing of are none.
func onlyChunks(r io.ReaderAt, at, size int64) (bool, error) {
	for range maxChunks {
		if at >= size {
			return true, nil
		}
		if at+chunkHead > size {
			return false, nil
		}
		c, err := chunkAt(r, at)
		if err != nil {
			return false, err
		}
		for _, letter := range []byte(c.name) {
			if letter < ' ' || letter > '~' {
				return false, nil
			}
		}
		if c.body+c.size > size {
			return false, nil
		}
		at = c.next()
	}
	return false, nil
}

// Repair writes the true sizes into the header of a WAV file that was never
// finished, in place; nothing else of it changes. It reports whether that was
// needed. FreeSWITCH must have let go of the file.
func Repair(path string) (repaired bool, err error) {
	f, err := openPlain(path)
	if err != nil {
		return false, fmt.Errorf("recording: repair: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("recording: repair: %w", err)
	}
	l, err := readLayout(f, info.Size())
	if err != nil {
		return false, fmt.Errorf("recording: repair %s: %w", path, err)
	}
	if !l.unfinished {
		return false, nil
	}
	if err := writeSizes(path, l); err != nil {
		return false, fmt.Errorf("recording: repair: %w", err)
	}
	return true, nil
}

// writeSizes writes the sizes of what is there. Up to a frame less a byte may be
// left over at the end, which belongs to nothing.
func writeSizes(path string, l layout) error {
	end := l.data + l.length
	if end-chunkHead > math.MaxUint32 {
		return fmt.Errorf("%s has %d bytes: more than a WAV file's header can say", path, end)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	var data, riff [4]byte
	binary.LittleEndian.PutUint32(data[:], uint32(l.length))
	binary.LittleEndian.PutUint32(riff[:], uint32(end-chunkHead))
	_, err = f.WriteAt(data[:], l.data-4)
	if err == nil {
		_, err = f.WriteAt(riff[:], 4)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
