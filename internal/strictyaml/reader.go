package strictyaml

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxAliased is how many values more a file may have than are written in it:
// aliases of large parts within large parts would make any number.
const maxAliased = 500_000

// Place is where something is written.
type Place struct {
	File string
	Line int
}

// String writes file:line.
func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Reader walks the nodes of a file, or of several that are read as one. What is
// wrong goes into the report, and the walk goes on. The depth of the walk is that
// of the form that its caller reads; values behind aliases are counted.
type Reader struct {
	Report
	File  string // the file that is being read
	Rules *Rules

	written int // values in the files
	values  int // values visited, those behind aliases as often as they are used
}

// Rules are what one kind of file allows, and how its mistakes are put.
type Rules struct {
	Aliases bool // & and * may be used
	Tags    bool // tags (!) are ignored; otherwise each is a mistake
	Merge   bool // << is a key like any other; otherwise it is a mistake of its own
	Empty   bool // "" is a text; otherwise it is no value
	Secret  bool // mistakes do not show values

	// The texts of mistakes. {what} stands for what the caller reads ("the file" for
	// its topmost value), {in what} for " in " and that (nothing for the topmost
	// value), {found} for what was found instead, {key} for a key in quotes, {name}
	// for a key without them, {line} for the line of the first of two, {a, b} and {a
	// and b} for the keys that are known. A text that a reader never needs is empty.
	NotMapping, NotList, NotText, NoValue string
	Twice, Unknown, BadKey, MergeKey      string
	Tag, Alias                            string
}

// Open reads a file's document and returns its topmost value; nil when there is
// none: then the report says why, except for an empty file.
func (r *Reader) Open(s Source) *yaml.Node {
	r.File = s.Name
	doc := document(s, r.Rules.Secret, &r.Report)
	if doc == nil {
		return nil
	}
	r.written += count(doc.Content[0])
	return doc
}

// At is where a node of the file that is being read is written.
func (r *Reader) At(n *yaml.Node) Place { return Place{r.File, n.Line} }

// Mistake notes what is wrong with a node of the file that is being read.
func (r *Reader) Mistake(n *yaml.Node, format string, args ...any) {
	r.MistakeAt(r.At(n), format, args...)
}

// MistakeAt notes what is wrong at a place.
func (r *Reader) MistakeAt(at Place, format string, args ...any) {
	if !r.Full() {
		r.Add(Mistake{at.File, at.Line, fmt.Sprintf(format, args...)})
	}
}

// say notes a mistake that the rules have the text of. fill are names in braces
// and what stands for them.
func (r *Reader) say(n *yaml.Node, text string, fill ...string) {
	r.Mistake(n, "%s", strings.NewReplacer(fill...).Replace(text))
}

// done reports whether to stop: nobody who reads a report wants more.
func (r *Reader) done() bool { return r.Full() || r.values > r.written+maxAliased }

// Target is the value that a node stands for: that of its anchor, if it is an
// alias.
func Target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// visit counts a node and follows an alias; not ok when it must not be read.
func (r *Reader) visit(n *yaml.Node, what string) (target *yaml.Node, ok bool) {
	if r.values++; r.values == r.written+maxAliased+1 {
		r.Mistake(n, "aliases make more than %d values up to here: write out what they stand for, or use fewer", maxAliased)
	}
	if !r.Rules.Aliases && (n.Kind == yaml.AliasNode || n.Anchor != "") {
		r.say(n, r.Rules.Alias, "{what}", what)
		return n, false
	}
	n = Target(n)
	if r.tagged(n) {
		r.say(n, r.Rules.Tag, "{what}", what, "{found}", Quoted(n.Tag))
	}
	return n, true
}

func (r *Reader) tagged(n *yaml.Node) bool { return !r.Rules.Tags && n.Style&yaml.TaggedStyle != 0 }

// count is how many nodes are written in a document; aliases count once.
func count(n *yaml.Node) int {
	total := 1
	for _, child := range n.Content {
		total += count(child)
	}
	return total
}

// IsNull reports whether a key has no value.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// Pairs calls each with every key of a mapping, the first time that it occurs.
// No value at all is an empty mapping.
func (r *Reader) Pairs(n *yaml.Node, what string, each func(key string, k, v *yaml.Node)) {
	r.pairs(n, what, nil, each)
}

// Fields reads a mapping whose keys are known.
func (r *Reader) Fields(n *yaml.Node, what string, known map[string]func(v *yaml.Node)) {
	keys := slices.Sorted(maps.Keys(known))
	r.pairs(n, what, keys, func(key string, k, v *yaml.Node) {
		if read := known[key]; read != nil {
			read(v)
			return
		}
		r.say(k, r.Rules.Unknown, fill(what, "{key}", Quoted(key), "{a, b}", strings.Join(keys, ", "), "{a and b}", join(keys, "and"))...)
	})
}

func (r *Reader) pairs(n *yaml.Node, what string, known []string, each func(key string, k, v *yaml.Node)) {
	n, ok := r.visit(n, what)
	if !ok || IsNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.say(n, r.Rules.NotMapping, fill(what, "{found}", kindName(n), "{a, b}", strings.Join(known, ", "))...)
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
			r.say(k, r.Rules.Twice, fill(what, "{key}", Quoted(key), "{name}", strings.Trim(Quoted(key), `"`), "{line}", fmt.Sprint(line))...)
			continue
		}
		seen[key] = k.Line
		each(key, k, v)
	}
}

// key is a key's text.
func (r *Reader) key(k *yaml.Node, what string) (string, bool) {
	switch {
	case k.Kind == yaml.ScalarNode && k.Tag == "!!merge" && !r.Rules.Merge:
		r.say(k, r.Rules.MergeKey, fill(what)...)
	case k.Kind != yaml.ScalarNode, r.tagged(k), IsNull(k), k.Anchor != "" && !r.Rules.Aliases:
		r.say(k, r.Rules.BadKey, fill(what)...)
	default:
		return k.Value, true
	}
	return "", false
}

// Items calls each with every item of a list. No value at all is an empty list.
func (r *Reader) Items(n *yaml.Node, what string, each func(v *yaml.Node)) {
	n, ok := r.visit(n, what)
	if !ok || IsNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		r.say(n, r.Rules.NotList, fill(what, "{found}", kindName(n))...)
		return
	}
	for _, v := range n.Content {
		if r.done() {
			return
		}
		each(v)
	}
}

// Text is a scalar as it is written, whatever YAML makes of it, and where: 0012,
// 1e3 and yes stay what they are.
func (r *Reader) Text(n *yaml.Node, what string) (string, Place, bool) {
	n, ok := r.visit(n, what)
	switch {
	case !ok:
	case IsNull(n), n.Kind == yaml.ScalarNode && n.Value == "" && !r.Rules.Empty:
		r.say(n, r.Rules.NoValue, fill(what)...)
	case n.Kind != yaml.ScalarNode:
		r.say(n, r.Rules.NotText, fill(what, "{found}", kindName(n))...)
	case r.tagged(n):
	default:
		return n.Value, r.At(n), true
	}
	return "", Place{}, false
}

// Enum reads a word that parse understands; names are the words that it does.
func Enum[T any](r *Reader, n *yaml.Node, what string, names []string, parse func(string) (T, error), value *T) {
	text, at, ok := r.Text(n, what)
	if !ok {
		return
	}
	v, err := parse(text)
	if err != nil {
		r.MistakeAt(at, "%s is %s: write %s", what, Quoted(text), join(names, "or"))
		return
	}
	*value = v
}

// fill names what is read: "" is the topmost value of the file.
func fill(what string, more ...string) []string {
	in := " in " + what
	if what == "" {
		in = ""
	}
	return append([]string{"{what}", cmp.Or(what, "the file"), "{in what}", in}, more...)
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return "the single value " + Quoted(n.Value)
}

// Quoted is text in quotes, cut where it is too long for a line.
func Quoted(text string) string {
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		return fmt.Sprintf("%q…", string(runes[:longest]))
	}
	return fmt.Sprintf("%q", text)
}

// join is names as a sentence has them: a, b and c.
func join(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}
