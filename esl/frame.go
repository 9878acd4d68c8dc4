package esl

import (
	"bytes"
	"strings"
)

// What a peer may send wrongly, and what follows:
//
//	header line without a colon in a block       ErrProtocol
//	... in an event                              a header of that name, no value
//	block without Content-Type, or with two      ErrProtocol
//	Content-Length absent                        no body
//	... empty, negative, signed, not a number    ErrProtocol
//	... twice, even with the same value          ErrProtocol
//	... above Limits.Body, of any length         ErrLimit; nothing is allocated
//	block above Limits.Block, or never ending    ErrLimit, at the first byte too many
//	more than Limits.Headers lines               ErrLimit
//	stream ends within a block or a body         io.ErrUnexpectedEOF
//	body shorter than announced                  the next block is read as body; then one of the above
//	body longer than announced                   the rest is read as a block; then one of the above
//	blank lines before a block                   skipped
//	lines that end in CR LF                      read as if they ended in LF
//	header names like variable_a[0], in UTF-8    kept as they are
//	bad percent escapes                          kept as they are
//	NUL and other control bytes                  kept as they are
//	reply with no command waiting                ErrProtocol
//	text/event-json, text/event-xml              ErrProtocol: only plain is asked for
//	log/data, unknown Content-Type               skipped with its body
//	bytes after a disconnect notice              not read
//
// Whoever writes the dialplan names the variables of a channel, so an event is
// never refused for the form of a name. The headers of a block are FreeSWITCH's
// own.

// kind is a frame's Content-Type.
type kind uint8

const (
	kindUnknown    kind = iota
	kindReply           // command/reply
	kindAPI             // api/response
	kindEvent           // text/event-plain
	kindForeign         // text/event-json, text/event-xml
	kindAuth            // auth/request
	kindDisconnect      // text/disconnect-notice
	kindRejection       // text/rude-rejection
)

var kinds = map[string]kind{
	"command/reply":          kindReply,
	"api/response":           kindAPI,
	"text/event-plain":       kindEvent,
	"text/event-json":        kindForeign,
	"text/event-xml":         kindForeign,
	"auth/request":           kindAuth,
	"text/disconnect-notice": kindDisconnect,
	"text/rude-rejection":    kindRejection,
}

// frame is one message: a block of headers and the body that its
// Content-Length announces.
type frame struct {
	kind kind
	head []byte // header lines, each with its line end; valid until the next feed
	body []byte // owned by whoever gets the frame from feed
}

// parser cuts a byte stream into frames. It is pure and incremental: the same
// bytes give the same frames and the same error, in whatever chunks they come. The
// memory that it holds is at most twice the bytes of the unfinished frame, or
// keptBlock.
type parser struct {
	lim    Limits
	block  []byte // the block so far
	line   int    // where in block the current line starts
	lines  int    // complete header lines in block
	inBody bool
	need   int // length of the body
	cur    frame
	err    error // final
}

func newParser(lim Limits) *parser { return &parser{lim: lim.orDefaults()} }

// idle reports whether the parser stands between two frames.
func (p *parser) idle() bool { return !p.inBody && len(p.block) == 0 }

// held is how many bytes the parser holds.
func (p *parser) held() int { return cap(p.block) + cap(p.cur.body) }

// keptBlock is how much memory, in bytes, is kept from one block for the next.
const keptBlock = 16 << 10

// feed takes bytes from b, up to the end of a frame or of b, and returns how many
// it took. If done, f is a frame. An error is final.
func (p *parser) feed(b []byte) (n int, f frame, done bool, err error) {
	if p.err != nil {
		return 0, frame{}, false, p.err
	}
	for n < len(b) && !done && p.err == nil {
		if p.inBody {
			n += p.takeBody(b[n:])
			done = len(p.cur.body) == p.need
		} else {
			n += p.takeLine(b[n:], &done)
		}
	}
	if p.err != nil {
		return n, frame{}, false, p.err
	}
	if !done {
		return n, frame{}, false, nil
	}
	f, p.cur, p.inBody = p.cur, frame{}, false
	if p.block = p.block[:0]; cap(p.block) > keptBlock {
		p.block = nil
	}
	p.line, p.lines = 0, 0
	return n, f, true, nil
}

// takeLine takes up to one line of a block from b and returns how many bytes it
// took. It sets done when the block has ended and announces no body.
func (p *parser) takeLine(b []byte, done *bool) int {
	if len(p.block) == 0 && b[0] == '\n' { // blank lines before the block
		return len(b) - len(bytes.TrimLeft(b, "\n"))
	}
	n := len(b)
	end := bytes.IndexByte(b, '\n')
	if end >= 0 {
		n = end + 1
	}
	if len(p.block)+n > p.lim.Block {
		p.err = limitError("header block above %d bytes", p.lim.Block)
		return n
	}
	p.block = append(p.block, b[:n]...)
	if end < 0 {
		return n
	}
	line := trimLine(p.block[p.line:])
	switch {
	case len(line) > 0:
		p.endLine(line)
	case p.line == 0:
		p.block = p.block[:0] // a blank line before the block
	default:
		p.block = p.block[:p.line]
		p.endBlock()
		*done = p.err == nil && !p.inBody
	}
	return n
}

// endLine checks a complete header line.
func (p *parser) endLine(line []byte) {
	p.lines++
	p.line = len(p.block)
	if p.lines > p.lim.Headers {
		p.err = limitError("more than %d headers", p.lim.Headers)
	} else if bytes.IndexByte(line, ':') < 0 {
		p.err = protocolError("header line without a colon: %q", clip(string(line)))
	}
}

// endBlock reads the headers that say what the frame is and whether it has a
// body.
func (p *parser) endBlock() {
	var contentType, length []byte
	var types, lengths int
	for rest := p.block; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		name, value := splitHeader(line)
		switch {
		case asciiEqualFold(name, "Content-Type"):
			contentType, types = value, types+1
		case asciiEqualFold(name, "Content-Length"):
			length, lengths = value, lengths+1
		}
	}
	switch {
	case types != 1:
		p.err = protocolError("%d Content-Type headers in a block", types)
	case lengths > 1:
		p.err = protocolError("%d Content-Length headers in a block", lengths)
	case lengths == 1:
		p.need, p.err = parseLength(length, p.lim.Body)
		p.inBody = p.need > 0
	}
	p.cur = frame{kind: kinds[string(contentType)], head: p.block}
}

// takeBody takes the bytes of the body that b has and returns how many. It
// allocates memory for bytes that have come, never for those that Content-Length
// only announces.
func (p *parser) takeBody(b []byte) int {
	body := p.cur.body
	n := min(len(b), p.need-len(body))
	if len(body)+n > cap(body) {
		grown := make([]byte, len(body), min(p.need, max(len(body)+n, 2*cap(body))))
		copy(grown, body)
		body = grown
	}
	p.cur.body = append(body, b[:n]...)
	return n
}

// parseLength reads a Content-Length: decimal digits and nothing else.
func parseLength(s []byte, most int) (int, error) {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, protocolError("Content-Length is not a number: %q", clip(string(s)))
		}
		n = min(n*10+int(c-'0'), most+1) // so that no number of digits overflows it
	}
	if len(s) == 0 {
		return 0, protocolError("Content-Length is empty")
	}
	if n > most {
		return 0, limitError("body above %d bytes", most)
	}
	return n, nil
}

// cutLine splits off the first line, without its line end.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest
}

// trimLine takes the line end off.
func trimLine(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}

// splitHeader cuts a line at ": ", which FreeSWITCH writes (switch_event.c,
// switch_event_serialize), so that a name may contain a colon. If there is no
// ": ", it cuts at the first colon; if there is none, the whole line is the name.
func splitHeader(line []byte) (name, value []byte) {
	if i := bytes.Index(line, []byte(": ")); i >= 0 {
		return line[:i], line[i+2:]
	}
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		return line[:i], line[i+1:]
	}
	return line, nil
}

func asciiEqualFold(b []byte, s string) bool {
	return len(b) == len(s) && strings.EqualFold(string(b), s)
}
