// Package wire holds sessions with a real FreeSWITCH 1.10.12, byte by byte: the
// specification of the event socket, for the tests of esl and of its simulation.
// Only tests import it, and it imports nothing of ours.
//
// A file of captures/ is a sequence of turns: `>>> N`, a line end, N bytes that
// the controller sent, a line end; or `<<< N` and what FreeSWITCH sent, likewise.
// NAME.watch.txt is a session of the watch link, NAME.outbound.txt one of the
// outbound socket in the same call.
package wire

import (
	"bytes"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

//go:embed captures/*.txt
var files embed.FS

// Capture is one connection from its first byte to its last.
type Capture struct {
	Name  string // of its file
	Turns []Turn // in the order in which they were sent
}

// Turn is what one side sent before the other side did.
type Turn struct {
	Sent bool // by the controller, not by FreeSWITCH
	Text []byte
}

// Captures returns every capture, in the order of their names. The caller may
// change them.
func Captures(t testing.TB) (all []Capture) {
	t.Helper()
	entries, err := files.ReadDir("captures")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, Read(t, e.Name()))
	}
	return all
}

// Read returns the capture in one file. The caller may change it.
func Read(t testing.TB, name string) Capture {
	t.Helper()
	text, err := files.ReadFile("captures/" + name)
	if err != nil {
		t.Fatal(err)
	}
	turns, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return Capture{name, turns}
}

func parse(text []byte) (turns []Turn, err error) {
	for len(text) > 0 {
		head, rest, _ := bytes.Cut(text, []byte{'\n'})
		mark, length, _ := strings.Cut(string(head), " ")
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n >= len(rest) || (mark != ">>>" && mark != "<<<") {
			return nil, fmt.Errorf("bad turn %q", head)
		}
		turns = append(turns, Turn{mark == ">>>", rest[:n]})
		text = rest[n+1:]
	}
	return turns, nil
}

// Received is everything that FreeSWITCH sent.
func (c Capture) Received() (stream []byte) {
	for _, t := range c.Turns {
		if !t.Sent {
			stream = append(stream, t.Text...)
		}
	}
	return stream
}

// Sent is what the controller sent, turn by turn.
func (c Capture) Sent() (turns []string) {
	for _, t := range c.Turns {
		if t.Sent {
			turns = append(turns, string(t.Text))
		}
	}
	return turns
}

// Commands is what the controller sent, one element a command, without the empty
// lines that end them.
func (c Capture) Commands() []string {
	return strings.Split(strings.TrimSuffix(strings.Join(c.Sent(), ""), "\n\n"), "\n\n")
}
