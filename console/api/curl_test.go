package api_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/internal/testkit"
)

// TestCurl runs the examples of docs/console.md against a real server.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	examples, err := os.ReadFile("testdata/curl.txt")
	if err != nil {
		t.Fatal(err)
	}
	l := newAPILab(t, func(c *console.Config) { c.Beat = 10 * time.Millisecond }) // after which curl notices that its pipe is closed
	dir, out, ran := t.TempDir(), "", 0
	for line := range strings.Lines(string(examples)) {
		line = strings.TrimSuffix(line, "\n")
		want, isWant := strings.CutPrefix(line, "#= ")
		switch {
		case isWant && !strings.Contains(out, want):
			t.Errorf("no %s in what it prints: %s", want, out)
		case line != "" && line[0] != '#':
			out = l.curl(dir, line)
			ran++
		}
	}
	if ran < 10 {
		t.Errorf("only %d examples", ran)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 {
		t.Errorf("%v %v", files, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "2026-11-20_090000_acme_02079460999_"+recAlice+".wav")); err != nil || !bytes.Equal(got, labSound()) {
		t.Errorf("the file that was taken away: %v", err)
	}
	if z, err := zip.OpenReader(filepath.Join(dir, "recordings.zip")); err != nil || len(z.File) != 2 {
		t.Errorf("the ZIP: %v", err)
	}
}

// curl runs one example in a folder of its own, and returns what it prints.
func (l *apiLab) curl(dir, line string) string {
	l.Helper()
	command := exec.CommandContext(l.Context(), "sh", "-c", line)
	command.Dir = dir
	command.Env = append(os.Environ(), "TAPEDECK="+l.URL, "TOKEN="+consoletest.Token("anna"), "ID="+recAlice, "CALL="+callAlice, "no_proxy=*")
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		l.Errorf("%s: %v: %s", line, err, errs.String())
	}
	testkit.Until(l, "what it changed is written", func() bool { return l.Store.Calls.Queued() == 0 && l.Store.Index.Queued() == 0 })
	return string(out)
}
