package sound

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	shine "github.com/braheezy/shine-mp3/pkg/mp3"
)

// encode writes the frames of the WAV's samples, without the Info frame.
func (m MP3) encode(ctx context.Context, out io.Writer) error {
	frames := &frameWriter{out: out, header: m.frameHeader(), size: m.frameBytes(), left: m.frames * int64(m.frameBytes())}
	f := newFeeder(m, frames)
	if err := eachBlock(ctx, m.wav.Samples(), m.wav.length, f.feed); err != nil {
		return err
	}
	f.finish()
	if f.err == nil && frames.left > 0 {
		f.err = fmt.Errorf("the encoder left out %d bytes", frames.left)
	}
	return f.err
}

// feeder resamples the samples of a WAV and passes them to the encoder.
type feeder struct {
	wav        WAV
	encoder    *shine.Encoder
	out        *frameWriter
	resamplers []*resampler // by channel
	partial    []byte       // a frame of the WAV of which the last block had only the beginning
	in         []float32    // scratch space: samples of one channel
	ready      [][]float32  // by channel: resampled, not encoded yet
	mp3Frame   []int16      // scratch space: the samples of one frame of the MP3, interleaved
	err        error        // the first of the encoder or the file
}

func newFeeder(m MP3, out *frameWriter) *feeder {
	n := m.wav.Channels
	f := &feeder{wav: m.wav, encoder: m.newEncoder(), out: out, ready: make([][]float32, n), mp3Frame: make([]int16, frameSamples*n)}
	for range n {
		f.resamplers = append(f.resamplers, newResampler(m.wav.Rate, mp3Rate, 1/encoderGain))
	}
	return f
}

func (f *feeder) feed(block []byte) {
	f.partial = append(f.partial, block...)
	size := int(f.wav.frameBytes())
	frames := len(f.partial) / size
	for c, r := range f.resamplers {
		f.in = f.in[:0]
		for i := range frames {
			f.in = append(f.in, float32(int16(binary.LittleEndian.Uint16(f.partial[(i*f.wav.Channels+c)*sampleBytes:]))))
		}
		f.ready[c] = r.add(f.ready[c], f.in)
	}
	f.partial = f.partial[:copy(f.partial, f.partial[frames*size:])]
	f.encodeReady()
}

// finish feeds silence until every frame is written.
func (f *feeder) finish() {
	silence := make([]byte, 4*frameSamples*int(f.wav.frameBytes()))
	for rounds := 0; f.out.left > 0 && f.err == nil && rounds < 1000; rounds++ {
		f.feed(silence)
	}
}

// encodeReady encodes the samples that make up whole frames.
func (f *feeder) encodeReady() {
	at, channels := 0, len(f.ready)
	for ; at+frameSamples <= len(f.ready[0]) && f.err == nil; at += frameSamples {
		for c, samples := range f.ready {
			for i, v := range samples[at : at+frameSamples] {
				f.mp3Frame[i*channels+c] = roundSample(v)
			}
		}
		data, n := f.encoder.EncodeBufferInterleaved(f.mp3Frame)
		_, f.err = f.out.Write(data[:n])
	}
	for c, samples := range f.ready {
		f.ready[c] = samples[:copy(samples, samples[at:])]
	}
}

// roundSample rounds a sample and keeps it within 16 bits. Silence stays silence.
func roundSample(v float32) int16 {
	if v < 0 {
		return int16(max(v-0.5, -32768))
	}
	return int16(min(v+0.5, 32767))
}

// frameWriter passes on the bytes of left/size frames and drops what follows. It
// fails if a frame does not begin where it must.
type frameWriter struct {
	out    io.Writer
	header [4]byte
	size   int   // bytes of a frame
	left   int64 // bytes
	at     int   // the offset in the frame
}

var errFrameSize = errors.New("the encoder made a frame of another size")

func (w *frameWriter) Write(p []byte) (int, error) {
	p = p[:min(int64(len(p)), w.left)]
	for i := range p {
		if w.at < len(w.header) && p[i] != w.header[w.at] {
			return 0, errFrameSize
		}
		w.at = (w.at + 1) % w.size
	}
	w.left -= int64(len(p))
	return w.out.Write(p)
}
