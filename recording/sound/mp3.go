package sound

import (
	"bufio"
	"context"
	"fmt"
	"io"

	shine "github.com/braheezy/shine-mp3/pkg/mp3"
)

// The encoder (shine-mp3 v0.2.0), measured: a decoder returns each sample 1057
// samples later, as with any encoder that has this filter bank, and 9/8 as loud.
// The encoder keeps up to 3 bytes back at the end. Its Write leaves out half of the
// samples of a stereo file, so frames are passed to it one by one.
//
// Everything is encoded at one rate, 48 kHz. There the delay and the padding of
// the last frame together are less than 50 ms, so a player that does not know the
// Info frame shows a length that is right within that; and the encoder's noise
// reaches no further than 22 ms into a pause. At 8000 Hz (MPEG-2.5, which few
// players support) the delay and the noise would be six times as long.
const (
	mp3Rate      = 48_000 // Hz
	frameSamples = 1152   // of one channel
	encoderDelay = 528    // samples
	decoderDelay = 529    // samples
	encoderGain  = 9.0 / 8

	// monoSurplus is by how many bytes the encoder's mono frames are longer than it
	// was told: it counts the side information of MPEG-2.
	monoSurplus = 17 - 9
)

// mp3Rates are the rates of files that can be encoded, in Hz, with the bit rate of
// one channel, in bit/s.
var mp3Rates = map[int]int{
	8000: 64_000, 11025: 64_000, 12000: 64_000, 16000: 96_000,
	22050: 128_000, 24000: 128_000, 32000: 128_000, 44100: 128_000, 48000: 128_000,
}

// bitRateIndex is how a frame's header writes a bit rate (ISO 11172-3, 2.4.2.3).
var bitRateIndex = map[int]int{64_000: 5, 96_000: 7, 128_000: 9, 192_000: 11, 256_000: 13}

// MP3 is an MP3 that can be made of a WAV file. Its size is known before it is made.
// It plays as long as the WAV, to the sample, in players that know an Info frame, as
// browsers do.
type MP3 struct {
	wav     WAV
	bitRate int
	samples int64 // of one channel, without delay and padding
	frames  int64 // without the Info frame
}

// NewMP3 plans the MP3 of a WAV file. It fails for more than two channels and for
// rates that are not encoded.
func NewMP3(w WAV) (MP3, error) {
	rate := mp3Rates[w.Rate]
	if rate == 0 || w.Channels > 2 {
		return MP3{}, fmt.Errorf("%d channels of %d Hz cannot become an MP3", w.Channels, w.Rate)
	}
	samples := (w.Frames()*mp3Rate + int64(w.Rate)/2) / int64(w.Rate)
	return MP3{w, rate * w.Channels, samples,
		(samples + encoderDelay + decoderDelay + frameSamples - 1) / frameSamples}, nil
}

// MP3File is what an MP3 is written to: it is written from its beginning, and the
// Info frame, which has a checksum of the frames after it, once more at the end.
type MP3File interface {
	io.Writer
	io.WriterAt
}

// Write encodes the WAV and writes the whole file: tags, Info frame, frames.
func (m MP3) Write(ctx context.Context, out MP3File, tags Tags) error {
	head := tags.id3()
	if _, err := out.Write(append(head, m.infoFrame(0)...)); err != nil {
		return err
	}
	sum := &checksum{}
	buffered := bufio.NewWriterSize(io.MultiWriter(out, sum), blockBytes)
	if err := m.encode(ctx, buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err := out.WriteAt(m.infoFrame(sum.sum), int64(len(head)))
	return err
}

// checksum is the CRC of what was written to it.
type checksum struct{ sum uint16 }

func (c *checksum) Write(p []byte) (int, error) {
	c.sum = crc16(c.sum, p)
	return len(p), nil
}

// frameBytes is the size of every frame.
func (m MP3) frameBytes() int { return frameSamples / 8 * m.bitRate / mp3Rate }

// padding is how many samples a decoder returns at the end that were not in the
// WAV, as an Info frame counts them.
func (m MP3) padding() int64 { return m.frames*frameSamples - encoderDelay - m.samples }

// frameHeader is the beginning of every frame: MPEG-1, layer III, no checksum,
// 48 kHz, no padding, an original.
func (m MP3) frameHeader() [4]byte {
	mode := byte(0) // stereo
	if m.wav.Channels == 1 {
		mode = 3
	}
	return [4]byte{0xff, 0xfb, byte(bitRateIndex[m.bitRate])<<4 | 1<<2, mode<<6 | 1<<2}
}

func (m MP3) newEncoder() *shine.Encoder {
	e := shine.NewEncoder(mp3Rate, m.wav.Channels)
	e.Mpeg.Bitrate, e.Mpeg.BitrateIndex = int64(m.bitRate/1000), int64(bitRateIndex[m.bitRate])
	e.Mpeg.WholeSlotsPerFrame, e.Mpeg.FracSlotsPerFrame, e.Mpeg.SlotLag, e.Mpeg.Padding = int64(m.frameBytes()), 0, 0, 0
	if m.wav.Channels == 1 {
		e.Mpeg.WholeSlotsPerFrame -= monoSurplus
	}
	return e
}
