package strictyaml

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var strict = Rules{
	NotMapping: "{what} is {found}, not a mapping of {a, b}", NotList: "{what} is {found}, not a list", NotText: "{what} is {found}, not a text",
	NoValue: "{what} has no value", Twice: "{key} twice{in what}, first on {line}", Unknown: "{key} unknown{in what}: {a and b}",
	BadKey: "bad key{in what}", MergeKey: "merge{in what}", Tag: "tag {found} of {what}", Alias: "alias of {what}",
}

// lenient allows what Rules can allow.
var lenient = func() Rules {
	r := strict
	r.Aliases, r.Tags, r.Merge, r.Empty = true, true, true, true
	return r
}()

// read reads a file of two texts and a list, and returns what it says: the values,
// or the mistakes, a line each.
func read(rules *Rules, text string) string {
	r := &Reader{Rules: rules}
	doc := r.Open(Source{Name: "f", Text: []byte(text)})
	var said []string
	if doc != nil {
		value := func(n *yaml.Node, what string) {
			if text, at, ok := r.Text(n, what); ok {
				said = append(said, fmt.Sprintf("%s=%s@%d", what, text, at.Line))
			}
		}
		r.Fields(doc.Content[0], "", map[string]func(*yaml.Node){
			"one": func(n *yaml.Node) { value(n, "one") },
			"two": func(n *yaml.Node) { value(n, "two") },
			"all": func(n *yaml.Node) {
				r.Items(n, "all", func(item *yaml.Node) { value(item, "item") })
			},
			"in": func(n *yaml.Node) {
				r.Pairs(n, "in", func(key string, _, v *yaml.Node) { value(v, key) })
			},
		})
	}
	if err := r.Err(); err != nil {
		return err.Error()
	}
	return strings.Join(said, " ")
}

func TestRules(t *testing.T) {
	for _, c := range []struct{ name, text, strict, lenient string }{
		{"values", "one: yes\ntwo: 0012\nall: [a,\n  1e3]\nin: {b: c}\n", "one=yes@1 two=0012@2 item=a@3 item=1e3@4 b=c@5", ""},
		{"nothing", "# nothing\n", "", ""},
		{"no values", "all:\nin: ~\n", "", ""},
		{"no value", "one:\n", "f:1: one has no value", ""},
		{"empty text", "one: ''\n", "f:1: one has no value", "one=@1"},
		{"a list for all", "- a\n", "f:1: the file is a list, not a mapping of all, in, one, two", ""},
		{"a text for a list", "all: a\n", "f:1: all is the single value \"a\", not a list", ""},
		{"a mapping for a text", "one: {a: b}\n", "f:1: one is a mapping, not a text", ""},
		{"unknown", "three: a\n", "f:1: \"three\" unknown: all, in, one and two", ""},
		{"twice", "one: a\none: b\n", "f:2: \"one\" twice, first on 1", ""},
		{"twice below", "in: {a: b, a: c}\n", "f:1: \"a\" twice in in, first on 1", ""},
		{"no key", "in: {[a]: b}\n", "f:1: bad key in in", ""},
		{"null for a key", "~: b\n", "f:1: bad key", ""},
		{"merge", "in: {<<: a}\n", "f:1: merge in in", "<<=a@1"},
		{"tag", "one: !!str a\n", "f:1: tag \"!!str\" of one", "one=a@1"},
		{"alias", "one: &a b\ntwo: *a\n", "f:1: alias of one\nf:2: alias of two", "one=b@1 two=b@1"},
		{"two documents", "one: a\n---\none: b\n", "f:2: a second document begins here: remove the --- line", ""},
		{"no YAML", "one: [a\n", "f:1: not valid YAML: did not find expected ',' or ']': mend the indentation, quotes or brackets here", ""},
	} {
		if got := read(&strict, c.text); got != c.strict {
			t.Errorf("%s: strict: %q, want %q", c.name, got, c.strict)
		}
		want := c.lenient
		if want == "" {
			want = c.strict
		}
		if got := read(&lenient, c.text); got != want {
			t.Errorf("%s: lenient: %q, want %q", c.name, got, want)
		}
	}
}

// TestSecret: a file that may have secrets in wrong places is not quoted.
func TestSecret(t *testing.T) {
	rules := strict
	rules.Secret, rules.NotText, rules.NotList = true, "{what} is no text", "{what} is no list"
	for _, text := range []string{"one: [hunter2]\n", "all: hunter2\n", "one: {hunter2\n", "one: *hunter2\n"} {
		if got := read(&rules, text); got == "" || strings.Contains(got, "hunter2") {
			t.Errorf("%q: %q", text, got)
		}
	}
}
