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

// tape is the file of a recording as FreeSWITCH and libsndfile keep it: it grows
// by whole blocks, and its header says that it is empty until it is closed.
type tape struct {
	path   string
	width  int // channels
	limit  func(path string) (bytes int64, limited bool)
	file   *os.File
	size   int64  // of the file
	block  []byte // not written yet
	failed error  // the first that writing a block met; what was in that block is lost
}

// open creates the file; directories are created. Only absolute paths that end in
// .wav have a format here. A full disk leaves an empty file.
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

// header is the 44 bytes before so many bytes of samples; for none it says 8, as
// libsndfile does while it writes.
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

// add takes samples of the two tones, from a place in the switch's time, and
// writes the blocks that they fill. An error is that of a block; the samples
// after it are taken all the same.
func (t *tape) add(own, heard, first, samples int) (err error) {
	a, h := toneOf(own), toneOf(heard)
	for i := first; i < first+samples; i++ {
		x, y := a[i%rate], h[i%rate]
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

// flush writes the block as far as it is filled.
func (t *tape) flush() error {
	err := t.write(t.block)
	t.block = t.block[:0]
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// write adds to the file as much as there is room for.
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

// finish writes what is left, completes the header and closes the file. What the
// last write meets is not told to anybody (switch_core_file_pre_close).
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

// listed is the size that the path has, and whether there is anything.
func (t *tape) listed() (int64, bool) {
	info, err := os.Stat(t.path)
	if err != nil {
		return 0, false
	}
	return info.Size(), true
}

// framesToBlock is after how many packets the n-th block is written.
func (t *tape) framesToBlock(n int) int {
	frame := frameSamples * 2 * t.width
	return (n*blockBytes + frame - 1) / frame
}
