package main

import (
	"context"
	"flag"
	"os"

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
	cfg.Workers = env.workers
	log := cfg.Logger(env.stderr)
	for _, open := range cfg.OpenSecrets() {
		log.Warn("others may read a file that holds a secret: chmod 600", "file", open.File, "holds", open.Holds, "mode", open.Mode.String())
	}
	if owner, ok := ownerOf(cfg.Recordings.Dir.String()); ok && owner.Uid != 0 && os.Geteuid() == 0 {
		log.Warn("serve runs as root and needs not: run it as the owner of recordings.dir", "uid", owner.Uid)
	}
	return daemon.Run(ctx, cfg, log)
}
