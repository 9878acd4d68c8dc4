package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording"
)

// spool is a folder of recordings with its daemon file; no serve runs on it.
type spool struct {
	*testing.T
	root   string // has the daemon file, the policy file and the recordings
	config string
	dir    recording.Dir
}

// newSpool makes one, with more lines in its daemon file.
func newSpool(t *testing.T, policy, more string) *spool {
	t.Helper()
	s := &spool{T: t, root: demoDir(t)}
	s.config = filepath.Join(s.root, "tapedeck.yaml")
	s.file("tapedeck.yaml", []byte(labConfig(s.root, more)))
	s.file("policy.yaml", []byte(policy))
	if err := os.Mkdir(filepath.Join(s.root, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := recording.NewDir(filepath.Join(s.root, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	return s
}

// file writes a file below the root.
func (s *spool) file(name string, data []byte) (path string) {
	s.Helper()
	path = name
	if !filepath.IsAbs(name) {
		path = filepath.Join(s.root, name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// do runs `tapedeck recordings` on it.
func (s *spool) do(args ...string) outcome {
	s.Helper()
	return tapedeck(append(append([]string{"recordings"}, args...), "--config", s.config)...)
}

// began is when the first of the tests' calls started.
var began = time.Date(2026, 3, 9, 14, 30, 0, 250e6, time.UTC)

// sampleCall is a call of four seconds that alice paused in the third.
func sampleCall(id string, started time.Time) recording.Sidecar {
	yes := recording.Cause{Element: "number/+442079460001", Setting: "yes"}
	at := func(ms int) time.Time { return started.Add(time.Duration(ms) * time.Millisecond) }
	return recording.Sidecar{
		Version: recording.Version, Call: id, Organisation: "acme", Direction: "inbound", External: "+447700900123", Number: "+442079460001",
		Users: []string{"alice", "bob"}, Switch: "fs1", Anchor: id, Started: started, Answered: at(1000), Ended: at(5000),
		Trigger: "automatic", Decided: yes, File: &recording.File{Name: id + ".wav", Began: at(1000), Stopped: at(5000)},
		Spans: []recording.Span{
			{FromMS: 0, ToMS: 2000, State: recording.StateRecording, Cause: yes},
			{FromMS: 2000, ToMS: 3000, State: recording.StatePaused, Cause: recording.Cause{Toggle: "dtmf", User: "alice"}},
			{FromMS: 3000, ToMS: 4000, State: recording.StateRecording, Cause: recording.Cause{Toggle: "record_key", User: "bob"}},
		},
		Trace: []recording.Note{
			{At: started, What: "entered", Element: "number/+442079460001", Setting: "yes"},
			{At: at(4000), What: "pressed", Method: "record_key", User: "bob", Result: "ok"}, // later than the next one
			{At: at(3000), What: "pressed", Method: "dtmf", User: "alice", Result: "ok"},
		},
	}
}

// put writes a recording as the archive would, and returns the sound's path.
func (s *spool) put(c recording.Sidecar) (path string) {
	s.Helper()
	path, err := c.Path(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	if c.File != nil {
		s.file(path, wav(1000, 2000, -1, 1000, 1000, 1000))
	} else if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	c, err = recording.Examine(s.Context(), path, c, false)
	if err == nil {
		err = recording.WriteSidecar(recording.SidecarPath(path), c)
	}
	if err != nil {
		s.Fatal(err)
	}
	return path
}

// wav is a file of one channel: pairs of a sample, -1 for silence, and for how
// many milliseconds.
func wav(pairs ...int) []byte {
	var data []byte
	for i := 0; i < len(pairs); i += 2 {
		for range pairs[i+1] * 8 {
			data = binary.LittleEndian.AppendUint16(data, uint16(max(0, pairs[i])))
		}
	}
	return testkit.WAV(1, 8000, data)
}

// age makes a file look as if it was written so long ago.
func (s *spool) age(path string, by time.Duration) {
	s.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(path, then, then); err != nil {
		s.Fatal(err)
	}
}

// isThere reports whether a file is.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// audit is the audit file.
func (s *spool) audit() (lines []string) {
	s.Helper()
	text, err := os.ReadFile(recording.NewAudit(s.dir).Path())
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, line)
	}
	return lines
}

// indexes runs a test with the index inside serve, which the commands do not
// reach, and with one in a real Redis.
func indexes(t *testing.T, test func(t *testing.T, config string)) {
	t.Run("embedded", func(t *testing.T) { test(t, "") })
	t.Run("redis-server", func(t *testing.T) { test(t, newRedis(t).start().config()) })
}

// reindex makes the index, where there is one.
func (s *spool) reindex() {
	s.Helper()
	if o := s.do("reindex"); o.code != exitDone && !strings.Contains(o.stderr, "store.redis is embedded") {
		s.Fatalf("reindex: %+v", o)
	}
}
