package testkit

import (
	"encoding/binary"
	"slices"
	"testing"
)

// Clip is a WAV file in the making: 16-bit PCM whose channels all hold the same
// samples. It shares no code with tapedeck/recording/sound, which reads it.
type Clip struct {
	Channels, Rate int
	Frames         []int16 // the value of each frame, in every channel
}

// NewClip returns a clip without samples. Rate is in Hz.
func NewClip(channels, rate int) *Clip { return &Clip{Channels: channels, Rate: rate} }

// Add appends milliseconds of one value; 0 is silence.
func (c *Clip) Add(ms int64, value int16) *Clip {
	for range ms * int64(c.Rate) / 1000 {
		c.Frames = append(c.Frames, value)
	}
	return c
}

// PCM returns the samples as they are in the file.
func (c *Clip) PCM() []byte {
	var b []byte
	for _, v := range c.Frames {
		for range c.Channels {
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	return b
}

// WAV returns the file.
func (c *Clip) WAV() []byte { return WAV(c.Channels, c.Rate, c.PCM()) }

// Write writes the file, and makes its folder.
func (c *Clip) Write(t testing.TB, path string) {
	t.Helper()
	WriteFile(t, path, c.WAV())
}

// WAV returns a file of 16-bit PCM with these samples.
func WAV(channels, rate int, pcm []byte) []byte {
	return slices.Concat(RIFF(uint32(36+len(pcm))), WAVFormat(1, channels, rate, 16), Chunk("data", uint32(len(pcm))), pcm)
}

// RIFF returns the first twelve bytes of a WAV file, which say that size bytes
// follow the first eight.
func RIFF(size uint32) []byte { return append(Chunk("RIFF", size), "WAVE"...) }

// Chunk returns the head of a chunk: its name of four letters and a size, which
// need not be true.
func Chunk(name string, size uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte(name), size)
}

// WAVFormat returns a whole "fmt " chunk. Kind 1 is PCM.
func WAVFormat(kind, channels, rate, bits int) []byte {
	b := Chunk("fmt ", 16)
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*2))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*2))
	return binary.LittleEndian.AppendUint16(b, uint16(bits))
}
