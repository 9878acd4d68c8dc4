package edit

import (
	"encoding/json"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// Word is a value that is written without quotes where YAML allows it.
func Word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// Quoted is a value that is written in quotes, such as a telephone number or a code.
func Quoted(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: s, Style: yaml.DoubleQuotedStyle}
}

// Key is a key of a mapping: in quotes if it has no letter.
func Key(s string) *yaml.Node {
	if strings.Trim(s, "+*#0123456789") == "" {
		return Quoted(s)
	}
	return Word(s)
}

// List is a list of words.
func List(words []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, w := range words {
		n.Content = append(n.Content, Key(w))
	}
	return n
}

// Mapping is a mapping that has no key yet.
func Mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

// With adds a key to a mapping and returns it. A nil value adds nothing.
func With(mapping *yaml.Node, key string, value *yaml.Node) *yaml.Node {
	if value != nil {
		mapping.Content = append(mapping.Content, Key(key), value)
	}
	return mapping
}

// plain is what may stand without quotes everywhere, in lists and mappings in brackets, too.
var plain = regexp.MustCompile(`^[\pL\pN._/]([\pL\pN ._/()'+-]*[\pL\pN._/()'])?$`)

// plainAlone is what may stand without quotes behind a key, up to the end of the line.
var plainAlone = regexp.MustCompile(`^[\pL\pN._/]([\pL\pN ._/()'+,;!?&%=-]*[\pL\pN._/()'+!?%-])?$`)

// words of YAML that mean nothing at all.
var nothing = map[string]bool{"": true, "~": true, "null": true, "Null": true, "NULL": true}

// flow writes a value in one line.
func flow(n *yaml.Node) string {
	switch n = strictyaml.Target(n); n.Kind {
	case yaml.MappingNode:
		var pairs []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			pairs = append(pairs, flow(n.Content[i])+": "+flow(n.Content[i+1]))
		}
		if len(pairs) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(pairs, ", ") + " }"
	case yaml.SequenceNode:
		var items []string
		for _, item := range n.Content {
			items = append(items, flow(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	switch {
	case strictyaml.IsNull(n):
		return "~"
	case n.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(n.Value, "'\n"):
		return "'" + n.Value + "'"
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 && plain.MatchString(n.Value) && !nothing[n.Value]:
		return n.Value
	}
	var quoted strings.Builder // JSON's strings are YAML's, too
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(n.Value)
	return strings.TrimSuffix(quoted.String(), "\n")
}

// alone writes a value in one line, outside of brackets.
func alone(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Style == 0 && plainAlone.MatchString(n.Value) && !nothing[n.Value] {
		return n.Value
	}
	return flow(n)
}

// styled is a value in the quotes that the value before it had.
func styled(value, before *yaml.Node) *yaml.Node {
	if value.Kind != yaml.ScalarNode || before.Kind != yaml.ScalarNode || value.Style != 0 {
		return value
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: value.Value, Style: before.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)}
}

// block writes a key in lines of its own. A mapping of mappings is written key by key, and
// so is an organisation (depth 1: below "organisations").
func (p *page) block(indent, depth int, name string, value *yaml.Node) []string {
	head := strings.Repeat(" ", indent) + flow(Key(name)) + ":"
	if value.Kind != yaml.MappingNode || len(value.Content) == 0 || depth > 1 && !ofMappings(value) {
		return []string{head + " " + alone(value)}
	}
	lines := []string{head}
	for i := 0; i+1 < len(value.Content); i += 2 {
		lines = append(lines, p.block(indent+p.indentation(), depth+1, value.Content[i].Value, value.Content[i+1])...)
	}
	return lines
}

// ofMappings reports whether a section is one of entries.
func ofMappings(n *yaml.Node) bool {
	for i := 1; i < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.MappingNode {
			return false
		}
	}
	return true
}

// isBlock reports whether a node is written in lines of its own, without brackets.
func isBlock(n *yaml.Node) bool {
	return (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && n.Style&yaml.FlowStyle == 0
}
