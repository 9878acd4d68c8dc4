package sound

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
)

const (
	columns       = 1000 // of the picture; each shows a thousandth of the length
	channelHeight = 100  // units; a column is 1 unit wide
	maxHeight     = channelHeight/2 - 2
	maxDrawn      = 2 // channels that are drawn apart; more are drawn as one
)

// WriteWaveform writes a picture of the samples, an SVG with one channel below the
// other. It is 1000 units wide, so that whatever lies over it can be placed in
// thousandths of the length, and stretches to whatever box it is put in. Each
// thousandth shows its peaks, as the square root of their level: what is 20 dB
// below the loudest is a third as high. Silence is a line. The file must have
// samples.
func (w WAV) WriteWaveform(ctx context.Context, out io.Writer) error {
	p := newPeaks(w)
	if err := eachBlock(ctx, w.Samples(), w.length, p.add); err != nil {
		return err
	}
	return p.draw(out)
}

// peaks are the lowest and the highest sample of each column.
type peaks struct {
	wav       WAV
	frames    int64            // of the whole file
	at        int64            // the next frame
	partial   []byte           // a frame of which the last block had only the beginning
	low, high [][columns]int16 // by drawn channel
}

func newPeaks(w WAV) *peaks {
	n := w.Channels
	if n > maxDrawn {
		n = 1
	}
	return &peaks{wav: w, frames: w.Frames(), low: make([][columns]int16, n), high: make([][columns]int16, n)}
}

func (p *peaks) add(block []byte) {
	p.partial = append(p.partial, block...)
	size, at := int(p.wav.frameBytes()), 0
	for ; at+size <= len(p.partial); at += size {
		from := p.at * columns / p.frames
		to := max(from+1, (p.at+1)*columns/p.frames) // a frame of a very short file fills several columns
		for i := range p.wav.Channels {
			sample := int16(binary.LittleEndian.Uint16(p.partial[at+i*sampleBytes:]))
			c := i % len(p.low)
			for column := from; column < to; column++ {
				p.low[c][column] = min(p.low[c][column], sample)
				p.high[c][column] = max(p.high[c][column], sample)
			}
		}
		p.at++
	}
	p.partial = p.partial[:copy(p.partial, p.partial[at:])]
}

// svgHead has colours that stand out from white and from black. A page that knows
// which of them the reader prefers uses better ones.
const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" preserveAspectRatio="none" fill="#3b82c4">
<style>path{fill:#2563a8}@media(prefers-color-scheme:dark){path{fill:#7ab8f5}}</style>
`

func (p *peaks) draw(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, svgHead, columns, channelHeight*len(p.low))
	for c := range p.low {
		middle := channelHeight*c + channelHeight/2
		fmt.Fprintf(w, `<path d="M0 %d`, middle)
		drawEdge(w, 1, func(i int) int { return middle - height(p.high[c][i]) })
		drawEdge(w, -1, func(i int) int { return middle + 1 + height(p.low[c][columns-1-i]) })
		fmt.Fprintln(w, `Z"/>`)
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// drawEdge draws the upper or the lower edge: to the right with direction 1, back to
// the left with -1.
func drawEdge(w *bufio.Writer, direction int, y func(column int) int) {
	for from := 0; from < columns; {
		to := from + 1
		for to < columns && y(to) == y(from) {
			to++
		}
		w.WriteString("V" + strconv.Itoa(y(from)) + "h" + strconv.Itoa(direction*(to-from)))
		from = to
	}
}

// height is how far a sample reaches from the middle, in units.
func height(sample int16) int {
	return int(math.Round(maxHeight * math.Sqrt(math.Abs(float64(sample))/32768)))
}
