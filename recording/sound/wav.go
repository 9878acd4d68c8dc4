package sound

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A WAV file is "RIFF", a size, "WAVE", and chunks: a name of four letters, a
// size, and that many bytes, padded to an even number. FreeSWITCH (libsndfile)
// first writes the sizes 8 and 0, and the true ones when it closes the file.
const (
	riffHead    = 12 // bytes
	chunkHead   = 8  // bytes
	maxChunks   = 1000
	maxChannels = 32
	maxRate     = 768_000 // Hz

	formatPCM        = 1
	formatExtensible = 0xFFFE
	sampleBytes      = 2
)

// WAV is a WAV file of 16-bit PCM whose header has been read. It does not own the
// file: whoever opened it closes it.
type WAV struct {
	Channels   int
	Rate       int  // Hz
	Unfinished bool // the header does not say how many samples there are

	file   io.ReaderAt
	start  int64 // the offset of the first sample
	length int64 // bytes of samples, whole frames only
}

// Parse reads the header of a WAV file that has size bytes. It believes no size
// that the header gives: an unfinished file has the samples that are really there.
// An error says why the file is not 16-bit PCM, or that it could not be read.
func Parse(file io.ReaderAt, size int64) (WAV, error) {
	w := WAV{file: file}
	var head [riffHead]byte
	if n, err := file.ReadAt(head[:], 0); n < len(head) && err != io.EOF {
		return w, err
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return w, errors.New("it is no WAV file")
	}
	at := int64(riffHead)
	for range maxChunks {
		if at+chunkHead > size {
			return w, errors.New("its header ends before the samples")
		}
		c, err := readChunk(file, at)
		if err != nil {
			return w, err
		}
		switch {
		case c.name == "fmt ":
			err = w.readFormat(c)
		case c.name == "data" && w.Channels == 0:
			err = errors.New("the samples begin before their format")
		case c.name == "data":
			return w, w.findSamples(c, size)
		}
		if err != nil {
			return w, err
		}
		at = c.end()
	}
	return w, fmt.Errorf("it has more than %d chunks before the samples", maxChunks)
}

// Frames returns the number of frames, each of which is one sample of every channel.
func (w WAV) Frames() int64 { return w.length / w.frameBytes() }

// DurationMS returns how long the file plays, in milliseconds, rounded.
func (w WAV) DurationMS() int64 { return w.ms(w.Frames()) }

// Samples returns a reader of the samples, interleaved, little endian.
func (w WAV) Samples() io.Reader { return io.NewSectionReader(w.file, w.start, w.length) }

func (w WAV) frameBytes() int64 { return int64(w.Channels) * sampleBytes }

// ms converts a number of frames to milliseconds, rounded.
func (w WAV) ms(frames int64) int64 {
	rate := int64(w.Rate)
	return frames/rate*1000 + (frames%rate*1000+rate/2)/rate
}

// chunk is the head of a chunk.
type chunk struct {
	name string
	size int64 // as the head says
	body int64 // the offset of its bytes
}

// end is the offset at which the next chunk begins.
func (c chunk) end() int64 { return c.body + c.size + c.size%2 }

func readChunk(r io.ReaderAt, at int64) (chunk, error) {
	var b [chunkHead]byte
	if n, err := r.ReadAt(b[:], at); n < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return chunk{}, err
	}
	return chunk{string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:])), at + chunkHead}, nil
}

func (w *WAV) readFormat(c chunk) error {
	var b [26]byte
	want := min(int64(len(b)), c.size)
	if n, err := w.file.ReadAt(b[:want], c.body); int64(n) < want && err != io.EOF {
		return err
	}
	kind, bits := binary.LittleEndian.Uint16(b[:]), binary.LittleEndian.Uint16(b[14:])
	if kind == formatExtensible {
		kind = binary.LittleEndian.Uint16(b[24:])
	}
	channels, rate := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	if want < 16 || kind != formatPCM || bits != 8*sampleBytes || channels < 1 || channels > maxChannels || rate < 1 || rate > maxRate {
		return fmt.Errorf("format %d of %d bits, %d channels, %d Hz: only PCM of 16 bits can be read", kind, bits, channels, rate)
	}
	w.Channels, w.Rate = channels, int(rate)
	return nil
}

// findSamples finds how many samples there really are, from the data chunk on.
func (w *WAV) findSamples(data chunk, size int64) error {
	available := size - data.body
	whole := available - available%w.frameBytes()
	w.start, w.length = data.body, whole
	switch {
	case data.size > available:
		w.Unfinished = true
		return nil
	case data.size >= whole: // what is left over at the end is no whole frame
		w.length = whole
	default:
		chunks, err := onlyChunks(w.file, data.end(), size)
		if err != nil {
			return err
		}
		if !chunks {
			w.Unfinished = true
			return nil
		}
		w.length = data.size - data.size%w.frameBytes()
	}
	if w.length == 0 {
		riff, err := readChunk(w.file, 0)
		w.Unfinished = riff.size+chunkHead < data.body
		return err
	}
	return nil
}

// onlyChunks reports whether the file consists of chunks from an offset to its
// end. Samples that the header does not count are no chunks.
func onlyChunks(r io.ReaderAt, at, size int64) (bool, error) {
	for range maxChunks {
		if at >= size {
			return true, nil
		}
		if at+chunkHead > size {
			return false, nil
		}
		c, err := readChunk(r, at)
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
		at = c.end()
	}
	return false, nil
}

// ReaderWriterAt is a file that can be repaired in place.
type ReaderWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// Repair writes the true sizes into the header of an unfinished WAV file that has
// size bytes, in place, and changes nothing else. It reports whether that was
// needed. Nobody else may be writing the file: FreeSWITCH must have closed it. The
// caller syncs it.
func Repair(file ReaderWriterAt, size int64) (repaired bool, err error) {
	w, err := Parse(file, size)
	if err != nil || !w.Unfinished {
		return false, err
	}
	end := w.start + w.length // less than a frame may follow, which belongs to nothing
	if end-chunkHead > math.MaxUint32 {
		return false, fmt.Errorf("it has %d bytes: more than a WAV header can say", end)
	}
	var data, riff [4]byte
	binary.LittleEndian.PutUint32(data[:], uint32(w.length))
	binary.LittleEndian.PutUint32(riff[:], uint32(end-chunkHead))
	if _, err = file.WriteAt(data[:], w.start-4); err == nil {
		_, err = file.WriteAt(riff[:], 4)
	}
	return err == nil, err
}
