package recording

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	shine "github.com/braheezy/shine-mp3/pkg/mp3"
)

// The encoder (shine-mp3 v0.2.0), measured: what it is fed comes out of a decoder
// 1057 samples later, as from any encoder with this filter bank, and 9/8 as loud.
// It keeps up to 3 bytes back at the end. Its Write leaves out half of the samples
// of a stereo file, so frames are fed one by one.
//
// Everything is encoded at one rate, 48 kHz. At it the delay, and what fills up
// the last frame, together are less than 50 ms, so also a player that knows no Info
// frame shows a length that is right within that; and the noise of the encoder
// reaches no further than 22 ms into a pause. At 8000 Hz (MPEG-2.5, which few
// players expect) the delay and that noise would be six times as long.
const (
	mp3Rate      = 48_000 // Hz
	frameSamples = 1152   // of one channel
	encoderDelay = 528    // samples
	decoderDelay = 529    // samples
	encoderGain  = 9.0 / 8

	// monoSurplus is by how many bytes a mono frame becomes longer than the encoder
	// was told: it counts the side information of MPEG-2.
	monoSurplus = 17 - 9
)

// mp3Rates are the rates of recordings that are encoded, and how many bit/s one
// channel gets.
var mp3Rates = map[int]int{
	8000: 64_000, 11025: 64_000, 12000: 64_000, 16000: 96_000,
	22050: 128_000, 24000: 128_000, 32000: 128_000, 44100: 128_000, 48000: 128_000,
}

// bitRateIndex says a bit rate in a frame's header (ISO 11172-3, 2.4.2.3).
var bitRateIndex = map[int]int{64_000: 5, 96_000: 7, 128_000: 9, 192_000: 11, 256_000: 13}

// mp3Form is what an MP3 is like: all of it is known before it is made.
type mp3Form struct {
	channels int
	bitRate  int
	samples  int64 // of one channel, without delay and padding
	frames   int64 // without the Info frame
}

func formOf(l layout) (mp3Form, error) {
	rate := mp3Rates[l.rate]
	if rate == 0 || l.channels > 2 {
		return mp3Form{}, fmt.Errorf("%w: %d channels of %d Hz are not made into an MP3", ErrNoSound, l.channels, l.rate)
	}
	frames := l.length / l.frame()
	samples := (frames*mp3Rate + int64(l.rate)/2) / int64(l.rate)
	return mp3Form{l.channels, rate * l.channels, samples,
		(samples + encoderDelay + decoderDelay + frameSamples - 1) / frameSamples}, nil
}

// frameBytes is the size of every frame.
func (f mp3Form) frameBytes() int { return frameSamples / 8 * f.bitRate / mp3Rate }

// padding is how many samples come out at the end that nothing was fed for, as an
// Info frame counts them.
func (f mp3Form) padding() int64 { return f.frames*frameSamples - encoderDelay - f.samples }

// header is what every frame begins with: MPEG-1, layer III, no checksum, 48 kHz, no
// padding, an original.
func (f mp3Form) header() [4]byte {
	mode := byte(0) // stereo
	if f.channels == 1 {
		mode = 3
	}
	return [4]byte{0xff, 0xfb, byte(bitRateIndex[f.bitRate])<<4 | 1<<2, mode<<6 | 1<<2}
}

func (f mp3Form) encoder() *shine.Encoder {
	e := shine.NewEncoder(mp3Rate, f.channels)
	e.Mpeg.Bitrate, e.Mpeg.BitrateIndex = int64(f.bitRate/1000), int64(bitRateIndex[f.bitRate])
	e.Mpeg.WholeSlotsPerFrame, e.Mpeg.FracSlotsPerFrame, e.Mpeg.SlotLag, e.Mpeg.Padding = int64(f.frameBytes()), 0, 0, 0
	if f.channels == 1 {
		e.Mpeg.WholeSlotsPerFrame -= monoSurplus
	}
	return e
}

// encode writes the frames of a WAV's samples, without the Info frame.
func (f mp3Form) encode(ctx context.Context, out io.Writer, wav *os.File, l layout) error {
	frames := &frameWriter{out: out, header: f.header(), size: f.frameBytes(), left: f.frames * int64(f.frameBytes())}
	e := newFeeder(f, l, frames)
	samples := io.NewSectionReader(wav, l.data, l.length)
	if err := eachBlock(ctx, samples, l.length, e.feed); err != nil {
		return err
	}
	e.finish()
	if e.err == nil && frames.left > 0 {
		e.err = fmt.Errorf("the encoder left out %d bytes", frames.left)
	}
	return e.err
}

// feeder feeds the samples of a WAV to the encoder.
type feeder struct {
	layout
	encoder    *shine.Encoder
	out        *frameWriter
	resamplers []*resampler
	part       []byte      // the sample frame that the last block broke off in
	in         []float32   // of one channel
	ready      [][]float32 // by channel: what is not encoded yet
	pass       []int16
	err        error
}

func newFeeder(f mp3Form, l layout, out *frameWriter) *feeder {
	e := &feeder{layout: l, encoder: f.encoder(), out: out, ready: make([][]float32, f.channels), pass: make([]int16, frameSamples*f.channels)}
	for range f.channels {
		e.resamplers = append(e.resamplers, newResampler(l.rate, mp3Rate, 1/encoderGain))
	}
	return e
}

func (e *feeder) feed(block []byte) {
	e.part = append(e.part, block...)
	frames := len(e.part) / int(e.frame())
	for c, r := range e.resamplers {
		e.in = e.in[:0]
		for i := range frames {
			e.in = append(e.in, float32(int16(binary.LittleEndian.Uint16(e.part[(i*e.channels+c)*sampleBytes:]))))
		}
		e.ready[c] = r.add(e.ready[c], e.in)
	}
	e.part = e.part[:copy(e.part, e.part[frames*int(e.frame()):])]
	e.encode()
}

// finish feeds silence until every frame has come out.
func (e *feeder) finish() {
	silence := make([]byte, 4*frameSamples*int(e.frame()))
	for rounds := 0; e.out.left > 0 && e.err == nil && rounds < 1000; rounds++ {
		e.feed(silence)
	}
}

// encode encodes what makes up whole frames.
func (e *feeder) encode() {
	at, channels := 0, len(e.ready)
	for ; at+frameSamples <= len(e.ready[0]) && e.err == nil; at += frameSamples {
		for c, samples := range e.ready {
			for i, v := range samples[at : at+frameSamples] {
				e.pass[i*channels+c] = clip(v)
			}
		}
		data, n := e.encoder.EncodeBufferInterleaved(e.pass)
		_, e.err = e.out.Write(data[:n])
	}
	for c, samples := range e.ready {
		e.ready[c] = samples[:copy(samples, samples[at:])]
	}
}

// clip rounds a sample. Silence stays silence.
func clip(v float32) int16 {
	if v < 0 {
		return int16(max(v-0.5, -32768))
	}
	return int16(min(v+0.5, 32767))
}

// frameWriter lets frames through, and no more than it should. It fails if one
// does not begin where it has to.
type frameWriter struct {
	out    io.Writer
	header [4]byte
	size   int
	left   int64 // bytes
	at     int   // in the frame
}

var errFrame = errors.New("the encoder made a frame of another size")

func (w *frameWriter) Write(p []byte) (int, error) {
	p = p[:min(int64(len(p)), w.left)]
	for i := range p {
		if w.at < len(w.header) && p[i] != w.header[w.at] {
			return 0, errFrame
		}
		w.at = (w.at + 1) % w.size
	}
	w.left -= int64(len(p))
	return w.out.Write(p)
}
