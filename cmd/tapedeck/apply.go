package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"tapedeck/cmd/config"
	"tapedeck/cmd/policy"
	"tapedeck/cmd/storeclient"
	"tapedeck/flow"
	storepolicy "tapedeck/store/policy"
)

// policyApply prints what a policy changes, and puts it into the Redis of the daemon file,
// where every Tapedeck that uses this Redis follows it.
func policyApply(ctx context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("policy apply", flag.ContinueOnError)
	daemonFile := flags.String("config", "", "daemon `FILE`, which says where Redis is (default "+config.DefaultFile+")")
	paths, err := parse(flags, args, env.stdout, 1, "the policy's FILE or DIR")
	if err != nil {
		return err
	}
	p, err := flow.Load(paths[0])
	if err != nil {
		return err
	}
	cfg, err := config.Load(*daemonFile)
	if err != nil {
		return err
	}
	if cfg.Store.Embedded() {
		return fmt.Errorf("store.redis is embedded, so there is no Redis to put a policy into: edit %s, which serve watches", cfg.Policy)
	}
	conn, s, err := storeclient.OpenPolicy(ctx, cfg)
	if err != nil {
		return err
	}
	if err = apply(ctx, s, p, env.stdout); err == nil {
		warnOfFile(cfg, p, env.stderr)
	}
	return errors.Join(err, conn.Close())
}

// apply prints what changes and puts the policy in force.
func apply(ctx context.Context, s *storepolicy.Store, p *flow.Policy, stdout io.Writer) error {
	before := s.Policy()
	lines, err := policy.Changes(before, p)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(stdout, line)
	}
	if err := s.Apply(ctx, p); err != nil {
		return err
	}
	if len(lines) == 0 {
		fmt.Fprintf(stdout, "nothing changes: revision %.12s is in force\n", p.Revision)
		return nil
	}
	fmt.Fprintf(stdout, "in force: revision %.12s\n", p.Revision)
	return nil
}

// warnOfFile prints a note if serve's own policy file has another policy.
func warnOfFile(cfg *config.Config, applied *flow.Policy, stderr io.Writer) {
	own, err := flow.Load(cfg.Policy)
	if err == nil && own.Revision != applied.Revision {
		fmt.Fprintf(stderr, "tapedeck policy apply: note: %s says something else, and serve puts that back when it starts: "+
			"change that file too, or remove it\n", cfg.Policy)
	}
}
