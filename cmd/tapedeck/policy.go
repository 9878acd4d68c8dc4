package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tapedeck/flow"
)

// policyCheck reads a policy and reports every mistake, one a line, on stderr.
func policyCheck(_ context.Context, args []string, stdout, _ io.Writer) error {
	paths, err := parse(flag.NewFlagSet("policy check", flag.ContinueOnError), args, stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	p, err := flow.Load(paths[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: valid, %s, revision %.12s\n", paths[0], plural(len(p.Organisations), "organisation"), p.Revision)
	return nil
}

// question is a call that policy explain is asked about.
type question struct {
	direction                              flow.Direction
	organisation, number, user, answeredBy string
	via                                    []string
}

// answer is what policy explain prints as JSON.
type answer struct {
	Organisation string         `json:"organisation"`
	Direction    flow.Direction `json:"direction"`
	flow.Explanation
	Toggles []pressed `json:"toggles,omitempty"`
}

// policyExplain says what a call would be and why.
func policyExplain(_ context.Context, args []string, stdout, _ io.Writer) error {
	flags := flag.NewFlagSet("policy explain", flag.ContinueOnError)
	var q question
	direction := flags.String("direction", "", "inbound, outbound or internal")
	flags.StringVar(&q.organisation, "organisation", "", "the organisation's `ID`, where the rest does not tell which one")
	flags.StringVar(&q.number, "number", "", "the `NUMBER` dialled (inbound) or shown (outbound)")
	flags.StringVar(&q.user, "user", "", "the `USER` who calls (outbound, internal), by id or extension")
	flags.StringVar(&q.answeredBy, "answered-by", "", "the `USER` who answers (inbound, internal)")
	flags.Func("via", "an element on the way, `KIND/ID`; may be repeated", func(s string) error {
		q.via = append(q.via, s)
		return nil
	})
	var toggles []string
	flags.Func("toggle", "a `USER` who switches during the call; may be repeated", func(s string) error {
		toggles = append(toggles, s)
		return nil
	})
	asJSON := flags.Bool("json", false, "print JSON")
	paths, err := parse(flags, args, stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	if q.direction, err = flow.ParseDirection(*direction); err != nil {
		return usagef("--direction: %v", err)
	}
	if err := q.check(); err != nil {
		return err
	}
	p, err := flow.Load(paths[0])
	if err != nil {
		return err
	}
	org, chain, err := q.chain(p)
	if err != nil {
		return err
	}
	x := flow.Explain(p.Precedence, org.Recording, chain)
	presses, err := press(org, flow.Resolve(p.Precedence, chain), toggles)
	if err != nil {
		return err
	}
	if *asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(answer{org.ID, q.direction, x, presses})
	}
	fmt.Fprint(stdout, strings.TrimRight(x.String(), "\n")+"\n")
	printPresses(stdout, presses)
	return nil
}

// check refuses what no call of that direction has (docs/design.md, section 2, rule 3).
func (q question) check() error {
	switch {
	case q.direction == flow.Inbound && q.user != "":
		return usagef("--user: an inbound call comes from outside: name the user who answers with --answered-by")
	case q.direction == flow.Outbound && q.answeredBy != "":
		return usagef("--answered-by: an outbound call is answered outside: name the user who is on it with --user")
	case q.direction == flow.Internal && q.number != "":
		return usagef("--number: an internal call has none: name its users with --user and --answered-by")
	}
	for _, via := range q.via {
		if _, err := flow.ParseElement(via); err != nil {
			return usagef("--via: %v", err)
		}
	}
	return nil
}

// chain is the way of the call that was asked about: an inbound call comes by
// its number, the others from their user; then the number that an outgoing one
// shows; then what it goes via; then the user who answers it.
func (q question) chain(p *flow.Policy) (*flow.Organisation, flow.Chain, error) {
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
		chain[i] = flow.Step{Element: e, Setting: s[q.direction]}
	}
	return org, chain, nil
}

// named is an element as an option names it.
type named struct {
	option string
	kind   flow.Kind // empty: name is KIND/ID
	name   string
}

// names are the elements of the call, in order.
func (q question) names() []named {
	var all []named
	add := func(n named) {
		if n.name != "" {
			all = append(all, n)
		}
	}
	add(named{"--user", flow.User, q.user})
	add(named{"--number", flow.Number, q.number})
	for _, via := range q.via {
		all = append(all, named{"--via", "", via})
	}
	add(named{"--answered-by", flow.User, q.answeredBy})
	return all
}

// in finds the element in an organisation: users by id or extension, numbers in
// any form, as calls do.
func (n named) in(p *flow.Policy, org *flow.Organisation) (flow.Element, error) {
	e := flow.Element{Kind: n.kind, ID: n.name}
	if n.kind == "" {
		e, _ = flow.ParseElement(n.name) // check has read it
	}
	switch e.Kind {
	case flow.User:
		if id, _, ok := org.FindUser(e.ID); ok {
			e.ID = id
		}
	case flow.Number:
		owner, e164, ok := p.FindNumber(e.ID)
		if ok && owner != org {
			return e, usagef("%s: %s is a number of organisation %s, not of %s", n.option, e164, owner.ID, org.ID)
		} else if ok {
			e.ID = e164
		}
	}
	if _, known := org.Settings(e); !known {
		return e, usagef("%s: organisation %s has no %s", n.option, org.ID, e)
	}
	return e, nil
}

// find is the organisation that is named, or else the only one that has all of
// the elements.
func (q question) find(p *flow.Policy) (*flow.Organisation, error) {
	ids := slices.Sorted(maps.Keys(p.Organisations))
	if q.organisation != "" {
		if org := p.Organisations[q.organisation]; org != nil {
			return org, nil
		}
		return nil, usagef("--organisation: there is no %q: the policy has %s", q.organisation, strings.Join(ids, ", "))
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
			return nil, usagef("%s: none of the organisations %s has %s", n.option, strings.Join(fits, ", "), n.name)
		}
		fits = have
	}
	switch len(fits) {
	case 0:
		return nil, errors.New("the policy has no organisation")
	case 1:
		return p.Organisations[fits[0]], nil
	}
	return nil, usagef("it could be a call of %s: say which with --organisation", strings.Join(fits, " or "))
}
