package esltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	rate         = 8000
	frameSamples = rate / 50 // of one RTP packet, 20 ms
	headBytes    = 44        // before a WAV file's samples
	blockBytes   = 1 << 16   // what FreeSWITCH writes at a time (SWITCH_DEFAULT_FILE_BUFFER_LEN)
)

// tape is the file of a recording as FreeSWITCH and libsndfile write it: it grows in
// whole blocks, and its header says that it is empty until it is closed.
type tape struct {
	path   string
	width  int  // channels
	mixed  bool // both parties are in each of two channels
	limit  func(path string) (bytes int64, limited bool)
	file   *os.File
	size   int64  // of the file
	block  []byte // not written yet
	failed error  // the first error of writing a block; the content of such a block is lost
}

// open creates the file and its directories. The path must be absolute and end in
// .wav. A full disk leaves an empty file.
func (t *tape) open() error {
	if !filepath.IsAbs(t.path) || filepath.Ext(t.path) != ".wav" {
		return fmt.Errorf("no file format for %s", t.path)
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(t.path)
	if err != nil {
		return err
	}
	t.file, t.block = file, make([]byte, 0, blockBytes)
	if err := t.write(t.header(0)); err != nil {
		file.Close()
		return err
	}
	return nil
}

// header returns the 44 bytes before so many bytes of samples. For none, its RIFF
// length is 8, as libsndfile writes it at first.
func (t *tape) header(samples int64) []byte {
	riff := uint32(8)
	if samples > 0 {
		riff = uint32(samples + headBytes - 8)
	}
	frame := uint16(2 * t.width)
	b := append(make([]byte, 0, headBytes), "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, riff)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, uint16(t.width))
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(frame))
	b = binary.LittleEndian.AppendUint16(b, frame)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, uint32(samples))
}

// add adds samples of the leg's own tone and of those that it hears, and writes the
// blocks that they fill. first is the first sample's number since the switch's clock
// began. After an error it still adds the remaining samples.
func (t *tape) add(own int, heard []int, first, samples int) (err error) {
	a, h := toneOf(own), make([]*[rate]int16, len(heard))
	for i, hz := range heard {
		h[i] = toneOf(hz)
	}
	for i := first; i < first+samples; i++ {
		x, y := a[i%rate], int16(0)
		for _, tone := range h {
			y += tone[i%rate]
		}
		if t.mixed {
			x, y = x+y, x+y
		}
		if t.width == 1 {
			t.block = binary.LittleEndian.AppendUint16(t.block, uint16(x+y))
		} else {
			t.block = binary.LittleEndian.AppendUint16(t.block, uint16(x))
			t.block = binary.LittleEndian.AppendUint16(t.block, uint16(y))
		}
		if len(t.block) == blockBytes {
			err = errors.Join(err, t.flush())
		}
	}
	return err
}

// flush writes the present block, even if it is not full.
func (t *tape) flush() error {
	err := t.write(t.block)
	t.block = t.block[:0]
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// write appends to the file as much as fits on the disk.
func (t *tape) write(b []byte) error {
	fits := b
	limit, limited := t.limit(t.path)
	if limited {
		fits = b[:max(0, min(int64(len(b)), limit-t.size))]
	}
	n, err := t.file.Write(fits)
	t.size += int64(n)
	if err == nil && len(fits) < len(b) {
		err = errFull
	}
	return err
}

// finish writes what is left, completes the header and closes the file. FreeSWITCH
// reports no error of this last write (switch_core_file_pre_close).
func (t *tape) finish() error {
	err := t.write(t.block)
	if samples := t.size - headBytes; samples > 0 {
		_, headErr := t.file.WriteAt(t.header(samples), 0)
		err = errors.Join(err, headErr)
	}
	return errors.Join(err, t.file.Close())
}

// abandon closes the file as the end of the process does.
func (t *tape) abandon() error { return t.file.Close() }

// sizeOnDisk returns the size of the file at the path, and whether there is one.
func (t *tape) sizeOnDisk() (int64, bool) {
	info, err := os.Stat(t.path)
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// framesToBlock is how many packets come before the n-th block is written.
func (t *tape) framesToBlock(n int) int {
	frame := frameSamples * 2 * t.width
	return (n*blockBytes + frame - 1) / frame
}
