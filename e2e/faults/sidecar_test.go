package faults

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/esl/esltest"
)

// sidecar is the description beside a file, read only by docs/design.md, section 8.
type sidecar struct {
	path         string
	Version      int
	Call         string
	Part         int
	Organisation string
	Anchor       string
	Started      time.Time
	Answered     time.Time
	Ended        time.Time
	Trigger      string
	File         *struct {
		Name       string
		Bytes      int64
		SHA256     string
		DurationMS int64 `json:"duration_ms"`
		Channels   int
		Rate       int
		Began      time.Time
		Stopped    time.Time
	}
	Spans []struct {
		FromMS  int64 `json:"from_ms"`
		ToMS    int64 `json:"to_ms"`
		SlackMS int64 `json:"slack_ms"`
		State   string
		Cause   struct{ Element, Setting, Toggle, User string }
	}
	Trace []struct {
		At                                                        time.Time
		What, Element, Setting, Method, User, Result, State, Call string
	}
	Previous, Next string
	Complete       bool
	Problems       []string
}

// wav is the path of the file that it describes, whether or not there is one.
func (s sidecar) wav() string { return strings.TrimSuffix(s.path, ".json") + ".wav" }

func (s sidecar) has(codes ...string) bool {
	return slices.ContainsFunc(s.Problems, func(p string) bool {
		code, _, _ := strings.Cut(p, ":")
		return slices.Contains(codes, code)
	})
}

// empty reports whether the recording ended before its first packet, so that
// FreeSWITCH deleted the file.
func (s sidecar) empty() bool {
	return len(s.Problems) == 1 && s.has("file missing", "not started") && s.Ended.Sub(s.Answered) < 300*time.Millisecond
}

// sidecars reads the finished sidecars and, with drafts, the drafts of recordings that
// are not over.
func (s *stage) sidecars(drafts bool) []sidecar {
	paths := s.files(".json")
	if drafts {
		more, _ := filepath.Glob(s.spool + "/.live/*.json")
		paths = append(paths, more...)
	}
	var all []sidecar
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // a draft that was finished meanwhile
		}
		one := sidecar{path: path}
		if err := json.Unmarshal(text, &one); err != nil {
			s.fails("%s is no JSON: %v", path, err)
			continue
		}
		all = append(all, one)
	}
	return all
}

// frame is the length of sound that is analysed at once: one packet.
const frame = 20 * time.Millisecond

// edge is how far the edge of a span may be from the edge in the audio.
const edge = 60 * time.Millisecond

// audio is the content of a sound file.
type audio struct {
	bytes  int64
	sum    string
	length time.Duration
	heard  []esltest.Heard
	stall  time.Duration // how long the simulated switch stood still when it began the file
}

func listen(path string) (*audio, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	a := &audio{bytes: int64(len(b)), sum: hex.EncodeToString(sum[:])}
	if a.length, err = esltest.Length(path); err != nil {
		return nil, err
	}
	all := []float64{outsideTone}
	for _, hz := range tones {
		all = append(all, float64(hz))
	}
	a.heard, err = esltest.Listen(path, frame, all...)
	return a, err
}

// speech is the first place between from and to where anybody speaks.
func (a *audio) speech(from, to time.Duration) (at time.Duration, found bool) {
	for _, h := range a.heard {
		if start, end := max(h.From, from), min(h.To, to); start < end && len(h.Tones()) > 0 {
			return start, true
		}
	}
	return 0, false
}

// silence is the first place between from and to where the recorded party is not heard
// for longer than edge, and longer than the simulated switch stood still.
func (a *audio) silence(from, to time.Duration) (at time.Duration, found bool) {
	edge := edge + a.stall
	at = from
	for _, h := range a.heard {
		start, end := max(h.From, from), min(h.To, to)
		if start >= end || len(h.Channels[0]) == 0 {
			continue
		}
		if start-at > edge {
			return at, true
		}
		at = end
	}
	return at, to-at > edge
}
