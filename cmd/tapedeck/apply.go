package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/flow"
	"tapedeck/store"
)

// applyTimeout is how long one operation on Redis may take: a person waits, not
// a call.
const applyTimeout = time.Second

// policyApply puts a policy into the Redis of the daemon file, for every
// Tapedeck that uses it, and says what changes.
func policyApply(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("policy apply", flag.ContinueOnError)
	daemonFile := flags.String("config", "", "daemon `FILE`, which says where Redis is (default "+config.DefaultFile+")")
	paths, err := parse(flags, args, stdout, 1, "the policy's FILE or DIR")
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
	s, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	err = apply(ctx, s, p, stdout)
	if err == nil {
		warnOfFile(cfg, p, stderr)
	}
	return errors.Join(err, s.Close())
}

// openStore opens a Redis that has to be there.
func openStore(ctx context.Context, cfg *config.Config) (*store.Store, error) {
	var last error
	s, err := store.Open(ctx, store.Config{Redis: cfg.Store.Redis.Reveal(), Timeout: applyTimeout,
		Logger:  slog.New(slog.DiscardHandler),
		Observe: func(_ string, _ time.Duration, err error) { last = err }})
	if err != nil {
		return nil, err
	}
	if !s.Up() {
		return nil, errors.Join(fmt.Errorf("%w: start Redis, or mend store.redis in the daemon file", last), s.Close())
	}
	return s, nil
}

func apply(ctx context.Context, s *store.Store, p *flow.Policy, stdout io.Writer) error {
	before := s.Policy()
	lines, err := changes(before, p)
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

// warnOfFile says when serve's own policy file would replace what was applied.
func warnOfFile(cfg *config.Config, applied *flow.Policy, stderr io.Writer) {
	own, err := flow.Load(cfg.Policy)
	if err == nil && own.Revision != applied.Revision {
		fmt.Fprintf(stderr, "tapedeck policy apply: note: %s says something else, and serve puts that back when it starts: "+
			"change that file too, or remove it\n", cfg.Policy)
	}
}
