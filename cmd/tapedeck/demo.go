package main

import (
	"context"
	"flag"

	"tapedeck/cmd/demo"
)

// runDemo shows Tapedeck at work, until ctx ends or every call was placed once.
func runDemo(ctx context.Context, args []string, env environment) error {
	var o demo.Options
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.BoolVar(&o.Once, "once", false, "place every call once, then end")
	flags.StringVar(&o.Dir, "dir", "", "where the recordings go (default: a new folder below the system's temporary one)")
	flags.BoolVar(&o.Verbose, "verbose", false, "print all of tapedeck's log, not only what it says of the policy, and errors")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	return demo.Run(ctx, o, env.stdout, env.stderr)
}
