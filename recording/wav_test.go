package recording

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
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func TestListen(t *testing.T) {
	pcm := sampleSound().data() // 2 s, of which the second is silent
	good := sampleSound().bytes()
	head := join(riff(0), format(1, 2, 8000, 16))
	list := join(chunkOf("LIST", 5), []byte("INFOx\x00"))
	extensible := append(format(formatExtensible, 2, 8000, 16), make([]byte, 24)...)
	extensible[4], extensible[8+24] = 40, 1
	for name, test := range map[string]struct {
		file       []byte
		unfinished bool
	}{
		"finished":           {good, false},
		"extensible":         {join(riff(0), extensible, chunkOf("data", uint32(len(pcm))), pcm), false},
		"chunks before":      {join(riff(0), list, format(1, 2, 8000, 16), list, chunkOf("data", uint32(len(pcm))), pcm), false},
		"chunk after":        {join(good, list), false},
		"no pad at the end":  {join(good, list[:len(list)-1]), false},
		"RIFF too large":     {join(riff(1<<31), good[riffHead:]), false},
		"half a frame":       {join(good, []byte{1, 2, 3}), false},
		"size 0":             {join(head, chunkOf("data", 0), pcm), true},
		"size -1":            {join(head, chunkOf("data", 0xFFFFFFFF), pcm), true},
		"too large":          {join(head, chunkOf("data", uint32(len(pcm)+1)), pcm), true},
		"too small":          {join(head, chunkOf("data", uint32(len(pcm)-8)), pcm), true},
		"half, half a frame": {join(head, chunkOf("data", uint32(len(pcm)/2)), pcm, []byte{1, 2, 3}), true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.wav")
			writeFile(t, path, test.file)
			sum := sha256.Sum256(test.file)
			want := Sound{Bytes: int64(len(test.file)), SHA256: hex.EncodeToString(sum[:]), Channels: 2, Rate: 8000,
				DurationMS: 2000, Silences: []Run{{1000, 2000}}, Unfinished: test.unfinished}
			got, err := Listen(t.Context(), path)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
			repaired, err := Repair(path)
			if err != nil || repaired != test.unfinished {
				t.Errorf("Repair: %v, %v", repaired, err)
			}
			after, err := os.ReadFile(path)
			if err != nil || repaired && !bytes.Equal(after[len(after)-len(pcm):], test.file[len(after)-len(pcm):]) || !repaired && !bytes.Equal(after, test.file) {
				t.Errorf("more is changed than the sizes: %v", err)
			}
			if got, err = Listen(t.Context(), path); err != nil || got.Unfinished || got.DurationMS != 2000 || !slices.Equal(got.Silences, want.Silences) {
				t.Errorf("after the repair: %+v, %v", got, err)
			}
			if again, err := Repair(path); again || err != nil {
				t.Errorf("it is repaired again: %v, %v", again, err)
			}
		})
	}
}

// Files that a real FreeSWITCH 1.10.12 left behind when it was killed.
func TestKilledFreeSWITCH(t *testing.T) {
	for name, ms := range map[string]int64{"killed.wav": 256, "killed-empty.wav": 0} {
		file, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name)
		writeFile(t, path, file)
		if s, err := Listen(t.Context(), path); err != nil || !s.Unfinished || s.DurationMS != ms {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if repaired, err := Repair(path); err != nil || !repaired {
			t.Errorf("%s: Repair: %v, %v", name, repaired, err)
		}
		fixed, err := os.ReadFile(path)
		if err != nil || len(fixed) != len(file) {
			t.Fatal(len(fixed), err)
		}
		size := uint32(len(file))
		if binary.LittleEndian.Uint32(fixed[4:]) != size-8 || binary.LittleEndian.Uint32(fixed[40:]) != size-44 {
			t.Errorf("%s: the header is % x", name, fixed[:44])
		}
	}
}

func TestNoWAV(t *testing.T) {
	pcm := make([]byte, 1000)
	data := join(chunkOf("data", 1000), pcm)
	for name, test := range map[string]struct {
		file  []byte
		fault string
	}{
		"empty":         {nil, "no WAV"},
		"text":          {[]byte("not a WAV file, not at all"), "no WAV"},
		"head only":     {riff(36), "ends before"},
		"no data":       {join(riff(0), format(1, 1, 8000, 16)), "ends before"},
		"no format":     {join(riff(0), data), "before their format"},
		"A-law":         {join(riff(0), format(6, 1, 8000, 8), data), "only PCM"},
		"8 bits":        {join(riff(0), format(1, 1, 8000, 8), data), "only PCM"},
		"no channels":   {join(riff(0), format(1, 0, 8000, 16), data), "only PCM"},
		"33 channels":   {join(riff(0), format(1, 33, 8000, 16), data), "only PCM"},
		"rate 0":        {join(riff(0), format(1, 1, 0, 16), data), "only PCM"},
		"short format":  {join(riff(0), chunkOf("fmt ", 2), []byte{1, 0}, data), "only PCM"},
		"endless chunk": {join(riff(0), chunkOf("LIST", 0xFFFFFFFF), pcm), "ends before"},
		"many chunks":   {join(riff(0), bytes.Repeat(chunkOf("LIST", 0), maxChunks+1), data), "more than 1000 chunks"},
	} {
		path := filepath.Join(t.TempDir(), "x.wav")
		writeFile(t, path, test.file)
		s, err := Listen(t.Context(), path)
		sum := sha256.Sum256(test.file)
		if err != nil || !strings.Contains(s.Fault, test.fault) || s.SHA256 != hex.EncodeToString(sum[:]) || s.Channels != 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if repaired, err := Repair(path); err == nil || repaired {
			t.Errorf("%s is repaired", name)
		}
	}
	if _, err := Listen(t.Context(), t.TempDir()); err == nil {
		t.Error("a folder is listened to")
	}
}

func TestListenEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	sampleSound().write(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Listen(ctx, path); err == nil {
		t.Error("it reads on after the end of its context")
	}
}

// TestSilences compares the ear, which gets a file in blocks that end anywhere,
// with a look at all samples at once.
func TestSilences(t *testing.T) {
	rnd := seeded(t, 7)
	for range 100 {
		s := newSynth(1+rnd.IntN(3), []int{8000, 16000, 11025, 48000}[rnd.IntN(4)])
		var want []Run
		at := 0
		ms := func(frames int) int64 { return int64((float64(frames)*1000)/float64(s.rate) + 0.5) }
		for range 1 + rnd.IntN(8) {
			n := rnd.IntN(s.rate / 4)
			silent := rnd.IntN(2) == 0
			for range n {
				s.frames = append(s.frames, map[bool]int16{true: 0, false: -1}[silent])
			}
			if k := len(want); silent && k > 0 && want[k-1].ToMS == int64(at) {
				want[k-1].ToMS = int64(at + n)
			} else if silent && n > 0 {
				want = append(want, Run{int64(at), int64(at + n)})
			}
			at += n
		}
		want = slices.DeleteFunc(want, func(r Run) bool { return (r.ToMS-r.FromMS)*1000 < minSilence*int64(s.rate) })
		for i, r := range want {
			want[i] = Run{ms(int(r.FromMS)), ms(int(r.ToMS))}
		}
		if got := hearInBlocks(t, s, rnd); !slices.Equal(got, want) {
			t.Fatalf("%d channels, %d Hz: got %v, want %v", s.channels, s.rate, got, want)
		}
	}
}

func hearInBlocks(t *testing.T, s *synth, rnd *rand.Rand) []Run {
	file := s.bytes()
	l, err := readLayout(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	e := ear{layout: l, sound: &Sound{}}
	for len(file) > 0 {
		n := min(len(file), 1+rnd.IntN([]int{5, 5000}[rnd.IntN(2)]))
		e.hear(file[:n])
		file = file[n:]
	}
	e.close()
	return e.sound.Silences
}

// FuzzWAV: no file makes the reader fail, or believe in more than is there, and a
// repaired one needs no repair.
func FuzzWAV(f *testing.F) {
	f.Add(sampleSound().bytes()[:200])
	f.Add(join(riff(8), format(1, 2, 8000, 16), chunkOf("data", 0), make([]byte, 101)))
	f.Add(join(riff(8), chunkOf("LIST", 3), make([]byte, 4), format(1, 1, 8000, 16), chunkOf("data", 7), make([]byte, 8), chunkOf("x y ", 1)))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := readLayout(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		if l.data+l.length > int64(len(file)) || l.length%l.frame() != 0 || l.length < 0 {
			t.Fatalf("%+v of %d bytes", l, len(file))
		}
		path := filepath.Join(dir, "x.wav")
		writeFile(t, path, file)
		if _, err := Repair(path); err != nil {
			t.Fatal(err)
		}
		again, err := Listen(t.Context(), path)
		if err != nil || again.Fault != "" || again.Unfinished || again.DurationMS != l.ms(l.length/l.frame()) {
			t.Fatalf("%+v, then %+v, %v", l, again, err)
		}
	})
}
