package esl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"tapedeck/internal/wire"
)

// TestHostile is the table in frame.go.
func TestHostile(t *testing.T) {
	lim := Limits{Block: 1 << 10, Headers: 20, Body: 1 << 10}
	event := "Content-Length: 20\nContent-Type: text/event-plain\n\nEvent-Name: CUSTOM\n\n"
	tests := []struct {
		name   string
		stream string
		frames int
		err    error // io.EOF: none
	}{
		{"nothing", "", 0, io.EOF},
		{"an event", event, 1, io.EOF},
		{"CR LF", "Content-Type: auth/request\r\n\r\n", 1, io.EOF},
		{"blank lines before", "\n\r\n\nContent-Type: auth/request\n\n", 1, io.EOF},
		{"blank lines between", event + "\n\n" + event, 2, io.EOF},
		{"only blank lines", strings.Repeat("\n", 5000), 0, io.EOF},
		{"no colon", "GET / HTTP/1.1\r\n", 0, ErrProtocol},
		{"no colon in the second line", "Content-Type: auth/request\nboo\n", 0, ErrProtocol},
		{"no Content-Type", "Host: x\n\n", 0, ErrProtocol},
		{"two Content-Types", "Content-Type: auth/request\ncontent-type: api/response\n\n", 0, ErrProtocol},
		{"negative length", "Content-Type: api/response\nContent-Length: -1\n\n", 0, ErrProtocol},
		{"signed length", "Content-Type: api/response\nContent-Length: +1\n\na", 0, ErrProtocol},
		{"no number", "Content-Type: api/response\nContent-Length: ten\n\n", 0, ErrProtocol},
		{"fraction", "Content-Type: api/response\nContent-Length: 1.0\n\na", 0, ErrProtocol},
		{"hexadecimal", "Content-Type: api/response\nContent-Length: 0x1\n\na", 0, ErrProtocol},
		{"empty length", "Content-Type: api/response\nContent-Length: \n\n", 0, ErrProtocol},
		{"space in the length", "Content-Type: api/response\nContent-Length: 1 1\n\n", 0, ErrProtocol},
		{"length twice", "Content-Type: api/response\nContent-Length: 1\nContent-Length: 2\n\nab", 0, ErrProtocol},
		{"length twice, the same", "Content-Type: api/response\nContent-Length: 1\ncontent-length: 1\n\na", 0, ErrProtocol},
		{"huge length", "Content-Type: api/response\nContent-Length: 1025\n\n", 0, ErrLimit},
		{"length beyond any integer", "Content-Type: api/response\nContent-Length: " + strings.Repeat("9", 400) + "\n\n", 0, ErrLimit},
		{"length 2^64+1", "Content-Type: api/response\nContent-Length: 18446744073709551617\n\na", 0, ErrLimit},
		{"largest length", "Content-Type: api/response\nContent-Length: 1024\n\n" + strings.Repeat("a", 1024), 1, io.EOF},
		{"leading zeros", "Content-Type: api/response\nContent-Length: 0002\n\nab", 1, io.EOF},
		{"length zero", "Content-Type: api/response\nContent-Length: 0\n\n", 1, io.EOF},
		{"block too large", "a: " + strings.Repeat("b", 1<<10) + "\n\n", 0, ErrLimit},
		{"line without an end", strings.Repeat("b", 1<<11), 0, ErrLimit},
		{"too many headers", strings.Repeat("a: b\n", 21), 0, ErrLimit},
		{"body missing", "Content-Type: api/response\nContent-Length: 3\n\n", 0, io.ErrUnexpectedEOF},
		{"body short", "Content-Type: api/response\nContent-Length: 3\n\nab", 0, io.ErrUnexpectedEOF},
		{"block cut", "Content-Type: api/response\n", 0, io.ErrUnexpectedEOF},
		{"body longer than said", "Content-Type: api/response\nContent-Length: 1\n\nabc\n\n", 1, ErrProtocol},
		{"brackets and UTF-8 in names", "Content-Type: command/reply\nvariable_a[0]: 1\nvariable_é☎: 2\n: 3\n\n", 1, io.EOF},
		{"control bytes", "Content-Type: command/reply\n\x00\x01: \xff\xfe\x00\n\n", 1, io.EOF},
		{"unknown type", "Content-Type: text/plain\nContent-Length: 2\n\nab" + event, 2, io.EOF},
		{"log", "Content-Type: log/data\nContent-Length: 2\nLog-Level: 7\n\nab" + event, 2, io.EOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			whole, _, err := parseAll([]byte(test.stream), lim, 1<<30)
			if len(whole) != test.frames || !errors.Is(err, test.err) {
				t.Fatalf("%d frames and %v, want %d and %v", len(whole), err, test.frames, test.err)
			}
			bytewise, _, again := parseAll([]byte(test.stream), lim, 1)
			if fmt.Sprint(err) != fmt.Sprint(again) {
				t.Errorf("byte by byte: %v, whole: %v", again, err)
			}
			if err := sameFrames(whole, bytewise); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestErrorIsFinal: after an error nothing more is read.
func TestErrorIsFinal(t *testing.T) {
	p := newParser(Limits{})
	if _, _, _, err := p.feed([]byte("boo\n")); !errors.Is(err, ErrProtocol) {
		t.Fatal(err)
	}
	if n, _, done, err := p.feed([]byte("Content-Type: auth/request\n\n")); n != 0 || done || !errors.Is(err, ErrProtocol) {
		t.Errorf("took %d, %v, %v", n, done, err)
	}
}

// TestPromisedBodyCostsNothing: memory is allocated only for bytes that have come.
func TestPromisedBodyCostsNothing(t *testing.T) {
	head := []byte("Content-Type: api/response\nContent-Length: 16777216\n\nabc")
	parsers := make([]*parser, 100)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range parsers {
		parsers[i] = newParser(Limits{})
		if _, _, done, err := parsers[i].feed(head); done || err != nil {
			t.Fatal(done, err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / uint64(len(parsers)); each > 4096 {
		t.Errorf("%d bytes allocated for a body that did not come", each)
	}
	runtime.KeepAlive(parsers)
}

// TestLargestBody: a body of 16 MB in small chunks arrives, and takes at most twice the
// memory.
func TestLargestBody(t *testing.T) {
	p := newParser(Limits{})
	stream := append([]byte("Content-Type: api/response\nContent-Length: 16777216\n\n"), bytes.Repeat([]byte("x"), 16<<20)...)
	for at := 0; at < len(stream); {
		n, f, done, err := p.feed(stream[at:min(at+1000, len(stream))])
		if err != nil {
			t.Fatal(err)
		}
		at += n
		if held := max(cap(p.cur.body), cap(f.body)); held > 2*at {
			t.Fatalf("%d bytes held when %d had come", held, at)
		}
		if done && (at != len(stream) || len(f.body) != 16<<20) {
			t.Fatalf("body of %d bytes at %d", len(f.body), at)
		}
	}
}

// FuzzReader: in whatever chunks a stream comes, it gives the same frames and the same
// error, and the parser holds at most twice its bytes. An event has exactly what the
// stream had.
func FuzzReader(f *testing.F) {
	for _, c := range wire.Captures(f) {
		stream := c.Received()
		f.Add(stream[:min(len(stream), 9000)], uint16(7))
		f.Add(stream[max(0, len(stream)-3000):], uint16(1))
	}
	f.Add([]byte("Content-Type: api/response\nContent-Length: 16777216\n\n"), uint16(3))
	f.Add([]byte("Content-Type: api/response\r\nContent-Length: 3\r\n\r\nabc\n\nContent-Type: log/data\n\n"), uint16(2))
	lim := Limits{Block: 4 << 10, Headers: 100, Body: 64 << 10}
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint16) {
		whole, ends, err := parseAll(stream, lim, 1<<30)
		for _, size := range []int{1, int(chunk) + 1} {
			parts, partEnds, again := parseAll(stream, lim, size)
			if fmt.Sprint(err) != fmt.Sprint(again) {
				t.Fatalf("in chunks of %d: %v, whole: %v", size, again, err)
			}
			if err := sameFrames(whole, parts); err != nil {
				t.Fatalf("in chunks of %d: %v", size, err)
			}
			if fmt.Sprint(ends) != fmt.Sprint(partEnds) {
				t.Fatalf("in chunks of %d: ends %v, whole: %v", size, partEnds, ends)
			}
		}
		held := 0
		for _, f := range whole {
			held += len(f.head) + cap(f.body)
			checkAnyEvent(t, f.body, lim.Headers)
		}
		if held > 2*len(stream) {
			t.Fatalf("%d bytes held of a stream of %d", held, len(stream))
		}
	})
}

// checkAnyEvent asserts, for any bytes that are read as an event, that each header is
// found again, and that the event has no more bytes than the text.
func checkAnyEvent(t *testing.T, text []byte, most int) {
	e, err := newEvent(text, true, most)
	if err != nil {
		if !errors.Is(err, ErrLimit) {
			t.Fatal(err)
		}
		return
	}
	total := len(e.Body())
	for name, value := range e.All() {
		total += len(name) + len(value)
		if !has(e, name) {
			t.Fatalf("header %q is not found", name)
		}
	}
	if total > len(text) || e.Len() > most {
		t.Fatalf("%d headers, %d bytes of %d", e.Len(), total, len(text))
	}
}

// TestLargeBlockIsNotKept: after one large block a connection frees its memory.
func TestLargeBlockIsNotKept(t *testing.T) {
	p := newParser(Limits{})
	block := []byte("Content-Type: command/reply\nx: " + strings.Repeat("y", 100<<10) + "\n\n")
	if _, f, done, err := p.feed(block); !done || err != nil || len(f.head) != len(block)-1 {
		t.Fatal(done, err)
	}
	if p.held() > keptBlock {
		t.Errorf("%d bytes kept", p.held())
	}
}
