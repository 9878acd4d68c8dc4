package main

import (
	"context"
	"flag"

	"tapedeck/cmd/config"
	"tapedeck/cmd/daemon"
)

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	path := flags.String("config", "", "daemon `FILE` (default "+config.DefaultFile+", if there is one)")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := config.Load(*path)
	if err != nil {
		return err
	}
	return daemon.Run(ctx, cfg, cfg.Logger(env.stderr))
}
