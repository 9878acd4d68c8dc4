// Package policy changes the policy file for a person at a command line.
package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/flow"
	"tapedeck/flow/edit"
	"tapedeck/flow/text"
	"tapedeck/review"
)

// Assignment changes what a policy says about an organisation or one of its elements. Names
// are as a person writes them.
type Assignment struct {
	Organisation string   // its id; empty: the only one that the rest fits
	Name         string   // a number in any form, KIND/ID, or an organisation's id
	Add          bool     // an element that is not there is added
	Remove       bool     // the element is removed, and nothing is assigned
	Values       []string // KEY=VALUE; nothing behind the = removes the key
}

// Make makes the changes in a draft, which is not saved.
func (a Assignment) Make(d *text.Draft) error {
	p, err := d.Before()
	if err != nil {
		return err
	}
	at, err := a.place(p)
	if err != nil {
		return err
	}
	if a.Remove {
		return d.Remove(at)
	}
	o := p.Organisations[at.Organisation]
	if _, there := o.Settings(at.Element); !there && at.Element.Kind != "" && len(a.Values) == 0 {
		return d.Set(at, nil, edit.Mapping())
	}
	settings, _ := o.Settings(at.Element)
	before := settings
	for _, assigned := range a.Values {
		key, value, found := strings.Cut(assigned, "=")
		if !found {
			return review.Wrongf("%q is no KEY=VALUE: write such as record=yes", assigned)
		}
		if key == "record" || strings.HasPrefix(key, "record.") {
			err = assignRecord(at.Element, &settings, strings.TrimPrefix(key, "record"), value)
		} else {
			err = assign(d, at, key, value)
		}
		if err != nil {
			return err
		}
	}
	if settings != before {
		return d.SetRecord(at, settings)
	}
	return nil
}

// place finds what is to be changed.
func (a Assignment) place(p *flow.Policy) (at text.Place, err error) {
	if o := p.Organisations[a.Name]; o != nil && !strings.Contains(a.Name, "/") {
		if a.Remove || a.Add {
			return at, review.Wrongf("%s is an organisation: only its elements are added and removed here", a.Name)
		}
		return text.Place{Organisation: o.ID}, nil
	}
	named := flow.Element{Kind: flow.Number, ID: a.Name}
	if strings.Contains(a.Name, "/") {
		if named, err = flow.ParseElement(a.Name); err != nil {
			return at, review.Wrongf("NAME: %v", err)
		}
	}
	fits := slices.Sorted(maps.Keys(p.Organisations))
	if a.Organisation != "" {
		if p.Organisations[a.Organisation] == nil {
			return at, review.Wrongf("--organisation: there is no %q: the policy has %s", a.Organisation, strings.Join(fits, ", "))
		}
		fits = []string{a.Organisation}
	}
	var found []text.Place
	for _, id := range fits {
		if e, err := review.Find(p, p.Organisations[id], named); err == nil {
			found = append(found, text.Place{Organisation: id, Element: e})
		}
	}
	switch {
	case len(found) == 1 && !a.Add:
		return found[0], nil
	case len(found) > 1:
		return at, review.Wrongf("%s is in %s: say which with --organisation", a.Name, strings.Join(fits, " and in "))
	case len(found) == 1:
		return at, review.Wrongf("%s is there already, in organisation %s: leave out --add", a.Name, found[0].Organisation)
	case !a.Add:
		return at, review.Wrongf("%s is in none of the organisations %s: add it with --add, or mend the name", a.Name, strings.Join(fits, ", "))
	case len(fits) != 1:
		return at, review.Wrongf("say with --organisation where %s is to be added", a.Name)
	}
	return added(p, fits[0], named)
}

// added is the place of an element that is not there yet.
func added(p *flow.Policy, organisation string, e flow.Element) (at text.Place, err error) {
	if e.Kind == flow.Number {
		e164, ok := p.Normalise(e.ID)
		if !ok {
			return at, review.Wrongf("%q is no telephone number: write + and country code, or KIND/ID for something else", e.ID)
		}
		e.ID = e164
	}
	return text.Place{Organisation: organisation, Element: e}, nil
}

// assignRecord changes a setting; direction is empty for all of them, or .inbound.
func assignRecord(e flow.Element, s *flow.Settings, direction, value string) error {
	if e.Kind == "" {
		return review.Wrongf("an organisation has no record: name one of its elements, or write recording=true")
	}
	setting := flow.DontCare
	if value != "" {
		var err error
		if setting, err = flow.ParseSetting(value); err != nil {
			return review.Wrongf("record%s: %v", direction, err)
		}
	}
	if direction == "" {
		*s = flow.Settings{setting, setting, setting}
		return nil
	}
	d, err := flow.ParseDirection(direction[1:])
	if err != nil {
		return review.Wrongf("record%s: %v", direction, err)
	}
	s[d] = setting
	return nil
}

// writers are how the values of a place's keys are written. Whether a value makes sense is
// for the policy's reader to say.
var writers = map[flow.Kind]map[string]func(string) *yaml.Node{
	"": {
		"name": edit.Word, "brand": edit.Word, "domains": list, "recording": edit.Word, "retention": edit.Word,
		"disclaimer.play": edit.Word, "disclaimer.to": edit.Word,
		"on_demand.dtmf": edit.Quoted, "on_demand.blind_transfer": edit.Quoted, "on_demand.record_key": edit.Word, "on_demand.api": edit.Word,
		"on_demand.auto_resume": edit.Word, "on_demand.sticky_pause": edit.Word,
		"prompts.language": edit.Word, "prompts.recorded": edit.Word, "prompts.is_being_recorded": edit.Word,
		"prompts.not_permitted": edit.Word, "prompts.pause_ends_soon": edit.Word,
	},
	flow.Number:      {"route": edit.Word},
	flow.RingGroup:   {"members": list},
	flow.Application: {},
	flow.User:        {"extension": edit.Quoted, "on_demand": edit.Word},
}

// list is a list that is written with commas.
func list(s string) *yaml.Node {
	words := strings.Split(s, ",")
	for i, w := range words {
		words[i] = strings.TrimSpace(w)
	}
	return edit.List(words)
}

func assign(d *text.Draft, at text.Place, key, value string) error {
	known := writers[at.Element.Kind]
	write, ok := known[key]
	if !ok {
		keys := slices.Sorted(maps.Keys(known))
		what := "an organisation"
		if at.Element.Kind != "" {
			keys, what = append([]string{"record", "record.inbound", "record.outbound", "record.internal"}, keys...), "a "+string(at.Element.Kind)
		}
		return review.Wrongf("unknown key %q of %s: use %s", key, what, strings.Join(keys, ", "))
	}
	var node *yaml.Node
	if value != "" {
		node = write(value)
	}
	if err := d.Set(at, strings.Split(key, "."), node); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
