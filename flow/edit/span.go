package edit

import (
	"bytes"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// lineStarts is where the lines of a text begin, as yaml.v3 counts them.
func lineStarts(text []byte) []int {
	starts := []int{0}
	if bytes.HasPrefix(text, []byte("\uFEFF")) { // it has no column
		starts[0] = len("\uFEFF")
	}
	for i := starts[0]; i < len(text); {
		if n := breakAt(text, i); n > 0 {
			i += n
			starts = append(starts, i)
			continue
		}
		i++
	}
	return starts
}

// breakAt is the length of the line break that begins at i; 0 when there is none.
func breakAt(text []byte, i int) int {
	switch rest := text[i:]; {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		return 2
	case rest[0] == '\n', rest[0] == '\r':
		return 1
	case bytes.HasPrefix(rest, []byte("\u0085")):
		return 2
	case bytes.HasPrefix(rest, []byte("\u2028")), bytes.HasPrefix(rest, []byte("\u2029")):
		return 3
	}
	return 0
}

// start is where a node begins, its anchor included.
func (p *page) start(n *yaml.Node) int {
	at := p.lines[n.Line-1]
	for range n.Column - 1 { // columns are characters
		_, size := utf8.DecodeRune(p.text[at:])
		at += size
	}
	return at
}

// inside is where a node begins without its anchor.
func (p *page) inside(n *yaml.Node) int {
	at := p.start(n)
	if n.Anchor == "" {
		return at
	}
	return p.skip(at + len("&") + len(n.Anchor))
}

// skip passes over spaces, line breaks and comments.
func (p *page) skip(at int) int {
	for at < len(p.text) {
		switch n := breakAt(p.text, at); {
		case n > 0:
			at += n
		case p.text[at] == ' ' || p.text[at] == '\t':
			at++
		case p.text[at] == '#':
			at = p.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

// lineEnd is where the line ends, before its break.
func (p *page) lineEnd(at int) int {
	for at < len(p.text) && breakAt(p.text, at) == 0 {
		at++
	}
	return at
}

// nextLine is where the next line begins; the end of the text if there is none.
func (p *page) nextLine(at int) int {
	at = p.lineEnd(at)
	if at < len(p.text) {
		at += breakAt(p.text, at)
	}
	return at
}

// end is where a node ends.
func (p *page) end(n *yaml.Node) (int, error) {
	at := p.inside(n)
	switch {
	case n.Kind == yaml.AliasNode:
		return at + len("*") + len(n.Value), nil
	case n.Kind == yaml.ScalarNode:
		return p.scalarEnd(n, at)
	case n.Style&yaml.FlowStyle != 0:
		return p.flowEnd(n, at)
	case len(n.Content) == 0:
		return 0, byHand(n, "an empty block")
	}
	return p.end(n.Content[len(n.Content)-1])
}

func (p *page) scalarEnd(n *yaml.Node, at int) (int, error) {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := at + 1; i < len(p.text); i++ {
			switch p.text[i] {
			case '\\':
				i++
			case '"':
				return i + 1, nil
			}
		}
	case n.Style&yaml.SingleQuotedStyle != 0:
		for i := at + 1; i < len(p.text); i++ {
			switch {
			case p.text[i] != '\'':
			case i+1 < len(p.text) && p.text[i+1] == '\'':
				i++
			default:
				return i + 1, nil
			}
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && bytes.HasPrefix(p.text[at:], []byte(n.Value)):
		return at + len(n.Value), nil
	}
	return 0, byHand(n, "a text of several lines")
}

// flowEnd is behind the bracket that closes.
func (p *page) flowEnd(n *yaml.Node, at int) (int, error) {
	at++
	if len(n.Content) > 0 {
		var err error
		if at, err = p.end(n.Content[len(n.Content)-1]); err != nil {
			return 0, err
		}
	}
	at = p.skip(at)
	if at < len(p.text) && p.text[at] == ',' {
		at = p.skip(at + 1)
	}
	if at >= len(p.text) || p.text[at] != '}' && p.text[at] != ']' {
		return 0, byHand(n, "its end was not found")
	}
	return at + 1, nil
}

// colon is where the colon of a key ends.
func (p *page) colon(k *yaml.Node) (int, error) {
	at, err := p.end(k)
	if err != nil {
		return 0, err
	}
	if at = p.skip(at); at >= len(p.text) || p.text[at] != ':' {
		return 0, byHand(k, "a key without a colon")
	}
	return at + 1, nil
}

// alone reports whether a key is the first thing in its line.
func (p *page) alone(k *yaml.Node) bool {
	from := p.lines[k.Line-1]
	return len(bytes.Trim(p.text[from:p.start(k)], " ")) == 0
}
