package flow

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxAliased is how many values more a policy may have than are written in its
// files: aliases of large parts within large parts would make any number.
const maxAliased = 500_000

// place is where something is written.
type place struct {
	file string
	line int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// reader walks the nodes of policy files. Aliases are followed: the depth of
// the walk is that of the policy's own form, and what it visits is counted.
type reader struct {
	Report
	file    string
	written int // values in the files
	values  int // visited, those behind aliases as often as they are used
}

func (r *reader) at(n *yaml.Node) place { return place{r.file, n.Line} }

func (r *reader) mistake(at place, format string, args ...any) {
	if !r.full() {
		r.Add(Mistake{at.file, at.line, fmt.Sprintf(format, args...)})
	}
}

// done reports whether to stop: no reader of a report wants more.
func (r *reader) done() bool { return r.full() || r.values > r.written+maxAliased }

// visit counts a node, follows an alias and refuses tags.
func (r *reader) visit(n *yaml.Node) *yaml.Node {
	if r.values++; r.values == r.written+maxAliased+1 {
		r.mistake(r.at(n), "aliases make more than %d values up to here: write out what they stand for, or use fewer", maxAliased)
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.mistake(r.at(n), "the tag %s has no meaning here: remove it", quoted(n.Tag))
	}
	return n
}

// count is how many nodes are written in a document; aliases count once.
func count(n *yaml.Node) int {
	total := 1
	for _, child := range n.Content {
		total += count(child)
	}
	return total
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// pairs calls each with every key of a mapping, the first time that it occurs.
// No value at all is an empty mapping.
func (r *reader) pairs(n *yaml.Node, what string, each func(key string, k, v *yaml.Node)) {
	n = r.visit(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.mistake(r.at(n), "%s is %s: write keys and values, \"key: value\"", what, kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content) && !r.done(); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		key, ok := r.key(k, what)
		if !ok {
			continue
		}
		if line, twice := seen[key]; twice {
			r.mistake(r.at(k), "%s is in %s twice: remove this one or that of line %d", quoted(key), what, line)
			continue
		}
		seen[key] = k.Line
		each(key, k, v)
	}
}

func (r *reader) key(k *yaml.Node, what string) (string, bool) {
	switch {
	case k.Kind == yaml.ScalarNode && k.Tag == "!!merge":
		r.mistake(r.at(k), "merge keys (<<) are not understood in %s: write the keys out, or use an alias for a whole value", what)
	case k.Kind != yaml.ScalarNode || k.Style&yaml.TaggedStyle != 0 || isNull(k):
		r.mistake(r.at(k), "a key in %s is no plain text: write a name before the colon", what)
	default:
		return k.Value, true
	}
	return "", false
}

// fields reads a mapping whose keys are given.
func (r *reader) fields(n *yaml.Node, what string, known map[string]func(v *yaml.Node)) {
	r.pairs(n, what, func(key string, k, v *yaml.Node) {
		read := known[key]
		if read == nil {
			r.mistake(r.at(k), "unknown key %s in %s: use %s", quoted(key), what, list(slices.Sorted(maps.Keys(known))))
			return
		}
		read(v)
	})
}

// items calls each with every item of a list. No value at all is an empty list.
func (r *reader) items(n *yaml.Node, what string, each func(v *yaml.Node)) {
	n = r.visit(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.mistake(r.at(n), "%s is %s: write a list, [a, b]", what, kindName(n))
		return
	}
	for _, v := range n.Content {
		if r.done() {
			return
		}
		each(v)
	}
}

// text is a scalar as it is written, whatever YAML makes of it: 0012, 1e3 and
// yes stay what they are.
func (r *reader) text(n *yaml.Node, what string) (string, place, bool) {
	n = r.visit(n)
	switch {
	case isNull(n):
		r.mistake(r.at(n), "%s has no value: write one, or remove the key (# begins a comment unless it is in quotes)", what)
	case n.Kind != yaml.ScalarNode:
		r.mistake(r.at(n), "%s is %s: write one value", what, kindName(n))
	case n.Style&yaml.TaggedStyle != 0:
	default:
		return n.Value, r.at(n), true
	}
	return "", place{}, false
}

// boolean is true or false, and not the yes and no of older YAML, since these
// are settings here.
func (r *reader) boolean(n *yaml.Node, what string, value *bool) {
	text, at, ok := r.text(n, what)
	switch {
	case !ok:
	case text == "true" || text == "false":
		*value = text == "true"
	default:
		r.mistake(at, "%s is %s: write true or false", what, quoted(text))
	}
}

// enum reads a word with one of this package's parsers.
func enum[T any](r *reader, n *yaml.Node, what string, names []string, parse func(string) (T, error), value *T) {
	text, at, ok := r.text(n, what)
	if !ok {
		return
	}
	v, err := parse(text)
	if err != nil {
		r.mistake(at, "%s is %s: write %s", what, quoted(text), alternatives(names))
		return
	}
	*value = v
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "the single value " + quoted(n.Value)
}

// quoted is text in quotes, cut where it is too long for a line.
func quoted(text string) string {
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		return fmt.Sprintf("%q…", string(runes[:longest]))
	}
	return fmt.Sprintf("%q", text)
}

func list(names []string) string { return join(names, "and") }

func alternatives(names []string) string { return join(names, "or") }

func join(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}
