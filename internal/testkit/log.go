package testkit

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Log keeps what is written to it. Any number of goroutines may write and read
// it at the same time. The zero Log is empty and ready.
type Log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write; nil while nobody waits
}

// Write appends p. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

// String returns everything that was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Lines returns the lines that contain all of the words, in order, each with its
// line end. Without words it returns every line.
func (l *Log) Lines(words ...string) []string {
	return linesWith(l.String(), words)
}

// Await returns the nth line (the first is 1) that contains all of the words. It
// waits for it, and fails the test after Patience.
func (l *Log) Await(t testing.TB, n int, words ...string) string {
	t.Helper()
	late := time.After(Patience)
	for {
		lines, changed := l.look(words)
		if len(lines) >= n {
			return lines[n-1]
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("the log has %d lines with %q, want %d; the log:\n%s", len(lines), words, n, l)
		}
	}
}

// look returns the lines that contain all of the words, and a channel that the
// next write closes.
func (l *Log) look(words []string) (lines []string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return linesWith(l.text.String(), words), l.changed
}

func linesWith(text string, words []string) (lines []string) {
	for line := range strings.Lines(text) {
		lacks := func(word string) bool { return !strings.Contains(line, word) }
		if !slices.ContainsFunc(words, lacks) {
			lines = append(lines, line)
		}
	}
	return lines
}
