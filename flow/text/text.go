// Package text changes the policy's text: it finds where something is written, has it
// changed there and nowhere else, and saves the file whole.
package text

import (
	"errors"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"tapedeck/flow"
	"tapedeck/flow/edit"
	"tapedeck/internal/strictyaml"
)

// Place is where in the policy something is said.
type Place struct {
	Organisation string
	Element      flow.Element // the zero Element: the organisation itself; a number is in E.164
}

// Draft is the policy's text with changes that are not saved. One goroutine uses it.
type Draft struct {
	read  flow.Text // as it was read
	files []*draftFile
	in    map[string]*draftFile // by organisation
}

// draftFile is one file of a draft.
type draftFile struct {
	read    *edit.File // as it was read
	text    []byte     // with the changes that have been made
	pending []edit.Change
	numbers map[string]map[string]string // by organisation: its numbers as they are written, by E.164
}

// Read reads the policy's file or folder. A policy with mistakes can be read if it is YAML.
func Read(path string) (*Draft, error) {
	t, err := flow.ReadText(path)
	if err != nil {
		return nil, err
	}
	d := &Draft{}
	return d, d.begin(t)
}

// begin lets the draft begin with a text.
func (d *Draft) begin(t flow.Text) error {
	d.read, d.files, d.in = t, nil, map[string]*draftFile{}
	for _, f := range t.Files {
		read, err := edit.Open(f.Name, f.Text)
		if err != nil {
			return err
		}
		file := &draftFile{read: read, text: f.Text, numbers: map[string]map[string]string{}}
		d.files = append(d.files, file)
		for _, id := range read.Keys(organisations) {
			d.in[id] = file
		}
	}
	return nil
}

const organisations = "organisations"

// Before is the policy as it was read.
func (d *Draft) Before() (*flow.Policy, error) { return d.read.Policy() }

// Policy is the policy with the changes. If they make a mistake, the error is a
// *strictyaml.Report.
func (d *Draft) Policy() (*flow.Policy, error) {
	now, err := d.now()
	if err != nil {
		return nil, err
	}
	return now.Policy()
}

// now is the text with all changes made.
func (d *Draft) now() (flow.Text, error) {
	now := d.read
	now.Files = slices.Clone(now.Files)
	for i, f := range d.files {
		text, err := edit.Apply(f.text, f.pending)
		if err != nil {
			return now, fmt.Errorf("%s: %w", now.Files[i].Name, err)
		}
		f.text, f.pending = text, nil
		now.Files[i].Text = text
	}
	return now, nil
}

// sections are the keys of an organisation that have its elements.
var sections = map[flow.Kind]string{flow.Number: "numbers", flow.RingGroup: "ring_groups", flow.Application: "applications", flow.User: "users"}

// ErrNoOrganisation says that no file has the organisation.
var ErrNoOrganisation = errors.New("the policy has no such organisation")

// Set sets a key of a place; nil removes it. An element that is not there is added.
func (d *Draft) Set(at Place, key []string, value *yaml.Node) error {
	f, path, err := d.find(at)
	if err == nil {
		f.pending = append(f.pending, edit.Change{Path: append(path, key...), Value: value})
	}
	return err
}

// SetRecord sets what a place says about recording: in one word if it is the same in each
// direction.
func (d *Draft) SetRecord(at Place, s flow.Settings) error {
	f, path, err := d.find(at)
	if err != nil {
		return err
	}
	path = append(path, "record")
	var is flow.Settings
	written := f.read.Value(path...)
	if written != nil {
		is = settingsIn(written)
	}
	if is == s && len(f.pending) == 0 {
		return nil
	}
	if written == nil || written.Kind != yaml.MappingNode || uniform(s) {
		f.pending = append(f.pending, edit.Change{Path: path, Value: record(s)})
		return nil
	}
	for dir, setting := range s {
		if setting != is[dir] {
			key := flow.Direction(dir).String()
			f.pending = append(f.pending, edit.Change{Path: append(slices.Clone(path), key), Value: edit.Word(setting.String())})
		}
	}
	return nil
}

// Remove removes a place and all that is said of it.
func (d *Draft) Remove(at Place) error { return d.Set(at, nil, nil) }

// find is the file in which a place is, or would be, and its path there.
func (d *Draft) find(at Place) (*draftFile, []string, error) {
	f := d.in[at.Organisation]
	if f == nil {
		return nil, nil, fmt.Errorf("%w: %q", ErrNoOrganisation, at.Organisation)
	}
	path := []string{organisations, at.Organisation}
	switch id := at.Element.ID; at.Element.Kind {
	case "":
	case flow.Number:
		if written := f.numbersOf(at.Organisation, d.region())[id]; written != "" {
			id = written
		}
		path = append(path, sections[flow.Number], id)
	default:
		path = append(path, sections[at.Element.Kind], id)
	}
	return f, path, nil
}

// region is what the files say of it.
func (d *Draft) region() string {
	for _, f := range d.files {
		if n := f.read.Value("region"); n != nil {
			return n.Value
		}
	}
	return ""
}

// numbersOf are the numbers of an organisation as they are written, by E.164.
func (f *draftFile) numbersOf(organisation, region string) map[string]string {
	of := f.numbers[organisation]
	if of == nil {
		of = map[string]string{}
		p := flow.Policy{Region: region}
		for _, written := range f.read.Keys(organisations, organisation, sections[flow.Number]) {
			if e164, ok := p.Normalise(written); ok {
				of[e164] = written
			}
		}
		f.numbers[organisation] = of
	}
	return of
}

// settingsIn reads what is written of recording. What it cannot read is dont-care: the
// policy's reader has refused it.
func settingsIn(n *yaml.Node) (s flow.Settings) {
	if n.Kind == yaml.ScalarNode {
		all, _ := flow.ParseSetting(n.Value)
		return flow.Settings{all, all, all}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if dir, err := flow.ParseDirection(n.Content[i].Value); err == nil {
			s[dir], _ = flow.ParseSetting(strictyaml.Target(n.Content[i+1]).Value)
		}
	}
	return s
}

func uniform(s flow.Settings) bool { return s == flow.Settings{s[0], s[0], s[0]} }

// record is how settings are written.
func record(s flow.Settings) *yaml.Node {
	if uniform(s) {
		return edit.Word(s[0].String())
	}
	n := edit.Mapping()
	for dir, setting := range s {
		if setting != flow.DontCare {
			edit.With(n, flow.Direction(dir).String(), edit.Word(setting.String()))
		}
	}
	return n
}
