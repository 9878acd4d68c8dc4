package main

import (
	"context"
	"flag"

	"tapedeck/cmd/config"
	"tapedeck/cmd/simulate"
)

// runSimulate plays FreeSWITCH to a running tapedeck.
func runSimulate(ctx context.Context, args []string, env environment) error {
	var l simulate.Load
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.StringVar(&l.Target, "target", "127.0.0.1:8084", "outbound socket of the tapedeck, `HOST:PORT`")
	flags.StringVar(&l.Number, "number", "+442079460001", "number that is dialled")
	flags.IntVar(&l.Calls, "calls", 1000, "how many calls")
	flags.Float64Var(&l.Rate, "rate", 0, "calls per second (0: as fast as they go)")
	flags.IntVar(&l.Concurrency, "concurrency", 16, "calls on the socket at once")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	if l.Calls < 1 || l.Concurrency < 1 || l.Rate < 0 {
		return usagef("--calls and --concurrency are at least 1, --rate at least 0")
	}
	if _, err := config.SplitAddress(l.Target); err != nil {
		return usagef("--target: %q is no HOST:PORT: %v", l.Target, err)
	}
	return l.Run(ctx, env.stdout)
}
