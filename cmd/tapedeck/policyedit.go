package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"tapedeck/cmd/policy"
	"tapedeck/cmd/words"
	"tapedeck/flow"
	"tapedeck/flow/text"
	"tapedeck/review"
)

// policySet changes settings in the policy's file and leaves the rest of it as it is.
func policySet(_ context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("policy set", flag.ContinueOnError)
	var a policy.Assignment
	flags.StringVar(&a.Organisation, "organisation", "", "the organisation's `ID`, where NAME does not tell which one")
	flags.BoolVar(&a.Add, "add", false, "NAME is added to the policy")
	flags.BoolVar(&a.Remove, "remove", false, "NAME is removed from the policy")
	dry := flags.Bool("dry-run", false, "say what would change, and change nothing")
	const most = 64
	rest, err := parseSome(flags, args, env.stdout, 2, most, "the policy's FILE or DIR, then NAME (a number, KIND/ID or an organisation) and KEY=VALUE ...")
	if err != nil {
		return err
	}
	a.Name, a.Values = rest[1], rest[2:]
	switch {
	case a.Add && a.Remove:
		return usagef("--add and --remove: say one of them")
	case a.Remove && len(a.Values) > 0:
		return usagef("--remove removes all of %s: leave out %s", a.Name, strings.Join(a.Values, " "))
	case !a.Remove && !a.Add && len(a.Values) == 0:
		return usagef("say what to set: KEY=VALUE, such as record=yes")
	}
	d, err := text.Read(rest[0])
	if err != nil {
		return err
	}
	if err := a.Make(d); err != nil {
		return err
	}
	return saveDraft(d, *dry, env)
}

// saveDraft prints what a draft changes and saves it, unless that makes a mistake.
func saveDraft(d *text.Draft, dry bool, env environment) error {
	before, err := d.Before()
	if err != nil {
		return err
	}
	after, err := d.Policy()
	if err != nil {
		return err
	}
	lines, err := review.Changes(before, after)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(env.stdout, line)
	}
	switch {
	case len(lines) == 0:
		fmt.Fprintln(env.stdout, "nothing changes")
	case dry:
		fmt.Fprintln(env.stdout, "not saved")
	default:
		if err := d.Save(); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "saved: revision %.12s\n", after.Revision)
	}
	return nil
}

// policyTest compares a policy with what its administrator expects of it.
func policyTest(_ context.Context, args []string, env environment) error {
	paths, err := parse(flag.NewFlagSet("policy test", flag.ContinueOnError), args, env.stdout, 2, "the policy's FILE or DIR, and a FILE of expectations")
	if err != nil {
		return err
	}
	p, err := flow.Load(paths[0])
	if err != nil {
		return err
	}
	all, err := review.ReadExpectations(paths[1])
	if err != nil {
		return err
	}
	if failed := review.Test(p, all, env.stdout); failed > 0 {
		return fmt.Errorf("%s of %d not met", words.Count(failed, "expectation"), len(all))
	}
	fmt.Fprintf(env.stdout, "%s met\n", words.Count(len(all), "expectation"))
	return nil
}
