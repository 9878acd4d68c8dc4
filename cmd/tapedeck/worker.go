package main

import (
	"context"
	"flag"

	"tapedeck/recording/worker"
)

// runWorker works on sounds for the serve that has started it.
func runWorker(_ context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	lowered := flags.Bool("lowered", false, "its priority is the lowest already")
	names, err := parse(flags, args, env.stdout, 1, "the worker")
	if err != nil {
		return err
	}
	return worker.Main(names[0], *lowered)
}
