package edit

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// page is a text, what it says, and what is about to be put where.
type page struct {
	text    []byte
	newline string
	lines   []int // where each line begins
	top     *yaml.Node
	keys    map[*yaml.Node]map[string]int // where in Content a mapping's keys are; filled when they are asked for
	cuts    []cut

	changed map[string]bool             // paths that have been changed
	above   map[string]bool             // paths above them
	shared  map[*yaml.Node][]*yaml.Node // see aliases
}

// cut is a part of the text that something else takes the place of.
type cut struct {
	from, to int
	with     string
}

// rules let everything pass that YAML allows: whether it is a policy is not asked here.
var rules = strictyaml.Rules{Aliases: true, Tags: true, Merge: true, Empty: true}

func open(name string, text []byte) (*page, error) {
	r := strictyaml.Reader{Rules: &rules}
	doc := r.Open(strictyaml.Source{Name: name, Text: text})
	if err := r.Err(); err != nil {
		return nil, err
	}
	p := &page{text: text, newline: "\n", keys: map[*yaml.Node]map[string]int{}, changed: map[string]bool{}, above: map[string]bool{}}
	if p.top = Mapping(); doc != nil {
		p.top = doc.Content[0]
	}
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		p.newline = "\r\n"
	}
	p.lines = lineStarts(text)
	return p, nil
}

// key is where a key of a mapping and its value are; nil when it has no such key.
func (p *page) key(mapping *yaml.Node, name string) (k, v *yaml.Node) {
	index := p.keys[mapping]
	if index == nil {
		index = make(map[string]int, len(mapping.Content)/2)
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			index[mapping.Content[i].Value] = i
		}
		p.keys[mapping] = index
	}
	if i, ok := index[name]; ok {
		return mapping.Content[i], mapping.Content[i+1]
	}
	return nil, nil
}

// put notes that a part of the text becomes something else.
func (p *page) put(from, to int, with string) { p.cuts = append(p.cuts, cut{from, to, with}) }

// spliced is the text with everything put into it.
func (p *page) spliced() []byte {
	slices.SortStableFunc(p.cuts, func(a, b cut) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var b bytes.Buffer
	at := 0
	for _, c := range p.cuts {
		b.Write(p.text[at:max(at, c.from)])
		b.WriteString(c.with)
		at = max(at, c.to)
	}
	b.Write(p.text[at:])
	return b.Bytes()
}

// joined is a path as a key of changed and above.
func joined(path []string) string { return strings.Join(path, "\x00") }

// independent reports whether a path has nothing to do with what has been changed.
func (p *page) independent(path []string) bool {
	if p.above[joined(path)] {
		return false
	}
	for i := range path {
		if p.changed[joined(path[:i+1])] {
			return false
		}
	}
	return true
}

// mark notes that a path has been changed.
func (p *page) mark(path []string) {
	p.changed[joined(path)] = true
	for i := range path {
		p.above[joined(path[:i])] = true
	}
}
