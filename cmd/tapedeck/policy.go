package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"tapedeck/flow"
)

// policyCheck reads a policy and reports every mistake, one a line, on stderr.
func policyCheck(_ context.Context, args []string, stdout, stderr io.Writer) error {
	paths, err := parse(flag.NewFlagSet("policy check", flag.ContinueOnError), args, stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	p, err := loadPolicy(paths[0], stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: valid, %d organisations, revision %.12s\n", paths[0], len(p.Organisations), p.Revision)
	return nil
}

// loadPolicy prints the mistakes and returns how many there are as the error.
func loadPolicy(path string, stderr io.Writer) (*flow.Policy, error) {
	p, err := flow.Load(path)
	var report *flow.Report
	if errors.As(err, &report) {
		fmt.Fprintln(stderr, report)
		return nil, fmt.Errorf("%s: refused, %d to mend", path, len(report.Mistakes))
	}
	return p, err
}

// question is a call that policy explain is asked about.
type question struct {
	direction, number, user, answeredBy string
	via                                 []string
}

// policyExplain says what a call would be and why.
func policyExplain(_ context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("policy explain", flag.ContinueOnError)
	var q question
	flags.StringVar(&q.direction, "direction", "", "inbound, outbound or internal")
	flags.StringVar(&q.number, "number", "", "the number dialled (inbound) or shown (outbound)")
	flags.StringVar(&q.user, "user", "", "the user who calls, by id or extension")
	flags.StringVar(&q.answeredBy, "answered-by", "", "the user who answers")
	flags.Func("via", "an element on the way, `KIND/ID`; may be repeated", func(s string) error {
		q.via = append(q.via, s)
		return nil
	})
	asJSON := flags.Bool("json", false, "print JSON")
	paths, err := parse(flags, args, stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	p, err := loadPolicy(paths[0], stderr)
	if err != nil {
		return err
	}
	org, chain, err := q.chain(p)
	if err != nil {
		return err
	}
	x := flow.Explain(p.Precedence, org.Recording, chain)
	if *asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(x)
	}
	fmt.Fprint(stdout, strings.TrimRight(x.String(), "\n")+"\n")
	return nil
}

// chain is the way of the call that was asked about: an inbound call comes by
// its number, the others from their user; then what it goes via; then the user
// who answers it, or the number that an outgoing one shows.
func (q question) chain(p *flow.Policy) (*flow.Organisation, flow.Chain, error) {
	direction, err := flow.ParseDirection(q.direction)
	if err != nil {
		return nil, nil, usagef("--direction: %v", err)
	}
	org, number, err := q.organisation(p)
	if err != nil {
		return nil, nil, err
	}
	var elements []flow.Element
	user := func(option, name string) error {
		if name == "" {
			return nil
		}
		id, _, ok := org.FindUser(name)
		if !ok {
			return usagef("%s: organisation %s has no user %q", option, org.ID, name)
		}
		elements = append(elements, flow.Element{Kind: flow.User, ID: id})
		return nil
	}
	if err := user("--user", q.user); err != nil {
		return nil, nil, err
	}
	if number != "" {
		elements = append(elements, flow.Element{Kind: flow.Number, ID: number})
	}
	for _, via := range q.via {
		e, err := flow.ParseElement(via)
		if err != nil {
			return nil, nil, usagef("--via: %v", err)
		}
		if _, known := org.Settings(e); !known {
			return nil, nil, usagef("--via: organisation %s has no %s", org.ID, e)
		}
		elements = append(elements, e)
	}
	if err := user("--answered-by", q.answeredBy); err != nil {
		return nil, nil, err
	}
	chain := make(flow.Chain, len(elements))
	for i, e := range elements {
		s, _ := org.Settings(e)
		chain[i] = flow.Step{Element: e, Setting: s[direction]}
	}
	return org, chain, nil
}

// organisation is the number's, or the only one that has the user, or the only
// one there is.
func (q question) organisation(p *flow.Policy) (*flow.Organisation, string, error) {
	if q.number != "" {
		org, e164, ok := p.FindNumber(q.number)
		if !ok {
			return nil, "", usagef("--number: no organisation has %q", q.number)
		}
		return org, e164, nil
	}
	var found []*flow.Organisation
	for _, org := range p.Organisations {
		_, _, hasUser := org.FindUser(q.user + q.answeredBy)
		if hasUser || q.user+q.answeredBy == "" || (q.user != "" && q.answeredBy != "") {
			found = append(found, org)
		}
	}
	if len(found) != 1 {
		return nil, "", usagef("%d organisations fit: name a --number of the one that is meant", len(found))
	}
	return found[0], "", nil
}
