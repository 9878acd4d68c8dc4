// Package review answers questions about a policy: how a call would be decided and why,
// and what differs between two policies.
package review

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tapedeck/flow"
)

// Question is a call that somebody asks about. Names are as a person writes them: a
// user by id or extension, a number in any form.
type Question struct {
	Direction    flow.Direction
	Organisation string   // its id; empty: the only one that the rest fits
	Number       string   // dialled (inbound) or shown (outbound)
	User         string   // who calls (outbound, internal)
	Via          []string // elements on the way, KIND/ID
	AnsweredBy   string   // the user who answers (inbound, internal)
	Presses      []string // users who press during the call, in this order
}

// WrongQuestion is the error of a question that no call fits. It begins with the flag
// of the command line that is wrong.
type WrongQuestion string

func (e WrongQuestion) Error() string { return string(e) }

// Wrongf makes a WrongQuestion.
func Wrongf(format string, args ...any) error { return WrongQuestion(fmt.Sprintf(format, args...)) }

// Answer is what a call would be, and why. Other programs read its JSON.
type Answer struct {
	Organisation string         `json:"organisation"`
	Direction    flow.Direction `json:"direction"`
	flow.Explanation
	Toggles []Pressed `json:"toggles,omitempty"`
}

// Explain answers a question that Check has passed.
func (q Question) Explain(p *flow.Policy) (Answer, error) {
	org, chain, err := q.chain(p)
	if err != nil {
		return Answer{}, err
	}
	pressed, err := press(org, flow.Resolve(p.Precedence, chain), q.Presses)
	if err != nil {
		return Answer{}, err
	}
	return Answer{org.ID, q.Direction, flow.Explain(p.Precedence, org.Recording, chain), pressed}, nil
}

// Print writes the answer for a person.
func (a Answer) Print(w io.Writer) {
	fmt.Fprint(w, strings.TrimRight(a.Explanation.String(), "\n")+"\n")
	for _, p := range a.Toggles {
		p.print(w)
	}
}

// PrintJSON writes the answer for another program.
func (a Answer) PrintJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(a)
}

// Check refuses what no call of that direction has (docs/design.md, section 2, rule 3).
func (q Question) Check() error {
	switch {
	case q.Direction == flow.Inbound && q.User != "":
		return Wrongf("--user: an inbound call comes from outside: name the user who answers with --answered-by")
	case q.Direction == flow.Outbound && q.AnsweredBy != "":
		return Wrongf("--answered-by: an outbound call is answered outside: name the user who is on it with --user")
	case q.Direction == flow.Internal && q.Number != "":
		return Wrongf("--number: an internal call has none: name its users with --user and --answered-by")
	}
	for _, via := range q.Via {
		if _, err := flow.ParseElement(via); err != nil {
			return Wrongf("--via: %v", err)
		}
	}
	return nil
}

// chain returns the organisation and the chain of the call: its user or its number,
// then the number that an outgoing call shows, what it passes, who answers it.
func (q Question) chain(p *flow.Policy) (*flow.Organisation, flow.Chain, error) {
	org, err := q.find(p)
	if err != nil {
		return nil, nil, err
	}
	names := q.names()
	chain := make(flow.Chain, len(names))
	for i, n := range names {
		e, err := n.in(p, org)
		if err != nil {
			return nil, nil, err
		}
		s, _ := org.Settings(e)
		chain[i] = flow.Step{Element: e, Setting: s[q.Direction]}
	}
	return org, chain, nil
}

// named is an element as a flag names it.
type named struct {
	flag string
	kind flow.Kind // empty: name is KIND/ID
	name string
}

// names returns the elements of the call, in order.
func (q Question) names() []named {
	var all []named
	add := func(n named) {
		if n.name != "" {
			all = append(all, n)
		}
	}
	add(named{"--user", flow.User, q.User})
	add(named{"--number", flow.Number, q.Number})
	for _, via := range q.Via {
		all = append(all, named{"--via", "", via})
	}
	add(named{"--answered-by", flow.User, q.AnsweredBy})
	return all
}

// in finds the element in an organisation.
func (n named) in(p *flow.Policy, org *flow.Organisation) (flow.Element, error) {
	e := flow.Element{Kind: n.kind, ID: n.name}
	if n.kind == "" {
		e, _ = flow.ParseElement(n.name) // Check has read it
	}
	e, err := Find(p, org, e)
	if err != nil {
		return e, Wrongf("%s: %v", n.flag, err)
	}
	return e, nil
}

// Find finds an element of an organisation: users by id or extension, numbers in any form,
// as it is done for calls.
func Find(p *flow.Policy, org *flow.Organisation, e flow.Element) (flow.Element, error) {
	switch e.Kind {
	case flow.User:
		if id, _, ok := org.FindUser(e.ID); ok {
			e.ID = id
		}
	case flow.Number:
		owner, e164, ok := p.FindNumber(e.ID)
		if ok && owner != org {
			return e, fmt.Errorf("%s is a number of organisation %s, not of %s", e164, owner.ID, org.ID)
		} else if ok {
			e.ID = e164
		}
	}
	if _, known := org.Settings(e); !known {
		return e, fmt.Errorf("organisation %s has no %s", org.ID, e)
	}
	return e, nil
}

// find returns the organisation that is named, or else the only one that has all of
// the elements.
func (q Question) find(p *flow.Policy) (*flow.Organisation, error) {
	ids := slices.Sorted(maps.Keys(p.Organisations))
	if q.Organisation != "" {
		if org := p.Organisations[q.Organisation]; org != nil {
			return org, nil
		}
		return nil, Wrongf("--organisation: there is no %q: the policy has %s", q.Organisation, strings.Join(ids, ", "))
	}
	fits := slices.Clone(ids)
	for _, n := range q.names() {
		var have []string
		var missing error
		for _, id := range fits {
			if _, err := n.in(p, p.Organisations[id]); err != nil {
				missing = err
			} else {
				have = append(have, id)
			}
		}
		if len(have) == 0 && len(fits) == 1 {
			return nil, missing // it says what that one does not have
		} else if len(have) == 0 {
			return nil, Wrongf("%s: none of the organisations %s has %s", n.flag, strings.Join(fits, ", "), n.name)
		}
		fits = have
	}
	switch len(fits) {
	case 0:
		return nil, errors.New("the policy has no organisation")
	case 1:
		return p.Organisations[fits[0]], nil
	}
	return nil, Wrongf("it could be a call of %s: say which with --organisation", strings.Join(fits, " or "))
}
