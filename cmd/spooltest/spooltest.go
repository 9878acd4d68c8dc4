// Package spooltest makes folders of recordings with the daemon file that names them,
// for the tests of the commands and of the daemon's maintenance.
package spooltest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// Spool is a folder of recordings, its daemon file and its policy file. No daemon
// runs on it.
type Spool struct {
	*testing.T
	Root   string // has the daemon file, the policy file and the recordings
	Config string // path of the daemon file
	Dir    recording.Dir
}

// New makes one, with more lines in its daemon file.
func New(t *testing.T, policy, more string) *Spool {
	t.Helper()
	s := &Spool{T: t, Root: Folder(t)}
	s.Config = filepath.Join(s.Root, "tapedeck.yaml")
	s.File("tapedeck.yaml", []byte(DaemonFile(s.Root, more)))
	s.File("policy.yaml", []byte(policy))
	if err := os.Mkdir(filepath.Join(s.Root, "spool"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := recording.NewDir(filepath.Join(s.Root, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	s.Dir = dir
	return s
}

// Folder is a new folder whose name FreeSWITCH takes; those of t.TempDir may not be.
func Folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tapedeck-cmd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// DaemonFile is the text of a daemon file on free ports whose files are below dir,
// with more lines.
func DaemonFile(dir, more string) string {
	return fmt.Sprintf("listen: 127.0.0.1:0\nmetrics: { listen: 127.0.0.1:0 }\nhttp: { listen: 127.0.0.1:0, accounts: %s/accounts.yaml }\npolicy: %s/policy.yaml\nrecordings: { dir: %s/spool }\naudit: { dir: %s/audit, key: %s/audit.key }\nprompts: { dir: %s/sounds }\n%s",
		dir, dir, dir, dir, dir, dir, more)
}

// auditKey is a key that signs the evidence logs of tests.
const auditKey = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ
-----END PRIVATE KEY-----
`

// Files writes what DaemonFile names and a daemon needs: an accounts file without
// accounts, the key of the evidence log, a folder of prompts, and the daemon file, whose
// path it returns.
func Files(t *testing.T, dir, more string) (daemonFile string) {
	t.Helper()
	daemonFile = filepath.Join(dir, "tapedeck.yaml")
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "sounds", "en"), 0o700),
		os.WriteFile(filepath.Join(dir, "accounts.yaml"), []byte("version: 1\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "audit.key"), []byte(auditKey), 0o600),
		os.WriteFile(daemonFile, []byte(DaemonFile(dir, more)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return daemonFile
}

// File writes a file below the root.
func (s *Spool) File(name string, data []byte) (path string) {
	s.Helper()
	path = name
	if !filepath.IsAbs(name) {
		path = filepath.Join(s.Root, name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// Put writes a recording as the archive would, and returns the path of its sound.
func (s *Spool) Put(c recording.Sidecar) (path string) {
	s.Helper()
	path, err := Put(s.Dir, c)
	if err != nil {
		s.Fatal(err)
	}
	return path
}

// Put writes a recording below dir as the archive would, and returns the path of its
// sound: two seconds of sound, one of silence, one of sound, unless it has no file.
func Put(dir recording.Dir, c recording.Sidecar) (path string, err error) {
	if path, err = c.Path(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if c.File != nil {
		if err := os.WriteFile(path, WAV(1000, 2000, -1, 1000, 1000, 1000), 0o600); err != nil {
			return "", err
		}
	}
	if c, err = recording.Examine(context.Background(), path, c); err != nil {
		return "", err
	}
	return path, recording.WriteSidecar(recording.SidecarPath(path), c)
}

// WAV is a file of one channel: pairs of a sample, -1 for silence, and for how
// many milliseconds.
func WAV(pairs ...int) []byte {
	var data []byte
	for i := 0; i < len(pairs); i += 2 {
		for range pairs[i+1] * 8 {
			data = binary.LittleEndian.AppendUint16(data, uint16(max(0, pairs[i])))
		}
	}
	return testkit.WAV(1, 8000, data)
}

// Age makes a file look as if it was written so long ago.
func (s *Spool) Age(path string, by time.Duration) {
	s.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(path, then, then); err != nil {
		s.Fatal(err)
	}
}

// IsThere reports whether a file is.
func IsThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Audit returns the lines of the audit file.
func (s *Spool) Audit() (lines []string) {
	s.Helper()
	text, err := os.ReadFile(audit.New(s.Dir.String(), nil).Path())
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, line)
	}
	return lines
}
