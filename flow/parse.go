package flow

import (
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

// Load reads a policy file, or a folder whose *.yaml files are one policy together:
// each file may say the version, one of them the region and the precedence, and each
// organisation is in one file. If the policy has mistakes, the error is a
// *strictyaml.Report with all of them (docs/design.md, section 5).
func Load(path string) (*Policy, error) {
	t, err := ReadText(path)
	if err != nil {
		return nil, err
	}
	return t.Policy()
}

// rules are those of policy files.
var rules = strictyaml.Rules{
	Aliases: true, Empty: true,
	NotMapping: `{what} is {found}: write keys and values, "key: value"`,
	NotList:    "{what} is {found}: write a list, [a, b]",
	NotText:    "{what} is {found}: write one value",
	NoValue:    "{what} has no value: write one, or remove the key (# begins a comment unless it is in quotes)",
	Twice:      "{key} is in {what} twice: remove this one or that of line {line}",
	Unknown:    "unknown key {key} in {what}: use {a and b}",
	BadKey:     "a key in {what} is no plain text: write a name before the colon",
	MergeKey:   "merge keys (<<) are not understood in {what}: write the keys out, or use an alias for a whole value",
	Tag:        "the tag {found} has no meaning here: remove it",
}

// parser reads one policy.
type parser struct {
	strictyaml.Reader
	policy    *Policy
	badRegion bool // the region is said, and is none

	said          map[string]strictyaml.Place // where keys are said that only one file may say
	organisations map[string]strictyaml.Place
	numbers       map[string]owned // by E.164
	domains       map[string]owned
	extensions    map[extensionKey]extensionOf
	later         []func() // checks of references, for when everything is read
}

// owned is where something that belongs to one organisation is written.
type owned struct {
	strictyaml.Place
	organisation string
}

type extensionKey struct{ organisation, extension string }

// extensionOf is where a user's extension is written.
type extensionOf struct {
	strictyaml.Place
	user string
}

// parse reads a policy from the texts of its files. report holds the mistakes that
// were found before.
func parse(files []strictyaml.Source, report *strictyaml.Report) (*Policy, error) {
	p := &parser{
		Reader:        strictyaml.Reader{Report: *report, Rules: &rules},
		policy:        &Policy{Organisations: map[string]*Organisation{}},
		said:          map[string]strictyaml.Place{},
		organisations: map[string]strictyaml.Place{},
		numbers:       map[string]owned{},
		domains:       map[string]owned{},
		extensions:    map[extensionKey]extensionOf{},
	}
	p.files(files)
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := p.policy.Compile(); err != nil {
		return nil, err
	}
	return p.policy, nil
}

// files reads the top of every file first, then the organisations: numbers need the
// region, whichever file says it.
func (p *parser) files(files []strictyaml.Source) {
	type section struct {
		file string
		node *yaml.Node
	}
	var sections []section
	total, broken := 0, len(files) == 0 // without a file, the report says so
	for _, f := range files {
		if total += len(f.Text); total > maxSource {
			p.MistakeAt(strictyaml.Place{File: f.Name, Line: 1}, "the policy's files are larger than %d MB together: this is more than is read", maxSource>>20)
			return
		}
		before := len(p.Mistakes)
		doc := p.Open(f)
		if doc == nil {
			if len(p.Mistakes) == before {
				p.MistakeAt(strictyaml.Place{File: f.Name, Line: 1}, "the file is empty: begin with version: 1")
			}
			broken = true
			continue
		}
		p.top(doc.Content[0], func(v *yaml.Node) { sections = append(sections, section{f.Name, v}) })
	}
	if _, ok := p.said["version"]; !ok && !broken {
		p.MistakeAt(strictyaml.Place{File: files[0].Name, Line: 1}, "the policy says no version: begin with version: 1")
	}
	for _, s := range sections {
		p.File = s.file
		p.Pairs(s.node, "organisations", p.organisation)
	}
	for _, check := range p.later {
		if p.Full() {
			return
		}
		check()
	}
}

func (p *parser) top(n *yaml.Node, organisations func(*yaml.Node)) {
	p.Fields(n, "the policy", map[string]func(*yaml.Node){
		"version": p.version,
		"region":  func(v *yaml.Node) { p.once("region", v, p.region) },
		"precedence": func(v *yaml.Node) {
			p.once("precedence", v, func(v *yaml.Node) {
				strictyaml.Enum(&p.Reader, v, "precedence", []string{"last", "first"}, parsePrecedence, &p.policy.Precedence)
			})
		},
		"organisations": organisations,
	})
}

// once reads a key that only one of the files may have.
func (p *parser) once(key string, v *yaml.Node, read func(*yaml.Node)) {
	if first, twice := p.said[key]; twice {
		p.Mistake(v, "%s is already said at %s: remove one of them", key, first)
		return
	}
	p.said[key] = p.At(v)
	read(v)
}

func (p *parser) version(v *yaml.Node) {
	p.said["version"] = p.At(v)
	text, at, ok := p.Text(v, "version")
	switch {
	case !ok:
	case text != "1":
		p.MistakeAt(at, "version is %s: write version: %d, the only one that this program reads", strictyaml.Quoted(text), Version)
	default:
		p.policy.Version = Version
	}
}

func (p *parser) region(v *yaml.Node) {
	text, at, ok := p.Text(v, "region")
	if ok && knownRegion(text) {
		p.policy.Region = text
		return
	}
	meant := strings.ToUpper(text)
	if meant == "UK" {
		meant = "GB"
	}
	switch {
	case !ok:
		p.badRegion = true
	case knownRegion(meant):
		p.policy.Region = meant // so that its numbers can be read
		p.MistakeAt(at, "region is %s: write %s, the ISO 3166 code", strictyaml.Quoted(text), meant)
	default:
		p.badRegion = true
		p.MistakeAt(at, "region is %s, which is no country: write its ISO 3166 code, such as GB", strictyaml.Quoted(text))
	}
}

func parsePrecedence(s string) (p Precedence, err error) {
	err = p.UnmarshalText([]byte(s))
	return p, err
}
