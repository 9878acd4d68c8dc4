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

// sidecar is what lies beside a file, read by docs/design.md, section 8, alone.
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
		At                                                  time.Time
		What, Element, Setting, Method, User, Result, State string
	}
	Previous, Next string
	Complete       bool
	Problems       []string
}

// wav is the file that it is of, whether or not there is one.
func (s sidecar) wav() string { return strings.TrimSuffix(s.path, ".json") + ".wav" }

func (s sidecar) has(codes ...string) bool {
	return slices.ContainsFunc(s.Problems, func(p string) bool {
		code, _, _ := strings.Cut(p, ":")
		return slices.Contains(codes, code)
	})
}

// empty: the recording ended before its first packet, and FreeSWITCH took the file
// away again.
func (s sidecar) empty() bool {
	return len(s.Problems) == 1 && s.has("file missing", "not started") && s.Ended.Sub(s.Answered) < 300*time.Millisecond
}

// sidecars reads those that are finished, and, with drafts, those of files that
// are being written.
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

// frame is how finely files are listened to: one packet.
const frame = 20 * time.Millisecond

// edge is how far a span's edge may be from the sound's.
const edge = 60 * time.Millisecond

// audio is what is heard in a file.
type audio struct {
	bytes  int64
	sum    string
	length time.Duration
	heard  []esltest.Heard
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

// speech is the first place from..to where anybody speaks.
func (a *audio) speech(from, to time.Duration) (at time.Duration, found bool) {
	for _, h := range a.heard {
		if start, end := max(h.From, from), min(h.To, to); start < end && len(h.Tones()) > 0 {
			return start, true
		}
	}
	return 0, false
}

// silence is the first place from..to where the recorded party is not heard for
// longer than an edge may be away.
func (a *audio) silence(from, to time.Duration) (at time.Duration, found bool) {
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
