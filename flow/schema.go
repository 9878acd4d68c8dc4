package flow

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tapedeck/internal/strictyaml"
)

const (
	organisationIDForm = "1 to 64 of a-z, 0-9 and -"
	elementIDForm      = "1 to 64 of a-z, 0-9, -, _ and ."
	codeForm           = "1 to 6 of 0-9, * and #, in quotes"
)

// organisation reads one organisation of the policy.
func (p *parser) organisation(id string, k, v *yaml.Node) {
	if first, twice := p.organisations[id]; twice {
		p.Mistake(k, "organisation %s is already at %s: put all of it into one place", strictyaml.Quoted(id), first)
		return
	}
	p.organisations[id] = p.At(k)
	if !isOrganisationID(id) {
		p.Mistake(k, "organisation %s has no valid id: write %s", strictyaml.Quoted(id), organisationIDForm)
	}
	o := &Organisation{ID: id, Recording: true}
	p.policy.Organisations[id] = o
	what := "organisation " + strictyaml.Quoted(id)
	entries := func(kind Kind, each func(o *Organisation, id string, k, v *yaml.Node)) func(*yaml.Node) {
		return func(v *yaml.Node) {
			p.Pairs(v, fmt.Sprintf("%ss of %s", kind, what), func(id string, k, v *yaml.Node) { each(o, id, k, v) })
		}
	}
	p.Fields(v, what, map[string]func(*yaml.Node){
		"name":         func(v *yaml.Node) { p.name(v, "name of "+what, &o.Name) },
		"brand":        func(v *yaml.Node) { p.word(v, "brand of "+what, isOrganisationID, organisationIDForm, &o.Brand) },
		"domains":      func(v *yaml.Node) { p.domainList(o, v, what) },
		"recording":    func(v *yaml.Node) { p.boolean(v, "recording of "+what, &o.Recording) },
		"disclaimer":   func(v *yaml.Node) { p.disclaimer(o, v, what) },
		"on_demand":    func(v *yaml.Node) { p.onDemand(&o.OnDemand, v, "on_demand of "+what) },
		"prompts":      func(v *yaml.Node) { p.prompts(&o.Prompts, v, "prompts of "+what) },
		"retention":    func(v *yaml.Node) { p.duration(v, "retention of "+what, &o.Retention) },
		"numbers":      entries(Number, p.number),
		"ring_groups":  entries(RingGroup, p.ringGroup),
		"applications": entries(Application, p.application),
		"users":        entries(User, p.user),
	})
}

func (p *parser) domainList(o *Organisation, v *yaml.Node, what string) {
	p.Items(v, "domains of "+what, func(v *yaml.Node) {
		text, at, ok := p.Text(v, "a domain of "+what)
		if !ok {
			return
		}
		host := hostOf(text)
		if !isDomain(host) {
			p.MistakeAt(at, "%s is no domain: write a name such as acme.example.net, or an address", strictyaml.Quoted(text))
			return
		}
		if first, twice := p.domains[host]; twice {
			p.MistakeAt(at, "domain %s is already in organisation %s (%s): a domain belongs to one organisation, once", host, strictyaml.Quoted(first.organisation), first.Place)
			return
		}
		p.domains[host] = owned{at, o.ID}
		o.Domains = append(o.Domains, host)
	})
	slices.Sort(o.Domains)
}

func (p *parser) disclaimer(o *Organisation, v *yaml.Node, what string) {
	what = "disclaimer of " + what
	d := &Disclaimer{To: External}
	o.Disclaimer = d
	at, said := p.At(v), false
	p.Fields(v, what, map[string]func(*yaml.Node){
		"play": func(v *yaml.Node) {
			said = true
			p.word(v, "play in "+what, isPlayable, playableForm, &d.Play)
		},
		"to": func(v *yaml.Node) {
			strictyaml.Enum(&p.Reader, v, "to in "+what, []string{string(External), string(Both)}, parseParties, &d.To)
		},
	})
	if !said {
		p.MistakeAt(at, "%s says no file: write play: and a sound file, or remove the disclaimer", what)
	}
}

const playableForm = "a file name of letters, digits and _ . - / :"

func (p *parser) prompts(q *Prompts, v *yaml.Node, what string) {
	file := func(key string, to *string) func(*yaml.Node) {
		return func(v *yaml.Node) { p.word(v, key+" in "+what, isPlayable, playableForm, to) }
	}
	p.Fields(v, what, map[string]func(*yaml.Node){
		"language":          func(v *yaml.Node) { p.word(v, "language in "+what, isOrganisationID, organisationIDForm, &q.Language) },
		"recorded":          file("recorded", &q.Recorded),
		"is_being_recorded": file("is_being_recorded", &q.IsBeingRecorded),
		"not_permitted":     file("not_permitted", &q.NotPermitted),
		"pause_ends_soon":   file("pause_ends_soon", &q.PauseEndsSoon),
	})
}

func (p *parser) onDemand(d *OnDemand, v *yaml.Node, what string) {
	p.Fields(v, what, map[string]func(*yaml.Node){
		"dtmf":           func(v *yaml.Node) { p.word(v, "dtmf in "+what, isCode, codeForm, &d.DTMF) },
		"record_key":     func(v *yaml.Node) { p.boolean(v, "record_key in "+what, &d.RecordKey) },
		"blind_transfer": func(v *yaml.Node) { p.word(v, "blind_transfer in "+what, isCode, codeForm, &d.BlindTransfer) },
		"api":            func(v *yaml.Node) { p.boolean(v, "api in "+what, &d.API) },
		"auto_resume":    func(v *yaml.Node) { p.duration(v, "auto_resume in "+what, &d.AutoResume) },
		"sticky_pause":   func(v *yaml.Node) { p.boolean(v, "sticky_pause in "+what, &d.StickyPause) },
	})
}

func (p *parser) number(o *Organisation, raw string, k, v *yaml.Node) {
	entry := &NumberEntry{}
	what := "number " + strictyaml.Quoted(raw)
	p.Fields(v, what, map[string]func(*yaml.Node){
		"record": func(v *yaml.Node) { p.record(v, what, &entry.Record) },
		"route":  func(v *yaml.Node) { p.route(o, entry, v, what) },
	})
	e164, ok := p.policy.Normalise(raw)
	if !ok {
		p.unreadable(raw, k)
		return
	}
	if first, twice := p.numbers[e164]; twice {
		p.Mistake(k, "number %s is already in organisation %s (%s): a number belongs to one organisation, once", e164, strictyaml.Quoted(first.organisation), first.Place)
		return
	}
	p.numbers[e164] = owned{p.At(k), o.ID}
	put(&o.Numbers, e164, entry)
}

// unreadable notes why a number cannot be read. A bad region is noted already.
func (p *parser) unreadable(raw string, k *yaml.Node) {
	digits, clean := cleanNumber(raw)
	national := clean && !strings.HasPrefix(digits, "+")
	switch {
	case national && p.badRegion:
	case national && p.policy.Region == "":
		p.Mistake(k, "number %s cannot be read without a region: write it as + and country code, or say region: at the top", strictyaml.Quoted(raw))
	default:
		p.Mistake(k, "%s is no telephone number: write + and country code, such as \"+442079460001\"", strictyaml.Quoted(raw))
	}
}

func (p *parser) route(o *Organisation, entry *NumberEntry, v *yaml.Node, what string) {
	text, at, ok := p.Text(v, "route of "+what)
	if !ok {
		return
	}
	e, err := ParseElement(text)
	if err != nil || e.Kind == Number {
		p.MistakeAt(at, "route of %s is %s: write ring_group/ID, application/ID or user/ID", what, strictyaml.Quoted(text))
		return
	}
	entry.Route = e
	p.later = append(p.later, func() {
		if _, ok := o.Settings(e); !ok {
			p.MistakeAt(at, "route of %s is %s, which organisation %s does not have: add it to %ss, or change the route", what, strictyaml.Quoted(text), strictyaml.Quoted(o.ID), e.Kind)
		}
	})
}

func (p *parser) ringGroup(o *Organisation, id string, k, v *yaml.Node) {
	p.elementID(RingGroup, id, k)
	entry := &RingGroupEntry{}
	put(&o.RingGroups, id, entry)
	what := "ring group " + strictyaml.Quoted(id)
	p.Fields(v, what, map[string]func(*yaml.Node){
		"record":  func(v *yaml.Node) { p.record(v, what, &entry.Record) },
		"members": func(v *yaml.Node) { p.members(o, entry, v, what) },
	})
}

func (p *parser) members(o *Organisation, entry *RingGroupEntry, v *yaml.Node, what string) {
	seen := map[string]bool{}
	p.Items(v, "members of "+what, func(v *yaml.Node) {
		id, at, ok := p.Text(v, "a member of "+what)
		if !ok {
			return
		}
		if seen[id] {
			p.MistakeAt(at, "user %s is a member of %s twice: remove one of them", strictyaml.Quoted(id), what)
			return
		}
		seen[id] = true
		entry.Members = append(entry.Members, id)
		p.later = append(p.later, func() { p.member(o, id, at, what) })
	})
}

func (p *parser) member(o *Organisation, id string, at strictyaml.Place, what string) {
	if o.Users[id] != nil {
		return
	}
	if x, ok := p.extensions[extensionKey{o.ID, id}]; ok {
		p.MistakeAt(at, "%s in members of %s is an extension: write the user's id, %s", strictyaml.Quoted(id), what, strictyaml.Quoted(x.user))
		return
	}
	p.MistakeAt(at, "%s in members of %s is no user of organisation %s: add it to users, or remove it here", strictyaml.Quoted(id), what, strictyaml.Quoted(o.ID))
}

func (p *parser) application(o *Organisation, id string, k, v *yaml.Node) {
	p.elementID(Application, id, k)
	entry := &ApplicationEntry{}
	put(&o.Applications, id, entry)
	what := "application " + strictyaml.Quoted(id)
	p.Fields(v, what, map[string]func(*yaml.Node){
		"record": func(v *yaml.Node) { p.record(v, what, &entry.Record) },
	})
}

func (p *parser) user(o *Organisation, id string, k, v *yaml.Node) {
	p.elementID(User, id, k)
	entry := &UserEntry{}
	put(&o.Users, id, entry)
	what := "user " + strictyaml.Quoted(id)
	p.Fields(v, what, map[string]func(*yaml.Node){
		"extension": func(v *yaml.Node) { p.extension(o, id, entry, v, what) },
		"record":    func(v *yaml.Node) { p.record(v, what, &entry.Record) },
		"on_demand": func(v *yaml.Node) {
			strictyaml.Enum(&p.Reader, v, "on_demand of "+what, grantNames[:], parseGrant, &entry.OnDemand)
		},
	})
}

func (p *parser) extension(o *Organisation, user string, entry *UserEntry, v *yaml.Node, what string) {
	p.word(v, "extension of "+what, isExtension, "1 to 64 letters, digits or - _ . + * #", &entry.Extension)
	if entry.Extension == "" {
		return
	}
	key, at := extensionKey{o.ID, entry.Extension}, p.At(v)
	if first, twice := p.extensions[key]; twice {
		p.MistakeAt(at, "extension %s is already that of user %s (%s): give one of them another", strictyaml.Quoted(key.extension), strictyaml.Quoted(first.user), first.Place)
		return
	}
	p.extensions[key] = extensionOf{at, user}
	p.later = append(p.later, func() {
		if o.Users[key.extension] != nil && key.extension != user {
			p.MistakeAt(at, "extension %s of %s is the id of another user: give one of them another", strictyaml.Quoted(key.extension), what)
		}
	})
}

func (p *parser) elementID(kind Kind, id string, k *yaml.Node) {
	if !isElementID(id) {
		p.Mistake(k, "%s %s has no valid id: write %s", kind, strictyaml.Quoted(id), elementIDForm)
	}
}

func parseParties(s string) (Parties, error) {
	if to := Parties(s); to == External || to == Both {
		return to, nil
	}
	return "", fmt.Errorf("unknown parties %q: use external or both", s)
}

// put adds an entry to a map, and makes the map for the first one.
func put[T any](m *map[string]T, key string, value T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[key] = value
}
