package esl

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// capture is a recorded session with FreeSWITCH: the turns in order, each with
// who sent it. Files in testdata: `>>> N`, N bytes the controller sent, a line
// end; `<<< N`, N bytes that FreeSWITCH sent, a line end.
type capture struct {
	name  string
	turns []turn
}

type turn struct {
	sent bool // by the controller
	text []byte
}

// received is everything that FreeSWITCH sent.
func (c capture) received() []byte {
	var b []byte
	for _, t := range c.turns {
		if !t.sent {
			b = append(b, t.text...)
		}
	}
	return b
}

// commands is what the controller sent, without blank lines, one a command.
func (c capture) commands() []string {
	var b []byte
	for _, t := range c.turns {
		if t.sent {
			b = append(b, t.text...)
		}
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n\n"), "\n\n")
}

func captures(tb testing.TB) []capture {
	tb.Helper()
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		tb.Fatalf("no captures: %v", err)
	}
	var all []capture
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		turns, err := parseCapture(b)
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
		all = append(all, capture{filepath.Base(name), turns})
	}
	return all
}

func parseCapture(b []byte) (turns []turn, err error) {
	for len(b) > 0 {
		head, rest, _ := bytes.Cut(b, []byte{'\n'})
		mark, length, _ := strings.Cut(string(head), " ")
		n, err := strconv.Atoi(length)
		if err != nil || n >= len(rest) || (mark != ">>>" && mark != "<<<") {
			return nil, fmt.Errorf("bad turn %q", head)
		}
		turns = append(turns, turn{mark == ">>>", rest[:n]})
		b = rest[n+1:]
	}
	return turns, nil
}

// eventBodies is the body of every captured event.
func eventBodies(tb testing.TB) (bodies [][]byte) {
	for _, c := range captures(tb) {
		frames, _, err := parseAll(c.received(), Limits{}, 1<<30)
		if err != io.EOF {
			tb.Fatal(err)
		}
		for _, f := range frames {
			if f.kind == kindEvent {
				bodies = append(bodies, f.body)
			}
		}
	}
	return bodies
}

// parseAll feeds stream in chunks of a size and returns the frames, where in
// the stream each ended, and how the stream ended.
func parseAll(stream []byte, lim Limits, chunk int) (frames []frame, ends []int, err error) {
	p := newParser(lim)
	at := 0
	for at < len(stream) {
		b := stream[at:min(at+chunk, len(stream))]
		for len(b) > 0 {
			n, f, done, err := p.feed(b)
			at += n
			if err != nil {
				return frames, ends, err
			}
			if done {
				f.head = bytes.Clone(f.head)
				frames, ends = append(frames, f), append(ends, at)
			}
			b = b[n:]
		}
	}
	return frames, ends, endOf(p)
}

func sameFrames(a, b []frame) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d frames and %d", len(a), len(b))
	}
	for i := range a {
		if a[i].kind != b[i].kind || !bytes.Equal(a[i].head, b[i].head) || !bytes.Equal(a[i].body, b[i].body) {
			return fmt.Errorf("frame %d: %d %q %q and %d %q %q", i,
				a[i].kind, a[i].head, a[i].body, b[i].kind, b[i].head, b[i].body)
		}
	}
	return nil
}
