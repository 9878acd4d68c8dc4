package main

import (
	"context"
	"fmt"

	"tapedeck/cmd/config"
	"tapedeck/cmd/storeclient"
)

// storeKey makes the key that authenticates what is in Redis.
func storeKey(_ context.Context, args []string, env environment) error {
	flags, daemonFile := configFlags("store key")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := config.Load(*daemonFile)
	if err != nil {
		return err
	}
	if err := storeclient.NewKey(cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "the key is in %s\nCopy it to every instance on the same Redis, restart them, and apply the policy again if it is in no file.\n", cfg.Store.KeyFile)
	return err
}
