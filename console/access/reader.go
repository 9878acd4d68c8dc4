package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/flow"
)

// reader walks the nodes of an accounts file, so that one mistake does not hide
// another, and each has its line.
type reader struct {
	flow.Report
	file string
}

func (r *reader) mistake(n *yaml.Node, format string, args ...any) {
	r.Add(flow.Mistake{File: r.file, Line: n.Line, Text: fmt.Sprintf(format, args...)})
}

// plain refuses what would make a value be written somewhere else than it is
// used: an entry that is taken out must be gone.
func (r *reader) plain(n *yaml.Node, what string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.mistake(n, "%s: anchors and aliases (& and *) are not understood here: write it out", what)
	case n.Style&yaml.TaggedStyle != 0:
		r.mistake(n, "%s: tags (!) have no meaning here: remove it", what)
	default:
		return true
	}
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// pairs calls each with every key of a mapping. No value at all is an empty one.
func (r *reader) pairs(n *yaml.Node, what string, each func(k, v *yaml.Node)) {
	if !r.plain(n, what) || isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.mistake(n, "%s: write keys and values, \"key: value\"", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || k.Anchor != "" {
			r.mistake(k, "%s: a key is no plain text: write a name before the colon", what)
			continue
		}
		if line, twice := seen[k.Value]; twice {
			r.mistake(k, "%s: %.60q is there twice: remove this one or that of line %d", what, k.Value, line)
			continue
		}
		seen[k.Value] = k.Line
		each(k, v)
	}
}

// fields reads a mapping whose keys are given.
func (r *reader) fields(n *yaml.Node, what string, known map[string]func(v *yaml.Node)) {
	r.pairs(n, what, func(k, v *yaml.Node) {
		if read := known[k.Value]; read != nil {
			read(v)
			return
		}
		r.mistake(k, "%s: unknown key %.60q: use %s", what, k.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	})
}

// text is a scalar as it is written. Its mistakes do not show the value.
func (r *reader) text(n *yaml.Node, what string) (string, bool) {
	switch {
	case !r.plain(n, what):
	case n.Kind != yaml.ScalarNode:
		r.mistake(n, "%s: write one value, not a list or a mapping", what)
	case isNull(n) || n.Value == "":
		r.mistake(n, "%s has no value: write one, or remove the key", what)
	default:
		return n.Value, true
	}
	return "", false
}

// list reads a list of different texts.
func (r *reader) list(n *yaml.Node, what string, each func(n *yaml.Node, text string)) {
	if !r.plain(n, what) {
		return
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.mistake(n, "%s: write a list, [a, b], or remove the key", what)
		return
	}
	var seen []string
	for _, item := range n.Content {
		text, ok := r.text(item, what)
		if ok && slices.Contains(seen, text) {
			r.mistake(item, "%s: %.60q is there twice: remove one", what, text)
		} else if ok {
			seen = append(seen, text)
			each(item, text)
		}
	}
}
