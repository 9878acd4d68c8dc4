package edit

import (
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// step is one key on the way to a change: the mapping in which it is, and the key and the
// value if they are there.
type step struct {
	in         *yaml.Node // what the file has at the place of the mapping: it may be an alias, or null
	key, value *yaml.Node
}

// way is the way to a path, as far as it is there: the last step has no value, or it is the
// path's last one.
func (p *page) way(path []string) (way []step, err error) {
	in := p.top
	for i, name := range path {
		mapping := strictyaml.Target(in)
		if mapping.Kind != yaml.MappingNode && !strictyaml.IsNull(mapping) {
			return nil, byHand(in, strings.Join(path[:i], " / ")+" is no mapping")
		}
		k, v := p.key(mapping, name)
		way = append(way, step{in, k, v})
		if v == nil {
			break
		}
		in = v
	}
	return way, nil
}

// change makes a change. What anchors and aliases share is made apart first, so that the
// change is not made in other places, too; that is done alone: ready is false if it is not.
func (p *page) change(c Change, alone bool) (ready bool, err error) {
	way, err := p.way(c.Path)
	if err != nil {
		return false, err
	}
	last := way[len(way)-1]
	switch {
	case last.value == nil && c.Value == nil, last.value != nil && c.Value != nil && same(last.value, c.Value):
		return true, nil
	}
	if shared := p.aliasOn(way); shared >= 0 {
		if alone {
			err = p.expand(way[shared].in, c.Path[shared:], c.Value)
		}
		return alone, err
	}
	for _, anchored := range p.anchoredOn(way) {
		if !alone {
			return false, nil
		}
		if err := p.moveAnchor(anchored, last.value); err != nil {
			return false, err
		}
	}
	p.mark(c.Path)
	value := nested(c.Path[len(way):], c.Value)
	switch {
	case c.Value == nil:
		if last.in.Style&yaml.FlowStyle != 0 {
			p.mark(c.Path[:len(way)-1])
		}
		return true, p.remove(last)
	case last.value == nil:
		p.mark(c.Path[:len(way)])
		return true, p.insert(way, c.Path[len(way)-1], value)
	}
	return true, p.replace(last, value)
}

// nested is a value below missing keys.
func nested(keys []string, value *yaml.Node) *yaml.Node {
	for i := len(keys) - 1; i >= 0; i-- {
		value = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{Key(keys[i]), value}}
	}
	return value
}

// replace puts a value in the place of another one.
func (p *page) replace(s step, value *yaml.Node) error {
	to, err := p.end(s.value)
	if err != nil {
		return err
	}
	from := p.start(s.value)
	switch {
	case isBlock(s.value):
		if from, err = p.colon(s.key); err != nil {
			return err
		}
		p.put(from, to, " "+alone(value))
	case from == to: // nothing is written there
		p.put(from, to, " "+flow(value))
	case s.in.Style&yaml.FlowStyle != 0:
		p.put(from, to, flow(styled(value, s.value)))
	default:
		p.put(from, to, alone(styled(value, s.value)))
	}
	return nil
}

// insert adds a key to the mapping at the end of the way.
func (p *page) insert(way []step, name string, value *yaml.Node) error {
	in, depth := way[len(way)-1].in, len(way)-1
	switch {
	case in.Kind == yaml.MappingNode && in.Style&yaml.FlowStyle != 0:
		return p.insertFlow(in, Key(name), value)
	case in.Kind == yaml.MappingNode && len(in.Content) > 0:
		first, last := in.Content[0], in.Content[len(in.Content)-1]
		if !p.alone(first) {
			return byHand(first, "its key is not the first in its line")
		}
		at, err := p.end(last)
		if err != nil {
			return err
		}
		return p.insertLines(at, first.Column-1, depth, name, value)
	case depth == 0: // an empty file
		return p.insertLines(len(p.text), 0, depth, name, value)
	}
	s := way[depth-1]
	at, err := p.colon(s.key)
	if err != nil {
		return err
	}
	if p.start(s.value) != p.inside(s.value) || s.in.Style&yaml.FlowStyle != 0 || !p.alone(s.key) {
		return p.replace(s, nested([]string{name}, value))
	}
	if to, err := p.end(s.value); err == nil && to > at { // "~" or "null"
		p.put(p.start(s.value), to, "")
		at = to
	}
	return p.insertLines(at, s.key.Column-1+p.indentation(), depth, name, value)
}

// insertLines adds a key in lines of its own, below that in which at is.
func (p *page) insertLines(at, indent, depth int, name string, value *yaml.Node) error {
	next := p.nextLine(at)
	lines := p.block(indent, depth, name, value)
	text := strings.Join(lines, p.newline) + p.newline
	if end := p.lineEnd(at); end == next && len(p.text) > 0 { // the last line has no break
		text = p.newline + strings.TrimSuffix(text, p.newline)
	}
	p.put(next, next, text)
	return nil
}

func (p *page) insertFlow(in, key, value *yaml.Node) error {
	text := flow(key) + ": " + flow(value)
	if len(in.Content) == 0 {
		at := p.inside(in) + 1
		to, err := p.end(in)
		if err != nil {
			return err
		}
		p.put(at, to-1, " "+text+" ")
		return nil
	}
	at, err := p.end(in.Content[len(in.Content)-1])
	if err != nil {
		return err
	}
	if comma := p.skip(at); p.text[comma] == ',' {
		p.put(comma+1, comma+1, " "+text)
		return nil
	}
	p.put(at, at, ", "+text)
	return nil
}

// remove takes a key and its value out.
func (p *page) remove(s step) error {
	in := s.in
	to, err := p.end(s.value)
	if err != nil {
		return err
	}
	if colon, err := p.colon(s.key); err != nil {
		return err
	} else if to < colon { // no value is written
		to = colon
	}
	if in.Style&yaml.FlowStyle == 0 {
		if !p.alone(s.key) {
			return byHand(s.key, "its key is not the first in its line")
		}
		p.put(p.lines[s.key.Line-1], p.nextLine(to), "")
		return nil
	}
	i := 0
	for in.Content[i] != s.key {
		i += 2
	}
	from := p.start(s.key)
	switch {
	case i+2 < len(in.Content):
		to = p.start(in.Content[i+2])
	case i > 0:
		if from, err = p.end(in.Content[i-1]); err != nil {
			return err
		}
	default: // with the comma behind it
		if comma := p.skip(to); p.text[comma] == ',' {
			to = comma + 1
		}
	}
	p.put(from, to, "")
	return nil
}

// indentation is how far the file puts what is inside something to the right.
func (p *page) indentation() int {
	for i := 1; i < len(p.top.Content); i += 2 {
		if v := p.top.Content[i]; isBlock(v) && v.Kind == yaml.MappingNode {
			return v.Content[0].Column - p.top.Content[i-1].Column
		}
	}
	return 2
}
