package main

import (
	"context"
	"flag"
	"fmt"

	"tapedeck/cmd/words"
	"tapedeck/flow"
	"tapedeck/review"
)

// policyCheck reads a policy and reports every mistake, one a line, on stderr.
func policyCheck(_ context.Context, args []string, env environment) error {
	paths, err := parse(flag.NewFlagSet("policy check", flag.ContinueOnError), args, env.stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	p, err := flow.Load(paths[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%s: valid, %s, revision %.12s\n", paths[0], words.Count(len(p.Organisations), "organisation"), p.Revision)
	return nil
}

// policyExplain says what a call would be and why.
func policyExplain(_ context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("policy explain", flag.ContinueOnError)
	var q review.Question
	direction := flags.String("direction", "", "inbound, outbound or internal")
	flags.StringVar(&q.Organisation, "organisation", "", "the organisation's `ID`, where the rest does not tell which one")
	flags.StringVar(&q.Number, "number", "", "the `NUMBER` dialled (inbound) or shown (outbound)")
	flags.StringVar(&q.User, "user", "", "the `USER` who calls (outbound, internal), by id or extension")
	flags.StringVar(&q.AnsweredBy, "answered-by", "", "the `USER` who answers (inbound, internal)")
	flags.Func("via", "an element on the way, `KIND/ID`; may be repeated", appendTo(&q.Via))
	flags.Func("toggle", "a `USER` who switches during the call; may be repeated", appendTo(&q.Presses))
	asJSON := flags.Bool("json", false, "print JSON")
	paths, err := parse(flags, args, env.stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	if q.Direction, err = flow.ParseDirection(*direction); err != nil {
		return usagef("--direction: %v", err)
	}
	if err := q.Check(); err != nil {
		return err
	}
	p, err := flow.Load(paths[0])
	if err != nil {
		return err
	}
	answer, err := q.Explain(p)
	switch {
	case err != nil:
		return err
	case *asJSON:
		return answer.PrintJSON(env.stdout)
	}
	answer.Print(env.stdout)
	return nil
}
