package text

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/flow"
	"tapedeck/flow/edit"
)

// BadValue is the error of a value that no key of a policy can have.
type BadValue string

func (e BadValue) Error() string { return string(e) }

// Merge changes an organisation as a merge patch says (RFC 7396), whose keys are those of the
// policy file. A number may be written in any form. What record does not say of a direction
// stays as it is. Values are texts, booleans, lists of texts and objects; nil removes a key.
// Whether they make sense is for Policy to say.
func (d *Draft) Merge(organisation string, patch map[string]any) error {
	region := d.region()
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		kind, elements := kindOf(key)
		section, isObject := patch[key].(map[string]any)
		switch {
		case !elements:
			if err := d.merge(Place{Organisation: organisation}, []string{key}, patch[key]); err != nil {
				return err
			}
			continue
		case !isObject:
			return BadValue(key + ": it is no object of entries")
		}
		for _, id := range slices.Sorted(maps.Keys(section)) {
			at := Place{organisation, flow.Element{Kind: kind, ID: id}}
			if kind == flow.Number {
				p := flow.Policy{Region: region}
				e164, ok := p.Normalise(id)
				if !ok {
					return BadValue(fmt.Sprintf("%s: %.40q is no telephone number: write + and country code", key, id))
				}
				at.Element.ID = e164
			}
			if err := d.mergeElement(at, section[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// kindOf is the kind of the elements that a key of an organisation has.
func kindOf(section string) (flow.Kind, bool) {
	for kind, name := range sections {
		if name == section {
			return kind, true
		}
	}
	return "", false
}

func (d *Draft) mergeElement(at Place, patch any) error {
	name := at.Element.String()
	if patch == nil {
		return d.Remove(at)
	}
	said, ok := patch.(map[string]any)
	if !ok {
		return BadValue(name + ": it is no object")
	}
	f, path, err := d.find(at)
	if err != nil {
		return err
	}
	if f.read.Value(path...) == nil { // in one go: ten thousand are added as fast as one
		node, err := nodeOf(name, said)
		if err == nil {
			f.pending = append(f.pending, edit.Change{Path: path, Value: node})
		}
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if key != "record" {
			err = d.merge(at, []string{key}, said[key])
		} else if said[key] == nil {
			err = d.Set(at, []string{key}, nil)
		} else {
			err = d.mergeRecord(at, settingsIn(orNothing(f.read.Value(append(path, key)...))), said[key])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func orNothing(n *yaml.Node) *yaml.Node {
	if n == nil {
		return edit.Mapping()
	}
	return n
}

// mergeRecord changes settings: all of them by one word, or some by direction.
func (d *Draft) mergeRecord(at Place, s flow.Settings, patch any) error {
	what := at.Element.String() + ": record"
	word := func(what string, said any) (flow.Setting, error) {
		if said == nil {
			return flow.DontCare, nil
		}
		text, _ := said.(string)
		setting, err := flow.ParseSetting(text)
		if err != nil {
			return 0, BadValue(what + ": use yes, no, dont-care, force or never, in quotes")
		}
		return setting, nil
	}
	by, ok := patch.(map[string]any)
	if !ok {
		all, err := word(what, patch)
		if err != nil {
			return err
		}
		return d.SetRecord(at, flow.Settings{all, all, all})
	}
	for name, said := range by {
		dir, err := flow.ParseDirection(name)
		if err != nil {
			return BadValue(fmt.Sprintf("%s: %v", what, err))
		}
		if s[dir], err = word(what+", "+name, said); err != nil {
			return err
		}
	}
	return d.SetRecord(at, s)
}

// merge changes what is at a key, and below it.
func (d *Draft) merge(at Place, key []string, patch any) error {
	f, path, err := d.find(at)
	if err != nil {
		return err
	}
	object, ok := patch.(map[string]any)
	if there := f.read.Value(append(path, key...)...); ok && there != nil && there.Kind == yaml.MappingNode {
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if err := d.merge(at, append(slices.Clone(key), name), object[name]); err != nil {
				return err
			}
		}
		return nil
	}
	if patch == nil {
		return d.Set(at, key, nil)
	}
	node, err := nodeOf(strings.Join(key, "."), patch)
	if err != nil {
		return err
	}
	return d.Set(at, key, node)
}

// inQuotes are the keys whose values are digits.
var inQuotes = map[string]bool{"extension": true, "dtmf": true, "blind_transfer": true}

// nodeOf is how a value of a patch is written.
func nodeOf(what string, said any) (*yaml.Node, error) {
	switch said := said.(type) {
	case string:
		if inQuotes[what[strings.LastIndexAny(what, ".: ")+1:]] {
			return edit.Quoted(said), nil
		}
		return edit.Word(said), nil
	case bool:
		return edit.Word(fmt.Sprint(said)), nil
	case []any:
		words := make([]string, len(said))
		for i, w := range said {
			var ok bool
			if words[i], ok = w.(string); !ok {
				return nil, BadValue(what + ": it is no list of texts")
			}
		}
		return edit.List(words), nil
	case map[string]any:
		n := edit.Mapping()
		for _, key := range slices.Sorted(maps.Keys(said)) {
			if said[key] == nil {
				continue
			}
			value, err := nodeOf(what+"."+key, said[key])
			if err != nil {
				return nil, err
			}
			edit.With(n, key, value)
		}
		return n, nil
	}
	return nil, BadValue(what + ": use a text in quotes, true, false, a list of texts or an object")
}
