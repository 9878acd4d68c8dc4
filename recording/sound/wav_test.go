package sound

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tapedeck/internal/testkit"
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

const tone = 1000 // a sample that is not 0, like speech

// sampleClip returns two seconds, of which the second is silent.
func sampleClip() *testkit.Clip { return testkit.NewClip(2, 8000).Add(1000, tone).Add(1000, 0) }

// memFile is a file in memory that can be repaired.
type memFile []byte

func (m memFile) ReadAt(p []byte, at int64) (int, error)  { return bytes.NewReader(m).ReadAt(p, at) }
func (m memFile) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }

func analyse(t testing.TB, file []byte) (Analysis, error) {
	return Analyse(t.Context(), bytes.NewReader(file), int64(len(file)))
}

func repair(file []byte) (bool, error) { return Repair(memFile(file), int64(len(file))) }

func TestAnalyse(t *testing.T) {
	pcm, good := sampleClip().PCM(), sampleClip().WAV()
	head := join(testkit.RIFF(0), testkit.WAVFormat(1, 2, 8000, 16))
	list := join(testkit.Chunk("LIST", 5), []byte("INFOx\x00"))
	extensible := append(testkit.WAVFormat(formatExtensible, 2, 8000, 16), make([]byte, 24)...)
	extensible[4], extensible[8+24] = 40, 1
	data := func(size int) []byte { return testkit.Chunk("data", uint32(size)) }
	for name, test := range map[string]struct {
		file       []byte
		unfinished bool
	}{
		"finished":           {good, false},
		"extensible":         {join(testkit.RIFF(0), extensible, data(len(pcm)), pcm), false},
		"chunks before":      {join(testkit.RIFF(0), list, testkit.WAVFormat(1, 2, 8000, 16), list, data(len(pcm)), pcm), false},
		"chunk after":        {join(good, list), false},
		"no pad at the end":  {join(good, list[:len(list)-1]), false},
		"RIFF too large":     {join(testkit.RIFF(1<<31), good[riffHead:]), false},
		"half a frame":       {join(good, []byte{1, 2, 3}), false},
		"size 0":             {join(head, data(0), pcm), true},
		"size -1":            {join(head, data(0xFFFFFFFF), pcm), true},
		"too large":          {join(head, data(len(pcm)+1), pcm), true},
		"too small":          {join(head, data(len(pcm)-8), pcm), true},
		"half, half a frame": {join(head, data(len(pcm)/2), pcm, []byte{1, 2, 3}), true},
	} {
		t.Run(name, func(t *testing.T) {
			sum := sha256.Sum256(test.file)
			want := Analysis{Bytes: int64(len(test.file)), SHA256: hex.EncodeToString(sum[:]), Channels: 2, Rate: 8000,
				DurationMS: 2000, Silences: []Silence{{1000, 2000}}, Unfinished: test.unfinished}
			got, err := analyse(t, test.file)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
			after := slices.Clone(test.file)
			repaired, err := repair(after)
			if err != nil || repaired != test.unfinished {
				t.Errorf("Repair: %v, %v", repaired, err)
			}
			if repaired && !bytes.Equal(after[len(after)-len(pcm):], test.file[len(after)-len(pcm):]) || !repaired && !bytes.Equal(after, test.file) {
				t.Error("more is changed than the sizes")
			}
			if got, err = analyse(t, after); err != nil || got.Unfinished || got.DurationMS != 2000 || !slices.Equal(got.Silences, want.Silences) {
				t.Errorf("after the repair: %+v, %v", got, err)
			}
			if again, err := repair(after); again || err != nil {
				t.Errorf("it is repaired again: %v, %v", again, err)
			}
		})
	}
}

// TestKilledFreeSWITCH reads files that a real FreeSWITCH 1.10.12 left behind when it
// was killed.
func TestKilledFreeSWITCH(t *testing.T) {
	for name, ms := range map[string]int64{"killed.wav": 256, "killed-empty.wav": 0} {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := analyse(t, file); err != nil || !s.Unfinished || s.DurationMS != ms {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		fixed := slices.Clone(file)
		if repaired, err := repair(fixed); err != nil || !repaired {
			t.Errorf("%s: Repair: %v, %v", name, repaired, err)
		}
		size := uint32(len(file))
		if binary.LittleEndian.Uint32(fixed[4:]) != size-8 || binary.LittleEndian.Uint32(fixed[40:]) != size-44 {
			t.Errorf("%s: the header is % x", name, fixed[:44])
		}
	}
}

func TestNoWAV(t *testing.T) {
	pcm := make([]byte, 1000)
	data := join(testkit.Chunk("data", 1000), pcm)
	for name, test := range map[string]struct {
		file  []byte
		fault string
	}{
		"empty":         {nil, "no WAV"},
		"text":          {[]byte("not a WAV file, not at all"), "no WAV"},
		"head only":     {testkit.RIFF(36), "ends before"},
		"no data":       {join(testkit.RIFF(0), testkit.WAVFormat(1, 1, 8000, 16)), "ends before"},
		"no format":     {join(testkit.RIFF(0), data), "before their format"},
		"A-law":         {join(testkit.RIFF(0), testkit.WAVFormat(6, 1, 8000, 8), data), "only PCM"},
		"8 bits":        {join(testkit.RIFF(0), testkit.WAVFormat(1, 1, 8000, 8), data), "only PCM"},
		"no channels":   {join(testkit.RIFF(0), testkit.WAVFormat(1, 0, 8000, 16), data), "only PCM"},
		"33 channels":   {join(testkit.RIFF(0), testkit.WAVFormat(1, 33, 8000, 16), data), "only PCM"},
		"rate 0":        {join(testkit.RIFF(0), testkit.WAVFormat(1, 1, 0, 16), data), "only PCM"},
		"short format":  {join(testkit.RIFF(0), testkit.Chunk("fmt ", 2), []byte{1, 0}, data), "only PCM"},
		"endless chunk": {join(testkit.RIFF(0), testkit.Chunk("LIST", 0xFFFFFFFF), pcm), "ends before"},
		"many chunks":   {join(testkit.RIFF(0), bytes.Repeat(testkit.Chunk("LIST", 0), maxChunks+1), data), "more than 1000 chunks"},
	} {
		s, err := analyse(t, test.file)
		sum := sha256.Sum256(test.file)
		if err != nil || !strings.Contains(s.Fault, test.fault) || s.SHA256 != hex.EncodeToString(sum[:]) || s.Channels != 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if repaired, err := repair(test.file); err == nil || repaired {
			t.Errorf("%s is repaired", name)
		}
	}
}

func TestAnalyseEnds(t *testing.T) {
	file := sampleClip().WAV()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Analyse(ctx, bytes.NewReader(file), int64(len(file))); err == nil {
		t.Error("it reads on after the end of its context")
	}
	if _, err := Analyse(t.Context(), bytes.NewReader(file), int64(len(file)+1)); err == nil {
		t.Error("a file that became shorter is no error")
	}
}

// TestSilences compares the silenceFinder, which gets a file in blocks that end
// anywhere, with a look at all samples at once.
func TestSilences(t *testing.T) {
	rnd := testkit.Rand(t, 7)
	for range 100 {
		s := testkit.NewClip(1+rnd.IntN(3), []int{8000, 16000, 11025, 48000}[rnd.IntN(4)])
		var want []Silence
		at := 0
		ms := func(frames int) int64 { return int64((float64(frames)*1000)/float64(s.Rate) + 0.5) }
		for range 1 + rnd.IntN(8) {
			n := rnd.IntN(s.Rate / 4)
			silent := rnd.IntN(2) == 0
			for range n {
				s.Frames = append(s.Frames, map[bool]int16{true: 0, false: -1}[silent])
			}
			if k := len(want); silent && k > 0 && want[k-1].ToMS == int64(at) {
				want[k-1].ToMS = int64(at + n)
			} else if silent && n > 0 {
				want = append(want, Silence{int64(at), int64(at + n)})
			}
			at += n
		}
		want = slices.DeleteFunc(want, func(r Silence) bool { return (r.ToMS-r.FromMS)*1000 < minSilence*int64(s.Rate) })
		for i, r := range want {
			want[i] = Silence{ms(int(r.FromMS)), ms(int(r.ToMS))}
		}
		if got := findInBlocks(t, s, rnd); !slices.Equal(got, want) {
			t.Fatalf("%d channels, %d Hz: got %v, want %v", s.Channels, s.Rate, got, want)
		}
	}
}

func findInBlocks(t *testing.T, s *testkit.Clip, rnd *rand.Rand) []Silence {
	file := s.WAV()
	wav, err := Parse(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	finder := silenceFinder{wav: wav}
	for len(file) > 0 {
		n := min(len(file), 1+rnd.IntN([]int{5, 5000}[rnd.IntN(2)]))
		finder.add(file[:n])
		file = file[n:]
	}
	finder.close()
	return finder.found
}

// FuzzWAV: no file makes the reader fail or see more samples than there are, and a
// repaired file needs no repair.
func FuzzWAV(f *testing.F) {
	f.Add(sampleClip().WAV()[:200])
	f.Add(join(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 101)))
	f.Add(join(testkit.RIFF(8), testkit.Chunk("LIST", 3), make([]byte, 4), testkit.WAVFormat(1, 1, 8000, 16), testkit.Chunk("data", 7), make([]byte, 8), testkit.Chunk("x y ", 1)))
	f.Fuzz(func(t *testing.T, file []byte) {
		wav, err := Parse(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		if wav.start+wav.length > int64(len(file)) || wav.length%wav.frameBytes() != 0 || wav.length < 0 {
			t.Fatalf("%+v of %d bytes", wav, len(file))
		}
		file = slices.Clone(file)
		if _, err := repair(file); err != nil {
			t.Fatal(err)
		}
		again, err := analyse(t, file)
		if err != nil || again.Fault != "" || again.Unfinished || again.DurationMS != wav.DurationMS() {
			t.Fatalf("%+v, then %+v, %v", wav, again, err)
		}
	})
}
