package sound

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

// drawing is what a picture shows: the height above and below the middle, by channel
// and column.
type drawing [][columns][2]int

var pathStep = regexp.MustCompile(`V(-?\d+)h(-?\d+)`)

// readDrawing parses a picture.
func readDrawing(t *testing.T, text []byte) (d drawing) {
	t.Helper()
	if len(text) > 60_000 {
		t.Fatalf("%d bytes", len(text))
	}
	var svg struct {
		XMLName xml.Name
		ViewBox string `xml:"viewBox,attr"`
		Ratio   string `xml:"preserveAspectRatio,attr"`
		Style   string `xml:"style"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(text, &svg); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("0 0 1000 %d", 100*len(svg.Paths)); svg.XMLName.Local != "svg" || svg.ViewBox != want || svg.Ratio != "none" ||
		!strings.Contains(svg.Style, "prefers-color-scheme:dark") || strings.Contains(string(text), "script") {
		t.Errorf("%.300s", text)
	}
	for i, p := range svg.Paths {
		d = append(d, [columns][2]int{})
		middle, at := 100*i+50, 0
		if start := fmt.Sprintf("M0 %d", middle); !strings.HasPrefix(p.D, start) || pathStep.ReplaceAllString(p.D[len(start):], "") != "Z" {
			t.Fatalf("path %.100q", p.D)
		}
		for _, step := range pathStep.FindAllStringSubmatch(p.D, -1) {
			y, _ := strconv.Atoi(step[1])
			by, _ := strconv.Atoi(step[2])
			for ; by > 0; by, at = by-1, at+1 {
				d[i][at][0] = middle - y
			}
			for ; by < 0; by, at = by+1, at-1 {
				d[i][at-1][1] = y - middle - 1
			}
		}
		if at != 0 {
			t.Errorf("channel %d ends at %d", i, at)
		}
	}
	return d
}

// drawingOf draws samples and parses the picture.
func drawingOf(t *testing.T, channels, rate int, pcm []byte) drawing {
	t.Helper()
	var svg bytes.Buffer
	if err := parsed(t, testkit.WAV(channels, rate, pcm)).WriteWaveform(t.Context(), &svg); err != nil {
		t.Fatal(err)
	}
	return readDrawing(t, svg.Bytes())
}

func parsed(t testing.TB, file []byte) WAV {
	t.Helper()
	wav, err := Parse(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return wav
}

// TestWaveform: the picture shows the peaks of each channel in each thousandth.
func TestWaveform(t *testing.T) {
	for _, channels := range []int{1, 2} {
		for _, frames := range []int{1, 2, 7, 999, 1000, 1001, 8000, 123_457} {
			t.Run(fmt.Sprint(channels, frames), func(t *testing.T) {
				rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
				var want = make(drawing, channels)
				var data []byte
				for i := range frames {
					for c := range channels {
						v := int16(rnd.IntN(1<<16)-1<<15) / int16(1+rnd.IntN(100)) * int16(1-c*(i/(frames/2+1)))
						data = binary.LittleEndian.AppendUint16(data, uint16(v))
						for column := i * columns / frames; column == i*columns/frames || column < (i+1)*columns/frames; column++ {
							high := &want[c][column][0]
							if v < 0 {
								high = &want[c][column][1]
							}
							*high = max(*high, int(math.Round(48*math.Sqrt(math.Abs(float64(v))/32768))))
						}
					}
				}
				got := drawingOf(t, channels, 8000, data)
				for c := range want {
					for i := range want[c] {
						if got[c][i] != want[c][i] {
							t.Fatalf("channel %d, column %d: %v, want %v", c, i, got[c][i], want[c][i])
						}
					}
				}
			})
		}
	}
}

// TestWaveformPause: a pause is a line, at its place.
func TestWaveformPause(t *testing.T) {
	got := drawingOf(t, 2, 8000, testkit.NewClip(2, 8000).Add(3000, tone).Add(5000, 0).Add(2000, -tone).PCM())
	for c := range got {
		for i, column := range got[c] {
			want := [2]int{8, 0}
			if i >= 300 {
				want = [2]int{0, 0}
			}
			if i >= 800 {
				want = [2]int{0, 8}
			}
			if column != want {
				t.Errorf("channel %d, column %d: %v", c, i, column)
			}
		}
	}
}

// TestWaveformChannels: more than two channels are drawn as one.
func TestWaveformChannels(t *testing.T) {
	var data []byte
	for i := range 2000 {
		for c := range 5 {
			v := 0
			if c == 3 && i < 1000 {
				v = 32767
			}
			data = binary.LittleEndian.AppendUint16(data, uint16(v))
		}
	}
	if got := drawingOf(t, 5, 8000, data); len(got) != 1 || got[0][499] != [2]int{48, 0} || got[0][500] != [2]int{0, 0} {
		t.Errorf("%d channels, %v, %v", len(got), got[0][499], got[0][500])
	}
}

func BenchmarkWaveform(b *testing.B) {
	wav := parsed(b, testkit.NewClip(2, 8000).Add(600_000, tone).WAV())
	for b.Loop() {
		if err := wav.WriteWaveform(b.Context(), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(600*float64(b.N)/b.Elapsed().Seconds(), "audio-s/s")
}
