package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/storeclient"
	"tapedeck/flow"
	"tapedeck/recording/audit"
	"tapedeck/review"
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
	cfg, err := load(*daemonFile, env)
	if err == nil {
		err = becomeOwner(cfg, env)
	}
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
	lines, err := openAudit(cfg, "policy apply", env)
	if err == nil {
		err = apply(ctx, s, p, lines, env.stdout)
	}
	if err == nil {
		warnOfFile(cfg, p, env.stderr)
	}
	return errors.Join(err, conn.Close())
}

// apply prints what changes and puts the policy in force. The line of the audit log is
// written first: without it nothing changes.
func apply(ctx context.Context, s *storepolicy.Store, p *flow.Policy, log *auditLog, stdout io.Writer) error {
	before := s.Policy()
	lines, err := review.Changes(before, p)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(stdout, line)
	}
	by := actorOf("")
	line := audit.Line{At: time.Now(), Who: by.Who, What: audit.Policy, From: by.Origin(), Detail: fmt.Sprintf("revision %.12s replaces %.12s", p.Revision, before.Revision)}
	if err := log.Add(line); err != nil {
		return err
	}
	if err := s.Apply(ctx, p); err != nil {
		line.What, line.Detail = audit.Failed, audit.Policy+": "+err.Error()
		return errors.Join(err, log.Add(line))
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
