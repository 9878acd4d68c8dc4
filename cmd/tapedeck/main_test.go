package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outcome is the exit code of a command line, and what it printed.
type outcome struct {
	code           int
	stdout, stderr string
}

// tapedeck runs a command line in this process.
func tapedeck(args ...string) outcome { return tapedeckReads(nil, args...) }

// tapedeckReads runs a command line that reads a file as its standard input.
func tapedeckReads(stdin *os.File, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, environment{stdin, &stdout, &stderr, nil, false})
	return outcome{code, stdout.String(), stderr.String()}
}

// want fails unless it ended with the code and printed each of the texts.
func (o outcome) want(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, p := range []struct{ name, got, want string }{{"stdout", o.stdout, stdout}, {"stderr", o.stderr, stderr}} {
		if p.want == "" && p.got != "" || !strings.Contains(p.got, p.want) {
			t.Errorf("%s is %q, want %q in it", p.name, p.got, p.want)
		}
	}
}

// write makes a file in a new folder and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}, {"policy", "help"}, {"policy", "--help"}} {
		o := tapedeck(args...)
		o.want(t, exitDone, usage, "")
	}
	tapedeck().want(t, exitUsage, "", usage)
	for name := range commands {
		words := strings.Fields(name)
		if !strings.Contains(usage, "tapedeck "+name) {
			t.Errorf("the usage does not name %s", name)
		}
		tapedeck(append(words, "--help")...).want(t, exitDone, "tapedeck "+name, "")
	}
}

func TestErrorIsOneLine(t *testing.T) {
	var stderr bytes.Buffer
	if code := exitCode("demo", errors.Join(errors.New("one"), errors.New("two")), &stderr); code != exitFailed || stderr.String() != "tapedeck demo: one; two\n" {
		t.Errorf("%d, %q", code, &stderr)
	}
}
