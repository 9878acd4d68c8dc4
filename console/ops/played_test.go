package ops

import (
	"errors"
	"testing"
)

// TestHeard: nearly all of a file is all of it, whatever its size and in whatever order it
// went out.
func TestHeard(t *testing.T) {
	for _, size := range []int64{1, 2, 3, 100, 255, 256, 257, 1000, 32_044, 1 << 31, 1 << 40} {
		step := max(1, size/64)
		for _, backwards := range []bool{false, true} {
			var h heard
			lines, gone := 0, int64(0)
			for at := int64(0); at < size; at += step {
				from, to := at, min(at+step, size)
				if backwards {
					from, to = size-to, size-from
				}
				before := lines
				if err := h.add(from, to, size, func() error { lines++; return nil }); err != nil {
					t.Fatal(err)
				}
				if gone += to - from; lines > before && float64(gone) < (playedWhole-0.02)*float64(size) {
					t.Errorf("%d of %d bytes are taken for all", gone, size)
				}
			}
			if lines != 1 {
				t.Errorf("%d bytes, backwards %v: %d lines", size, backwards, lines)
			}
		}
	}
}

// TestHeardRefused: what is not written down is asked for again with the next byte.
func TestHeardRefused(t *testing.T) {
	var h heard
	refused := errors.New("no disk")
	asked := 0
	for range 3 {
		if err := h.add(0, 1000, 1000, func() error { asked++; return refused }); !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

// TestPlayedOf: two requests for one file share what they know; another account, or
// another state of the file, has its own.
func TestPlayedOf(t *testing.T) {
	p := newPlayed()
	one := playedFile{"lisa", "acme", "one", "tag"}
	first := p.of(one)
	if p.of(one) != first {
		t.Error("it is forgotten")
	}
	for _, other := range []playedFile{{"anna", "acme", "one", "tag"}, {"lisa", "zeta", "one", "tag"}, {"lisa", "acme", "two", "tag"}, {"lisa", "acme", "one", "new"}} {
		if p.of(other) == first {
			t.Errorf("%v is %v", other, one)
		}
	}
}
