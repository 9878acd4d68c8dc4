package esl

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"tapedeck/internal/wire"
)

// largeEvent is the captured event whose size is nearest to 8 KB, as a whole message.
func largeEvent(b *testing.B) []byte {
	far := func(body []byte) int { return max(len(body)-8192, 8192-len(body)) }
	body := slices.MinFunc(eventBodies(b), func(x, y []byte) int { return far(x) - far(y) })
	return fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body)
}

// BenchmarkEvent parses one event and reads the headers that a handler reads.
func BenchmarkEvent(b *testing.B) {
	wire := largeEvent(b)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	p := newParser(Limits{})
	for b.Loop() {
		_, f, done, err := p.feed(wire)
		if !done {
			b.Fatal(err)
		}
		e, err := newEvent(f.body, true, 8192)
		if err != nil || e.Name() == "" || e.Get("Unique-ID") == "" {
			b.Fatal(err)
		}
		_ = e.Variable("tapedeck_call")
		_ = e.Get("Other-Leg-Unique-ID")
	}
}

// BenchmarkEventWhole also decodes every header.
func BenchmarkEventWhole(b *testing.B) {
	wire := largeEvent(b)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	p := newParser(Limits{})
	for b.Loop() {
		_, f, _, _ := p.feed(wire)
		e, err := newEvent(f.body, true, 8192)
		if err != nil {
			b.Fatal(err)
		}
		for name, value := range e.All() {
			_, _ = name, value
		}
	}
}

// BenchmarkCaptures reads every captured session.
func BenchmarkCaptures(b *testing.B) {
	var streams [][]byte
	var size int64
	for _, c := range wire.Captures(b) {
		streams = append(streams, c.Received())
		size += int64(len(streams[len(streams)-1]))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range streams {
			if _, _, err := parseAll(s, Limits{}, readSize); err != io.EOF {
				b.Fatal(err)
			}
		}
	}
}

// TestAllocations limits the allocations of an event: its text, its index, itself, and
// each value that is read.
func TestAllocations(t *testing.T) {
	body := eventBodies(t)[0]
	wire := fmt.Appendf(nil, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", len(body), body)
	p := newParser(Limits{})
	got := testing.AllocsPerRun(100, func() {
		_, f, _, _ := p.feed(wire)
		e, err := newEvent(f.body, true, 8192)
		if err != nil || e.Name() != "CHANNEL_CREATE" || !bytes.Contains(e.text, []byte("Unique-ID")) {
			t.Fatal(err)
		}
	})
	if got > 5 {
		t.Errorf("%v allocations an event", got)
	}
}
