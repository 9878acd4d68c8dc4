package edit_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"tapedeck/flow/edit"
)

// TestRandomChanges: whatever a file looks like, a change changes what it is about and
// nothing else; all other lines stay as they are.
func TestRandomChanges(t *testing.T) {
	byHand, changes := 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 12))
		w := writer{Rand: r}
		w.mapping(0, 0)
		text := w.b.String()
		before := decoded(t, seed, text)
		for range 5 {
			path, value := w.change(before)
			changes++
			after, err := edit.Apply([]byte(text), []edit.Change{{Path: path, Value: value}})
			if errors.Is(err, edit.ErrByHand) {
				byHand++
				continue
			} else if err != nil {
				t.Fatalf("seed %d: %v: %v\n%s", seed, path, err, text)
			}
			want := decoded(t, seed, text)
			put(want, path, value)
			if got := decoded(t, seed, string(after)); !reflect.DeepEqual(pruned(got), pruned(want)) {
				t.Fatalf("seed %d: %v becomes %v:\n%s\ngot\n%s", seed, path, value, text, after)
			}
			if line := lost(text, string(after), path); line != "" {
				t.Fatalf("seed %d: %v becomes %v: line %q is gone:\n%s\ngot\n%s", seed, path, value, line, text, after)
			}
		}
	}
	t.Logf("%d changes, %d of them by hand only", changes, byHand)
	if byHand*40 > changes {
		t.Errorf("%d of %d changes have to be made by hand", byHand, changes)
	}
}

// TestEverySetting sets each value of the example to each of two others, and back: then the
// file is what it was, byte for byte.
func TestEverySetting(t *testing.T) {
	for _, file := range []string{"../testdata/example.yaml", "../../cmd/demo/policy.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		n := 0
		var walk func(at *yaml.Node, path []string)
		walk = func(at *yaml.Node, path []string) {
			for i := 0; i+1 < len(at.Content) && at.Kind == yaml.MappingNode; i += 2 {
				path, value := append(slices.Clone(path), at.Content[i].Value), at.Content[i+1]
				walk(value, path)
				if value.Kind != yaml.ScalarNode {
					continue
				}
				n++
				there, err := edit.Apply(text, []edit.Change{{path, edit.Word("force")}})
				if err != nil || strings.Count(string(there), "\n") != strings.Count(string(text), "\n") {
					t.Fatalf("%s: %v: %v\n%s", file, path, err, there)
				}
				if back, err := edit.Apply(there, []edit.Change{{path, &yaml.Node{Kind: yaml.ScalarNode, Value: value.Value, Style: value.Style}}}); err != nil || string(back) != string(text) {
					t.Errorf("%s: %v and back: %v\n%s", file, path, err, back)
				}
			}
		}
		walk(doc.Content[0], nil)
		if n < 20 {
			t.Errorf("%s has %d values", file, n)
		}
	}
}

// TestManyChanges: ten thousand entries are added in one go.
func TestManyChanges(t *testing.T) {
	var changes []edit.Change
	for i := range 10_000 {
		changes = append(changes, edit.Change{Path: []string{"organisations", "acme", "numbers", fmt.Sprintf("+4420%08d", i)}, Value: edit.With(edit.Mapping(), "record", edit.Word("yes"))})
	}
	text, err := edit.Apply([]byte("version: 1\norganisations:\n  acme:\n    numbers:\n      \"+442\": { record: no }\n    users: {}\n"), changes)
	if n := strings.Count(string(text), "record: yes"); err != nil || n != len(changes) || !strings.HasSuffix(string(text), "\n    users: {}\n") {
		t.Errorf("%v: %d", err, n)
	}
	for i := range changes {
		changes[i].Value = nil
	}
	if text, err = edit.Apply(text, changes); err != nil || strings.Count(string(text), "\n") != 6 {
		t.Errorf("%v\n%.1000s", err, text)
	}
}

// writer writes a random file.
type writer struct {
	*rand.Rand
	b       strings.Builder
	anchors int
	shared  []string // names of anchors
}

var (
	someKeys   = []string{"a", "b", "c", `"+44"`, "'d'", "record"}
	someValues = []string{"yes", "no", `"*1"`, "'it''s'", `"a\"b"`, "90d", "x y", "true", "{}", "[]", "[a, b]", "[a,\n          b ]", "~", "null"}
)

func (w *writer) one(of []string) string { return of[w.IntN(len(of))] }

func (w *writer) some(of []string) []string {
	of = slices.Clone(of)
	w.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:1+w.IntN(len(of)-1)]
}

// value writes what stands behind a colon, up to the end of the line.
func (w *writer) value(flow bool) {
	switch n := w.IntN(12); {
	case n == 0 && len(w.shared) > 0:
		w.b.WriteString("*" + w.one(w.shared) + " ")
	case n == 1:
		w.anchors++
		name := fmt.Sprint("s", w.anchors)
		w.b.WriteString("&" + name + " " + w.one(someValues[:8]))
		w.shared = append(w.shared, name)
	case n < 4 && !flow:
		name := ""
		if w.IntN(3) == 0 {
			w.anchors++
			name = fmt.Sprint("s", w.anchors)
			w.b.WriteString("&" + name + " ")
		}
		w.b.WriteString("{ ")
		for i, k := range w.some(someKeys) {
			if i > 0 {
				w.b.WriteString(w.one([]string{", ", ",", " ,\n             "}))
			}
			w.b.WriteString(k + ": ")
			w.value(true)
		}
		w.b.WriteString(w.one([]string{" }", "}", ", }"}))
		if name != "" {
			w.shared = append(w.shared, name)
		}
	default:
		w.b.WriteString(w.one(someValues))
	}
}

func (w *writer) mapping(indent, depth int) {
	for _, k := range w.some(someKeys) {
		w.b.WriteString(w.one([]string{"", "", "\n", "# alone\n"}) + strings.Repeat(" ", indent) + k + ":")
		if depth < 3 && w.IntN(2) == 0 {
			w.b.WriteString(w.one([]string{"\n", " # a comment: [of ] {this}\n"}))
			w.mapping(indent+1+w.IntN(3), depth+1)
			continue
		}
		w.b.WriteString(w.one([]string{" ", "  "}))
		w.value(false)
		w.b.WriteString(w.one([]string{"\n", " # { c\n", "  \n"}))
	}
}

// change is a change of something that is there, or the addition of a key.
func (w *writer) change(in map[string]any) (path []string, value *yaml.Node) {
	for {
		name := w.one(slices.Sorted(maps.Keys(in)))
		if w.IntN(5) == 0 {
			name = "new"
		}
		path = append(path, name)
		next, ok := in[name].(map[string]any)
		if !ok || len(next) == 0 || w.IntN(4) == 0 {
			break
		}
		in = next
	}
	switch w.IntN(4) {
	case 0:
		return path, nil
	case 1:
		return path, edit.With(edit.With(edit.Mapping(), "x", edit.Word("1")), "y", edit.Word("no"))
	case 2:
		return path, edit.List([]string{"p", "q"})
	}
	return path, edit.Word(w.one([]string{"yes", "*1", "it's", "a: b", "#", "null", "", "é"}))
}

// decoded is what a text says, every value as a text.
func decoded(t *testing.T, seed uint64, text string) map[string]any {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, text)
	}
	if len(doc.Content) == 0 {
		return map[string]any{}
	}
	m, _ := plain(doc.Content[0]).(map[string]any)
	return m
}

func plain(n *yaml.Node) any {
	switch {
	case n.Kind == yaml.AliasNode:
		return plain(n.Alias)
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, plain(item))
		}
		return list
	case n.Tag == "!!null":
		return nil
	}
	return n.Value
}

func put(in map[string]any, path []string, value *yaml.Node) {
	for _, name := range path[:len(path)-1] {
		next, ok := in[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			in[name] = next
		}
		in = next
	}
	if name := path[len(path)-1]; value == nil {
		delete(in, name)
	} else {
		in[name] = plain(value)
	}
}

// pruned leaves out empty mappings: they say as little as none.
func pruned(m map[string]any) map[string]any {
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok {
			v = pruned(inner)
			if len(inner) == 0 {
				delete(m, k)
			}
		}
		if v == nil {
			delete(m, k)
		}
	}
	return m
}

// lost is the first line of a text that is not there afterwards, in its place, and has
// nothing to do with the path. Where anchors are shared, one line more may change.
func lost(before, after string, path []string) string {
	var doc yaml.Node
	_ = yaml.Unmarshal([]byte(before), &doc)
	if strings.Contains(before, "&") {
		return ""
	}
	first, last := span(doc.Content[0], path)
	rest := strings.Split(after, "\n")
	for i, line := range strings.Split(strings.TrimSuffix(before, "\n"), "\n") {
		if i+1 >= first && i+1 <= last {
			continue
		}
		at := slices.Index(rest, line)
		if at < 0 {
			return line
		}
		rest = rest[at+1:]
	}
	return ""
}

// span is the lines that the last thing on a path takes that is there.
func span(n *yaml.Node, path []string) (first, last int) {
	if n.Style&yaml.FlowStyle != 0 { // commas move
		return n.Line, lastLine(n)
	}
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		if n.Content[i].Value != path[0] {
			continue
		}
		if len(path) > 1 {
			if first, last = span(n.Content[i+1], path[1:]); first > 0 {
				return first, last
			}
			if n.Content[i+1].Kind == yaml.MappingNode && n.Content[i+1].Style&yaml.FlowStyle == 0 {
				return 0, 0 // a line is added
			}
		}
		return n.Content[i].Line, lastLine(n.Content[i+1])
	}
	return 0, 0
}

func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, child := range n.Content {
		last = max(last, lastLine(child))
	}
	return last
}
