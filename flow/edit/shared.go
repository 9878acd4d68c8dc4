package edit

import (
	"bytes"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// aliasOn is the first step of a way that goes through an alias; -1 if none does.
func (p *page) aliasOn(way []step) int {
	for i, s := range way {
		if s.in.Kind == yaml.AliasNode {
			return i
		}
	}
	return -1
}

// expand writes out what an alias stands for, with a change in it.
func (p *page) expand(alias *yaml.Node, path []string, value *yaml.Node) error {
	to, err := p.end(alias)
	if err != nil {
		return err
	}
	apart := copied(alias)
	changeIn(apart, path, value)
	p.put(p.start(alias), to, flow(apart))
	return nil
}

// copied is a node with everything written out that its aliases stand for.
func copied(n *yaml.Node) *yaml.Node {
	n = strictyaml.Target(n)
	c := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value}
	for _, child := range n.Content {
		c.Content = append(c.Content, copied(child))
	}
	return c
}

// changeIn changes a copy.
func changeIn(mapping *yaml.Node, path []string, value *yaml.Node) {
	if strictyaml.IsNull(mapping) {
		*mapping = *Mapping()
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		switch {
		case mapping.Content[i].Value != path[0]:
		case len(path) > 1:
			changeIn(mapping.Content[i+1], path[1:], value)
			return
		case value == nil:
			mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
			return
		default:
			mapping.Content[i+1] = value
			return
		}
	}
	if value != nil {
		mapping.Content = append(mapping.Content, Key(path[0]), nested(path[1:], value))
	}
}

// anchoredOn are the nodes that other places of the file share with a way: those on it, and
// those in its last value.
func (p *page) anchoredOn(way []step) (anchored []*yaml.Node) {
	aliases := p.aliases()
	var within func(n *yaml.Node)
	within = func(n *yaml.Node) {
		if n == nil || n.Kind == yaml.AliasNode {
			return
		}
		if len(aliases[n]) > 0 {
			anchored = append(anchored, n)
		}
		for _, child := range n.Content {
			within(child)
		}
	}
	for _, s := range way {
		if len(aliases[s.in]) > 0 {
			anchored = append(anchored, s.in)
		}
	}
	within(way[len(way)-1].value)
	return anchored
}

// aliases are the file's aliases, in order, by what they stand for.
func (p *page) aliases() map[*yaml.Node][]*yaml.Node {
	if p.shared != nil {
		return p.shared
	}
	p.shared = map[*yaml.Node][]*yaml.Node{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode {
			p.shared[n.Alias] = append(p.shared[n.Alias], n)
			return
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(p.top)
	return p.shared
}

// moveAnchor gives a node's anchor to the first place that refers to it, with what the node
// was until now: the others stay as they are. gone is what is about to be replaced.
func (p *page) moveAnchor(n, gone *yaml.Node) error {
	to, err := p.end(n)
	if err != nil {
		return err
	}
	from := p.inside(n)
	was := p.text[from:to]
	if isBlock(n) || sharesMore(n) || bytes.ContainsAny(was, "\r\n") {
		return byHand(n, "*"+n.Anchor+" refers to this in other places")
	}
	var heir *yaml.Node
	for _, alias := range p.aliases()[n] {
		if heir == nil && (gone == nil || !contains(gone, alias)) {
			heir = alias
		}
	}
	if heir == nil { // all of them go
		return nil
	}
	end, err := p.end(heir)
	if err != nil {
		return err
	}
	p.put(p.start(heir), end, "&"+n.Anchor+" "+string(was))
	if n != gone && (gone == nil || !contains(gone, n)) {
		p.put(p.start(n), from, "")
	}
	return nil
}

// sharesMore reports whether there are anchors or aliases below a node.
func sharesMore(n *yaml.Node) bool {
	for _, child := range n.Content {
		if child.Anchor != "" || child.Kind == yaml.AliasNode || sharesMore(child) {
			return true
		}
	}
	return false
}

// contains reports whether a node is part of another one.
func contains(n, part *yaml.Node) bool {
	if n == part {
		return true
	}
	for _, child := range n.Content {
		if contains(child, part) {
			return true
		}
	}
	return false
}
