package esl

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"go.uber.org/goleak"

	"tapedeck/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eventBodies are the bodies of all captured events.
func eventBodies(tb testing.TB) (bodies [][]byte) {
	for _, c := range wire.Captures(tb) {
		frames, _, err := parseAll(c.Received(), Limits{}, 1<<30)
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

// parseAll feeds a parser the stream in chunks of this size. It returns the frames, the
// offset at which each ended, and how the stream ended.
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
