package esl

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"tapedeck/internal/wire"
)

// referenceFrame is a frame as a simple reader reads it, which has the whole stream and
// trusts it.
type referenceFrame struct {
	headers [][2]string
	body    string
}

func referenceFrames(t *testing.T, stream string) (frames []referenceFrame) {
	t.Helper()
	for stream != "" {
		block, rest, found := strings.Cut(stream, "\n\n")
		if !found {
			t.Fatalf("block without an end: %q", clip(stream))
		}
		f := referenceFrame{headers: referenceHeaders(block)}
		for _, h := range f.headers {
			if h[0] == "Content-Length" {
				n, err := strconv.Atoi(h[1])
				if err != nil {
					t.Fatal(err)
				}
				f.body, rest = rest[:n], rest[n:]
			}
		}
		frames, stream = append(frames, f), rest
	}
	return frames
}

func referenceHeaders(block string) (headers [][2]string) {
	for line := range strings.SplitSeq(block, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, [2]string{name, value})
	}
	return headers
}

// TestCapturesWhole reads every captured session and compares each event,
// header by header, with the reference.
func TestCapturesWhole(t *testing.T) {
	for _, c := range wire.Captures(t) {
		t.Run(c.Name, func(t *testing.T) {
			frames, _, err := parseAll(c.Received(), Limits{}, 1<<30)
			if err != io.EOF {
				t.Fatalf("stream ended with %v", err)
			}
			want := referenceFrames(t, string(c.Received()))
			if len(frames) != len(want) {
				t.Fatalf("%d frames, want %d", len(frames), len(want))
			}
			for i, f := range frames {
				if string(f.body) != want[i].body {
					t.Errorf("frame %d: body %q, want %q", i, clip(string(f.body)), clip(want[i].body))
				}
				checkFrame(t, f, want[i])
			}
		})
	}
}

func checkFrame(t *testing.T, f frame, want referenceFrame) {
	t.Helper()
	switch f.kind {
	case kindEvent:
		e, err := newEvent(f.body, true, 8192)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(want.body, "\n\n")
		checkHeaders(t, e, referenceHeaders(head), true)
		if string(e.Body()) != body {
			t.Errorf("%s: body %q, want %q", e.Name(), e.Body(), body)
		}
	case kindReply:
		r, err := newReply(f, 8192)
		if err != nil {
			t.Fatal(err)
		}
		checkHeaders(t, r.Event(), want.headers, want.headers[0][0] == "Event-Name")
	case kindAPI, kindAuth, kindDisconnect:
	default:
		t.Errorf("unexpected kind %d: %q", f.kind, f.head)
	}
}

func checkHeaders(t *testing.T, e *Event, want [][2]string, encoded bool) {
	t.Helper()
	i := 0
	for name, value := range e.All() {
		wanted := want[i][1]
		if encoded {
			var err error
			if wanted, err = url.PathUnescape(wanted); err != nil {
				t.Fatal(err)
			}
			if wanted == "_undef_" {
				wanted = ""
			}
		}
		if name != want[i][0] || value != wanted {
			t.Errorf("header %d: %q %q, want %q %q", i, name, value, want[i][0], wanted)
		}
		if e.Get(name) != value { // no capture has a name twice
			t.Errorf("Get(%q) = %q, want %q", name, e.Get(name), value)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d headers, want %d", i, len(want))
	}
}

// TestCapturesCut feeds every captured session byte by byte, and checks at every
// offset what a stream that ends there gives: exactly the frames that are complete,
// and as its end io.EOF at the end of a frame and io.ErrUnexpectedEOF elsewhere.
func TestCapturesCut(t *testing.T) {
	for _, c := range wire.Captures(t) {
		t.Run(c.Name, func(t *testing.T) {
			stream := c.Received()
			want, ends, _ := parseAll(stream, Limits{}, 1<<30)
			var got []frame
			p := newParser(Limits{})
			for i := range stream {
				n, f, done, err := p.feed(stream[i : i+1])
				if n != 1 || err != nil {
					t.Fatalf("offset %d: took %d, %v", i, n, err)
				}
				atEnd := len(got) < len(ends) && ends[len(got)] == i+1
				if done != atEnd {
					t.Fatalf("offset %d: frame complete is %v, want %v", i+1, done, atEnd)
				}
				end := endOf(p)
				if atEnd && end != io.EOF || !atEnd && !errors.Is(end, io.ErrUnexpectedEOF) {
					t.Fatalf("cut at %d: %v", i+1, end)
				}
				if done {
					f.head = bytes.Clone(f.head)
					got = append(got, f)
				}
			}
			if err := sameFrames(got, want); err != nil {
				t.Error(err)
			}
		})
	}
}

// readerConn is a net.Conn whose peer sends the content of r and reads everything.
type readerConn struct {
	net.Conn
	r io.Reader
}

func (c readerConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// TestCapturesConn replays every session to a Conn whose reads return one byte each:
// it returns the same events, in order, and then the end.
func TestCapturesConn(t *testing.T) {
	for _, c := range wire.Captures(t) {
		t.Run(c.Name, func(t *testing.T) {
			stream := c.Received()
			conn, sent := replayTo(t, c, iotest.OneByteReader(bytes.NewReader(stream)))
			if err := conn.Run(t.Context()); !errors.Is(err, io.EOF) {
				t.Fatalf("Run: %v", err)
			}
			for _, b := range sent {
				if b.got != len(b.replies) {
					t.Errorf("%d replies of %d", b.got, len(b.replies))
				}
			}
			frames, _, _ := parseAll(stream, Limits{}, 1<<30)
			for _, f := range frames {
				if f.kind != kindEvent {
					continue
				}
				e, err := conn.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(e.text, f.body) {
					t.Fatalf("event %q, want %q", clip(string(e.text)), clip(string(f.body)))
				}
			}
			if _, err := conn.Next(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("after the last event: %v", err)
			}
		})
	}
}

// TestCapturesConnCut ends the stream at each frame's end, and some bytes before and
// after: Run tells whether the stream ended within a message.
func TestCapturesConnCut(t *testing.T) {
	for _, c := range wire.Captures(t) {
		stream := c.Received()
		_, ends, _ := parseAll(stream, Limits{}, 1<<30)
		for _, end := range ends {
			for cut := max(0, end-2); cut <= min(len(stream), end+2); cut++ {
				conn, _ := replayTo(t, c, bytes.NewReader(stream[:cut]))
				err := conn.Run(t.Context())
				if whole := cut == end; whole && !errors.Is(err, io.EOF) || !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%s cut at %d (frame ends at %d): %v", c.Name, cut, end, err)
				}
			}
		}
	}
}

// replayTo makes a Conn that reads r and has a place for each reply of the
// session.
func replayTo(t *testing.T, c wire.Capture, r io.Reader) (*Conn, []*batch) {
	near, far := net.Pipe()
	t.Cleanup(func() { _ = far.Close() })
	conn := NewConn(readerConn{near, r}, Limits{})
	var sent []*batch
	for range c.Commands() {
		b := &batch{replies: make([]Reply, 1), done: make(chan struct{})}
		conn.places = append(conn.places, place{b, 0})
		sent = append(sent, b)
	}
	return conn, sent
}
