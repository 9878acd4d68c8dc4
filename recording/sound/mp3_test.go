package sound

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"tapedeck/internal/testkit"
)

// mp3File is an MP3, parsed by the standard's description of frames and by LAME's of
// the Info frame.
type mp3File struct {
	tags       map[string]string
	channels   int
	frames     [][]byte // without the Info frame
	delay, pad int
}

// samples returns how many samples of one channel a player plays that knows the Info
// frame.
func (m mp3File) samples() int { return len(m.frames)*1152 - m.delay - m.pad }

func readMP3(t *testing.T, data []byte) (m mp3File) {
	t.Helper()
	m.tags, data = readID3(t, data)
	var all [][]byte
	for rest := data; len(rest) > 0; {
		size, channels := frameHeader(t, rest)
		all, rest, m.channels = append(all, rest[:size]), rest[size:], channels
	}
	info := all[0]
	m.frames = all[1:]
	at := 4 + 32
	if m.channels == 1 {
		at = 4 + 17
	}
	tag := info[at:]
	if len(bytes.Trim(info[4:at], "\x00")) > 0 || string(tag[:4]) != "Info" || tag[7] != 15 || string(tag[120:124]) != "LAME" {
		t.Fatalf("Info frame: %q", info)
	}
	music := crcBitwise(bytes.Join(m.frames, nil))
	if n := binary.BigEndian.Uint32(tag[8:]); int(n) != len(m.frames) {
		t.Errorf("%d frames, there are %d", n, len(m.frames))
	}
	if n, again := binary.BigEndian.Uint32(tag[12:]), binary.BigEndian.Uint32(tag[148:]); int(n) != len(data) || again != n {
		t.Errorf("%d bytes, there are %d", n, len(data))
	}
	if sum, own := binary.BigEndian.Uint16(tag[152:]), binary.BigEndian.Uint16(tag[154:]); sum != music || own != crcBitwise(info[:at+154]) {
		t.Errorf("checksums %04x, %04x", sum, own)
	}
	m.delay = int(tag[141])<<4 | int(tag[142])>>4
	m.pad = int(tag[142]&15)<<8 | int(tag[143])
	return m
}

// frameHeader reads the header of a frame: MPEG-1, layer III, 48000 Hz.
func frameHeader(t *testing.T, frame []byte) (size, channels int) {
	t.Helper()
	if len(frame) < 4 || frame[0] != 0xff || frame[1] != 0xfb || frame[2]>>2&3 != 1 {
		t.Fatalf("no frame: % x", frame[:min(8, len(frame))])
	}
	rate := []int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}[frame[2]>>4]
	size = 144*rate*1000/48000 + int(frame[2]>>1&1)
	if size > len(frame) {
		t.Fatalf("a frame of %d bytes has %d", size, len(frame))
	}
	if channels = 2; frame[3]>>6 == 3 {
		channels = 1
	}
	return size, channels
}

// crcBitwise is CRC-16/ARC, by its definition.
func crcBitwise(data []byte) (sum uint16) {
	for _, b := range data {
		sum ^= uint16(b)
		for range 8 {
			low := sum & 1
			if sum >>= 1; low == 1 {
				sum ^= 0xa001
			}
		}
	}
	return sum
}

func readID3(t *testing.T, data []byte) (tags map[string]string, rest []byte) {
	t.Helper()
	if string(data[:5]) != "ID3\x03\x00" {
		t.Fatalf("% x", data[:10])
	}
	size := int(data[6])<<21 | int(data[7])<<14 | int(data[8])<<7 | int(data[9])
	tags = map[string]string{}
	tag, rest := data[10:10+size], data[10+size:]
	for len(tag) > 0 {
		name, n := string(tag[:4]), int(binary.BigEndian.Uint32(tag[4:]))
		body := tag[10 : 10+n]
		tag = tag[10+n:]
		encoding, text := body[0], body[1:]
		if name == "COMM" {
			text = bytes.TrimPrefix(text, []byte("eng"))
			text = text[map[byte]int{0: 1, 1: 4}[encoding]:]
		}
		tags[name] = string(text)
		if encoding == 1 {
			var units []uint16
			for i := 2; i < len(text); i += 2 {
				units = append(units, binary.LittleEndian.Uint16(text[i:]))
			}
			tags[name] = string(utf16.Decode(units))
		}
	}
	return tags, rest
}

// isSilent reports whether a frame has no sound: no large values, and only the codes
// of zeros, which are ones.
func (m mp3File) isSilent(frame []byte) bool {
	side := map[int]int{1: 17, 2: 32}[m.channels]
	at := map[int]int{1: 9 + 5 + 4, 2: 9 + 3 + 8}[m.channels] // bits
	for range 2 * m.channels {
		if bitsOf(frame[4:], at+12, 9) != 0 {
			return false
		}
		at += 59
	}
	return len(bytes.Trim(frame[4+side:], "\xff")) == 0
}

func bitsOf(data []byte, at, n int) (v int) {
	for i := at; i < at+n; i++ {
		v = v<<1 | int(data[i/8]>>(7-i%8)&1)
	}
	return v
}

// speech returns samples that resemble speech, with a pause in the middle third. The
// channels differ.
func speech(channels, rate, frames int) []byte {
	rnd := rand.New(rand.NewPCG(5, 5))
	var data []byte
	low := 0.0
	for i := range frames {
		at := float64(i) / float64(rate)
		loud := math.Pow(0.5+0.5*math.Sin(2*math.Pi*2.3*at), 2)
		low = 0.8*low + 0.2*rnd.NormFloat64()
		voice := 2500 * low
		for h := 1.0; h <= 20; h++ {
			voice += 2500 * math.Sin(2*math.Pi*120*h*at+h*h) / h
		}
		if i >= frames/3 && i < frames*2/3 {
			voice = 0
		}
		for c := range channels {
			data = binary.LittleEndian.AppendUint16(data, uint16(int16(voice*loud)/int16(1+c)))
		}
	}
	return data
}

// mp3Of returns the MP3 of samples.
func mp3Of(t testing.TB, channels, rate int, pcm []byte, tags Tags) []byte {
	t.Helper()
	m, err := NewMP3(parsed(t, testkit.WAV(channels, rate, pcm)))
	if err != nil {
		t.Fatal(err)
	}
	out := &grown{}
	if err := m.Write(t.Context(), out, tags); err != nil {
		t.Fatal(err)
	}
	return out.data
}

// grown is a file in memory to which an MP3 is written.
type grown struct{ data memFile }

func (g *grown) Write(p []byte) (int, error)             { g.data = append(g.data, p...); return len(p), nil }
func (g *grown) WriteAt(p []byte, at int64) (int, error) { return g.data.WriteAt(p, at) }

// TestMP3: an MP3 is as long as the WAV, to the sample, or within 50 ms for players
// that do not know the Info frame, and silent where the WAV is.
func TestMP3(t *testing.T) {
	for rate := range mp3Rates {
		for channels := 1; channels <= 2; channels++ {
			lengths := []int{1, rate/10 + 7}
			if rate == 8000 || rate == 16000 {
				lengths = append(lengths, 2*rate+1)
			}
			for _, frames := range lengths {
				t.Run(fmt.Sprint(rate, channels, frames), func(t *testing.T) {
					m := readMP3(t, mp3Of(t, channels, rate, speech(channels, rate, frames), Tags{Title: "one"}))
					want := int(math.Round(float64(frames) / float64(rate) * 48000))
					if m.channels != channels || m.samples() != want || m.delay != 528 || m.pad < 529 {
						t.Errorf("%d channels, %d samples, want %d; delay %d, padding %d", m.channels, m.samples(), want, m.delay, m.pad)
					}
					if over := time.Duration(len(m.frames)*1152-want) * time.Second / 48000; over < 0 || over >= 50*time.Millisecond {
						t.Errorf("without the Info frame it is %v too long", over)
					}
					silent, loud := 0, 0
					for i, frame := range m.frames {
						from, to := i*1152-1057, (i+1)*1152-1057 // of the WAV at 48000 Hz
						switch s := m.isSilent(frame); {
						case from-1152 > want/3 && to+1152 < want*2/3:
							silent++
							if !s {
								t.Errorf("frame %d in the pause is not silent", i)
							}
						case s && from > want*2/3 && to+1152 < want:
							loud++
						}
					}
					if frames > 2*rate && silent < 20 || loud > 10 {
						t.Errorf("%d frames are in the pause, %d silent ones outside", silent, loud)
					}
				})
			}
		}
	}
}

// decoders are programs that decode an MP3 to 16-bit samples, where they exist.
var decoders = map[string]func(path string) *exec.Cmd{
	"ffmpeg": func(path string) *exec.Cmd {
		return exec.Command("ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-")
	},
	"mpg123": func(path string) *exec.Cmd { return exec.Command("mpg123", "-q", "-e", "s16", "-s", path) },
	"lame":   func(path string) *exec.Cmd { return exec.Command("lame", "--quiet", "--decode", "-t", path, "-") },
}

// TestMP3Decoded: independent decoders return the samples of the WAV.
func TestMP3Decoded(t *testing.T) {
	there := maps.Clone(decoders)
	maps.DeleteFunc(there, func(name string, _ func(string) *exec.Cmd) bool {
		_, err := exec.LookPath(name)
		return err != nil
	})
	if len(there) == 0 {
		t.Skip("this test needs ffmpeg, mpg123 or lame on the PATH")
	}
	for _, rate := range []int{8000, 16000} {
		for channels := 1; channels <= 2; channels++ {
			for _, frames := range []int{rate / 10, 2*rate + 77} {
				in := speech(channels, rate, frames)
				path := filepath.Join(t.TempDir(), "x.mp3")
				if err := os.WriteFile(path, mp3Of(t, channels, rate, in, Tags{Title: "one"}), 0o600); err != nil {
					t.Fatal(err)
				}
				for name, command := range there {
					out, err := command(path).Output()
					if err != nil {
						t.Fatal(err)
					}
					decodedAs(t, fmt.Sprint(name, " ", rate, channels, frames), channels, 48000/rate, in, out)
				}
			}
		}
	}
}

// decodedAs compares decoded samples with the encoded ones, each of which became
// several.
func decodedAs(t *testing.T, name string, channels, several int, in, out []byte) {
	t.Helper()
	size := 2 * channels
	frames := len(in) / size
	if got := len(out) / size; got != frames*several {
		t.Fatalf("%s: %d samples, want %d", name, got, frames*several)
	}
	at := func(data []byte, i, c int) float64 {
		return float64(int16(binary.LittleEndian.Uint16(data[i*size+2*c:])))
	}
	var edge, pause, noise, power float64 // the edge is from 2 to 24 ms inside
	from, to, ms := frames/3*several, frames*2/3*several, 48
	for c := range channels {
		for i := range frames {
			want, got := at(in, i, c), at(out, i*several, c)
			power += want * want
			noise += (want - got) * (want - got)
		}
		for i := from + 2*ms; i < to-2*ms; i++ {
			v := math.Abs(at(out, i, c))
			edge = max(edge, v)
			if i > from+24*ms && i < to-24*ms {
				pause = max(pause, v)
			}
		}
	}
	quality := 10 * math.Log10(power/noise)
	t.Logf("%s: %.1f dB above the noise; in the pause at most %.0f, from 2 to 24 ms inside %.0f", name, quality, pause, edge)
	if quality < 20 || pause > 0 || edge > 100 {
		t.Errorf("%s: %.1f dB, in the pause %.0f, at its edges %.0f", name, quality, pause, edge)
	}
}

// TestMP3Extremes: the encoder survives whatever a file may hold.
func TestMP3Extremes(t *testing.T) {
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	for name, value := range map[string]func(i int) int{
		"noise":       func(int) int { return rnd.IntN(1<<16) - 1<<15 },
		"square":      func(i int) int { return 32767 * (1 - i/40%2*2) },
		"fast square": func(i int) int { return 32767 * (1 - i%2*2) },
		"lowest":      func(int) int { return -32768 },
		"highest":     func(int) int { return 32767 },
		"clicks":      func(i int) int { return map[bool]int{true: -32768}[i%997 == 0] },
		"barely":      func(i int) int { return i % 2 },
		"one click":   func(i int) int { return map[bool]int{true: 32767}[i == 1500] },
		"whisper":     func(int) int { return rnd.IntN(5) - 2 },
		"nothing":     func(int) int { return 0 },
		"bursts":      func(i int) int { return (rnd.IntN(1<<16) - 1<<15) * (i / 300 % 2) },
	} {
		t.Run(name, func(t *testing.T) {
			for rate, frames := range map[int]int{8000: 3001, 48000: 15_011} {
				for channels := 1; channels <= 2; channels++ {
					var data []byte
					for i := range frames * channels {
						data = binary.LittleEndian.AppendUint16(data, uint16(int16(value(i))))
					}
					m := readMP3(t, mp3Of(t, channels, rate, data, Tags{}))
					if m.samples() != frames*48000/rate {
						t.Errorf("%d samples", m.samples())
					}
					if name == "nothing" {
						for i, frame := range m.frames {
							if !m.isSilent(frame) {
								t.Errorf("frame %d", i)
							}
						}
					}
				}
			}
		})
	}
}

func TestMP3Refuses(t *testing.T) {
	for _, form := range [][2]int{{1, 7999}, {1, 96000}, {3, 8000}, {8, 48000}} {
		if _, err := NewMP3(parsed(t, testkit.WAV(form[0], form[1], make([]byte, 4800)))); err == nil {
			t.Errorf("%d channels of %d Hz become an MP3", form[0], form[1])
		}
	}
}

func TestMP3Tags(t *testing.T) {
	for _, test := range []struct {
		tags Tags
		want map[string]string
	}{
		{Tags{}, map[string]string{}},
		{Tags{Title: "Call with +442079460999", Date: time.Date(2026, 3, 9, 17, 0, 0, 0, time.FixedZone("", 5*3600)), Album: "Acme Ltd", Comment: "recorded"},
			map[string]string{"TIT2": "Call with +442079460999", "TALB": "Acme Ltd", "COMM": "recorded", "TYER": "2026", "TDAT": "0903", "TIME": "1200"}},
		{Tags{Title: "Zoë 電話 \U0001f4de", Album: "two  spaces", Comment: strings.Repeat("é", 500)},
			map[string]string{"TIT2": "Zoë 電話 \U0001f4de", "TALB": "two  spaces", "COMM": strings.Repeat("é", 500)}},
	} {
		if got := readMP3(t, mp3Of(t, 2, 8000, sampleClip().PCM(), test.tags)); fmt.Sprint(got.tags) != fmt.Sprint(test.want) {
			t.Errorf("%q\nwant %q", got.tags, test.want)
		}
	}
}

func BenchmarkMP3(b *testing.B) {
	for _, rate := range []int{8000, 16000} {
		for channels := 1; channels <= 2; channels++ {
			b.Run(fmt.Sprintf("%dHz-%dch", rate, channels), func(b *testing.B) {
				data := speech(channels, rate, 60*rate)
				for b.Loop() {
					mp3Of(b, channels, rate, data, Tags{})
				}
				b.ReportMetric(60*float64(b.N)/b.Elapsed().Seconds(), "audio-s/s")
			})
		}
	}
}
