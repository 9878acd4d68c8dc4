package flow

// Inheritance is all of the policy that a decision about one element needs. The store
// caches one for each element.
type Inheritance struct {
	Organisation string     `json:"organisation"`
	Recording    bool       `json:"recording"` // false: nothing is recorded for the organisation (docs/design.md, section 2, rule 5)
	Precedence   Precedence `json:"precedence"`
	Element      Element    `json:"element"`
	Settings     Settings   `json:"settings"`

	// Leads are the elements to which the policy itself leads, in order: from a number
	// its route and, if that is a group, the group's members; from a group its
	// members. They are what may follow, not what will.
	Leads []Lead `json:"leads,omitempty"`

	// Ahead are the settings of the users who may still join: any user of the
	// organisation may, by a transfer. dont-care is always among them, because a phone
	// that the policy does not know may join, too.
	Ahead SettingSets `json:"ahead"`
}

// Lead is an element with its settings in every direction.
type Lead struct {
	Element  Element  `json:"element"`
	Settings Settings `json:"settings"`
}

// Step is the element with its setting in a call's direction.
func (in Inheritance) Step(d Direction) Step { return Step{in.Element, in.Settings[d]} }

// Inheritance is that of one element. It is not ok if the organisation has no
// such element; Unknown is what counts then.
func (o *Organisation) Inheritance(e Element) (in Inheritance, ok bool) {
	s, ok := o.Settings(e)
	if !ok {
		return Inheritance{}, false
	}
	return o.inheritance(e, s), true
}

// Unknown is the inheritance of an element that the policy does not know: it is
// dont-care, and leads nowhere.
func (o *Organisation) Unknown(e Element) Inheritance { return o.inheritance(e, Settings{}) }

// Inheritances is the inheritance of every element of the organisation.
func (o *Organisation) Inheritances() map[Element]Inheritance {
	all := make(map[Element]Inheritance, len(o.Numbers)+len(o.RingGroups)+len(o.Applications)+len(o.Users))
	for id, n := range o.Numbers {
		e := Element{Number, id}
		all[e] = o.inheritance(e, n.Record)
	}
	for id, g := range o.RingGroups {
		e := Element{RingGroup, id}
		all[e] = o.inheritance(e, g.Record)
	}
	for id, a := range o.Applications {
		e := Element{Application, id}
		all[e] = o.inheritance(e, a.Record)
	}
	for id, u := range o.Users {
		e := Element{User, id}
		all[e] = o.inheritance(e, u.Record)
	}
	return all
}

func (o *Organisation) inheritance(e Element, s Settings) Inheritance {
	return Inheritance{
		Organisation: o.ID,
		Recording:    o.Recording,
		Precedence:   o.Precedence,
		Element:      e,
		Settings:     s,
		Leads:        o.leads(e),
		Ahead:        o.ahead,
	}
}

func (o *Organisation) leads(e Element) []Lead {
	switch e.Kind {
	case Number:
		n := o.Numbers[e.ID]
		if n == nil {
			return nil
		}
		s, ok := o.Settings(n.Route)
		if !ok {
			return nil
		}
		return append([]Lead{{n.Route, s}}, o.members(n.Route)...)
	case RingGroup:
		return o.members(e)
	}
	return nil
}

// members are the users of a ring group; none for any other element.
func (o *Organisation) members(e Element) []Lead {
	if e.Kind != RingGroup || o.RingGroups[e.ID] == nil {
		return nil
	}
	var leads []Lead
	for _, id := range o.RingGroups[e.ID].Members {
		member := Element{User, id}
		if s, ok := o.Settings(member); ok {
			leads = append(leads, Lead{member, s})
		}
	}
	return leads
}
