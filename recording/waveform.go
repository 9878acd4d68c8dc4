package recording

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
)

const (
	columns       = 1000 // of a picture; each is so much of the length
	channelHeight = 100  // units, of which columns are 1 wide
	reachUp       = channelHeight/2 - 2
)

// Waveform is the path of a recording's picture, which is made if there is none,
// or if it is older than the sound: an SVG beside it, whole or not at all, with
// one channel below the other. Path is that of one of the recording's files. The
// picture is 1000 units wide, so that what lies over it can be placed in
// thousandths of the length, and is stretched to whatever box it is put in. Of
// each thousandth it shows the peaks, as the square root of their level: what is
// 20 dB below the loudest is a third as high. A pause is a line. ErrNoSound is of
// a recording without samples, ErrLive of one that is not over, fs.ErrNotExist of
// one without a file.
func Waveform(ctx context.Context, d Dir, path string) (svgPath string, err error) {
	v, err := d.derivation(path, ".svg")
	if err == nil {
		defer v.close()
		if v.fresh() {
			return v.path(), nil
		}
		err = v.make(ctx, func(out, wav *os.File, l layout) error {
			p := newPeaks(l)
			if err := eachBlock(ctx, io.NewSectionReader(wav, l.data, l.length), l.length, p.add); err != nil {
				return err
			}
			return p.draw(out)
		})
	}
	if err != nil {
		return "", fmt.Errorf("recording: waveform: %w", err)
	}
	return v.path(), nil
}

// peaks are the lowest and the highest sample of each column.
type peaks struct {
	layout
	frames    int64            // all of them
	at        int64            // the next one
	part      []byte           // the frame that the last block broke off in
	low, high [][columns]int16 // by channel; several beyond the second are drawn as one
}

// maxDrawn is how many channels are drawn apart.
const maxDrawn = 2

func newPeaks(l layout) *peaks {
	n := l.channels
	if n > maxDrawn {
		n = 1
	}
	return &peaks{layout: l, frames: l.length / l.frame(), low: make([][columns]int16, n), high: make([][columns]int16, n)}
}

func (p *peaks) add(block []byte) {
	p.part = append(p.part, block...)
	size, at := int(p.frame()), 0
	for ; at+size <= len(p.part); at += size {
		from := p.at * columns / p.frames
		to := max(from+1, (p.at+1)*columns/p.frames) // of a very short file a frame is several columns
		for i := range p.channels {
			sample := int16(binary.LittleEndian.Uint16(p.part[at+i*sampleBytes:]))
			c := i % len(p.low)
			for column := from; column < to; column++ {
				p.low[c][column] = min(p.low[c][column], sample)
				p.high[c][column] = max(p.high[c][column], sample)
			}
		}
		p.at++
	}
	p.part = p.part[:copy(p.part, p.part[at:])]
}

// svgHead has colours that can be told from white and from black; what knows the
// reader's wish uses better ones.
const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" preserveAspectRatio="none" fill="#3b82c4">
<style>path{fill:#2563a8}@media(prefers-color-scheme:dark){path{fill:#7ab8f5}}</style>
`

func (p *peaks) draw(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, svgHead, columns, channelHeight*len(p.low))
	for c := range p.low {
		middle := channelHeight*c + channelHeight/2
		fmt.Fprintf(w, `<path d="M0 %d`, middle)
		steps(w, 1, func(i int) int { return middle - height(p.high[c][i]) })
		steps(w, -1, func(i int) int { return middle + 1 + height(p.low[c][columns-1-i]) })
		fmt.Fprintln(w, `Z"/>`)
	}
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// steps draws the edge on one side, as a path that goes in a direction.
func steps(w *bufio.Writer, direction int, y func(column int) int) {
	for from := 0; from < columns; {
		to := from + 1
		for to < columns && y(to) == y(from) {
			to++
		}
		w.WriteString("V" + strconv.Itoa(y(from)) + "h" + strconv.Itoa(direction*(to-from)))
		from = to
	}
}

// height is how far a sample reaches from the middle.
func height(sample int16) int {
	return int(math.Round(reachUp * math.Sqrt(math.Abs(float64(sample))/32768)))
}
