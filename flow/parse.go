package flow

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"gopkg.in/yaml.v3"
)

// Load reads a policy file, or a folder whose *.yaml files are one policy
// together: each may say the version, one of them the region and the
// precedence, and each organisation is in one of them. When the policy has
// mistakes, the error is a *Report of all of them.
func Load(path string) (*Policy, error) {
	files, report, err := readSources(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: name a file or a folder", err)
	} else if err != nil {
		return nil, err
	}
	return parse(files, report)
}

// Parse reads a policy from files that are in memory; see Load.
func Parse(files []Source) (*Policy, error) {
	report := &Report{}
	if len(files) == 0 {
		report.Add(Mistake{"policy", 1, "there is no policy: write a file that begins with version: 1"})
	}
	return parse(files, report)
}

// parser is the state of reading one policy.
type parser struct {
	reader
	policy    *Policy
	badRegion bool // it says a region, and that is none

	said          map[string]place // where the keys that may be said once are said
	organisations map[string]place
	numbers       map[string]owned // by E.164
	domains       map[string]owned
	extensions    map[extensionKey]extensionOf
	later         []func() // checks of references, when everything is read
}

// owned is where something that belongs to one organisation is written.
type owned struct {
	place
	organisation string
}

type extensionKey struct{ organisation, extension string }

// extensionOf is where a user's extension is written.
type extensionOf struct {
	place
	user string
}

func parse(files []Source, report *Report) (*Policy, error) {
	p := &parser{
		reader:        reader{Report: *report},
		policy:        &Policy{Organisations: map[string]*Organisation{}},
		said:          map[string]place{},
		organisations: map[string]place{},
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

// files reads what stands at the top of every file first: numbers need the
// region, whichever file says it.
func (p *parser) files(files []Source) {
	type section struct {
		file string
		node *yaml.Node
	}
	var sections []section
	total, broken := 0, len(files) == 0
	for _, f := range files {
		p.file = f.Name
		if total += len(f.Text); total > maxSource {
			p.mistake(place{f.Name, 1}, "the policy's files are larger than %d MB together: this is more than is read", maxSource>>20)
			return
		}
		before := len(p.Mistakes)
		doc := Document(f, &p.Report)
		if doc == nil {
			if len(p.Mistakes) == before {
				p.mistake(place{f.Name, 1}, "the file is empty: begin with version: 1")
			}
			broken = true
			continue
		}
		top := doc.Content[0]
		p.written += count(top)
		p.top(top, func(v *yaml.Node) { sections = append(sections, section{f.Name, v}) })
	}
	if _, ok := p.said["version"]; !ok && !broken {
		p.mistake(place{files[0].Name, 1}, "the policy says no version: begin with version: 1")
	}
	for _, s := range sections {
		p.file = s.file
		p.pairs(s.node, "organisations", p.organisation)
	}
	for _, check := range p.later {
		if p.full() {
			return
		}
		check()
	}
}

func (p *parser) top(n *yaml.Node, organisations func(*yaml.Node)) {
	p.fields(n, "the policy", map[string]func(*yaml.Node){
		"version": p.version,
		"region":  func(v *yaml.Node) { p.once("region", v, p.region) },
		"precedence": func(v *yaml.Node) {
			p.once("precedence", v, func(v *yaml.Node) {
				enum(&p.reader, v, "precedence", []string{"last", "first"}, parsePrecedence, &p.policy.Precedence)
			})
		},
		"organisations": organisations,
	})
}

// once reads what only one of the files may say.
func (p *parser) once(key string, v *yaml.Node, read func(*yaml.Node)) {
	if first, twice := p.said[key]; twice {
		p.mistake(p.at(v), "%s is already said at %s: remove one of them", key, first)
		return
	}
	p.said[key] = p.at(v)
	read(v)
}

func (p *parser) version(v *yaml.Node) {
	p.said["version"] = p.at(v)
	text, at, ok := p.text(v, "version")
	switch {
	case !ok:
	case text != "1":
		p.mistake(at, "version is %s: write version: %d, the only one that this program reads", quoted(text), Version)
	default:
		p.policy.Version = Version
	}
}

func (p *parser) region(v *yaml.Node) {
	text, at, ok := p.text(v, "region")
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
		p.policy.Region = meant // to go on with
		p.mistake(at, "region is %s: write %s, the ISO 3166 code", quoted(text), meant)
	default:
		p.badRegion = true
		p.mistake(at, "region is %s, which is no country: write its ISO 3166 code, such as GB", quoted(text))
	}
}

func parsePrecedence(s string) (p Precedence, err error) {
	err = p.UnmarshalText([]byte(s))
	return p, err
}
