package edit

import (
	"slices"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// want is what has to be at a path afterwards: something new, or something new below it.
type want struct {
	final bool
	value *yaml.Node // of a final one; nil: nothing
	below map[string]*want
}

// wanted puts the paths of changes together.
func wanted(changes []Change) *want {
	top := &want{}
	for _, c := range changes {
		at := top
		for _, name := range c.Path {
			if at.below == nil {
				at.below = map[string]*want{}
			}
			if at.below[name] == nil {
				at.below[name] = &want{}
			}
			at = at.below[name]
		}
		*at = want{final: true, value: c.Value}
	}
	return top
}

// meant reports whether what a text says now is what it said before, but for what is wanted.
// nil is a key that is not there.
func meant(before, now *yaml.Node, w *want) bool {
	switch {
	case w == nil:
		return same(before, now)
	case w.final:
		return same(w.value, now)
	}
	was, is := entries(before), entries(now)
	for name, below := range w.below {
		if !meant(was.value[name], is.value[name], below) {
			return false
		}
		was.drop(name)
		is.drop(name)
	}
	return same(was.rest(), is.rest())
}

// content is what a mapping has.
type content struct {
	names []string
	value map[string]*yaml.Node
	gone  map[string]bool
}

func entries(n *yaml.Node) *content {
	c := &content{value: map[string]*yaml.Node{}, gone: map[string]bool{}}
	if n == nil {
		return c
	}
	n = strictyaml.Target(n)
	for i := 0; i+1 < len(n.Content); i += 2 {
		c.names = append(c.names, n.Content[i].Value)
		c.value[n.Content[i].Value] = n.Content[i+1]
	}
	return c
}

func (c *content) drop(name string) { c.gone[name] = true }

func (c *content) rest() *yaml.Node {
	rest := Mapping()
	for _, name := range c.names {
		if !c.gone[name] {
			rest.Content = append(rest.Content, Word(name), c.value[name])
		}
	}
	return rest
}

// same reports whether two nodes say the same: how they are written does not matter, nor
// whether a mapping is empty or not there.
func same(a, b *yaml.Node) bool {
	if isEmpty(a) || isEmpty(b) {
		return isEmpty(a) && isEmpty(b)
	}
	a, b = strictyaml.Target(a), strictyaml.Target(b)
	return a == b || a.Kind == b.Kind && a.Value == b.Value && strictyaml.IsNull(a) == strictyaml.IsNull(b) && slices.EqualFunc(a.Content, b.Content, same)
}

func isEmpty(n *yaml.Node) bool {
	if n == nil {
		return true
	}
	n = strictyaml.Target(n)
	return n.Kind == yaml.MappingNode && len(n.Content) == 0 || strictyaml.IsNull(n)
}
