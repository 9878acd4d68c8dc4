package main

import (
	"context"
	"flag"
	"fmt"

	"tapedeck/cmd/config"
	"tapedeck/cmd/proof"
	"tapedeck/recording"
	"tapedeck/recording/chain"
)

// configFlags returns the flags of a command, with the one that names the daemon file.
func configFlags(name string) (flags *flag.FlagSet, daemonFile *string) {
	flags = flag.NewFlagSet(name, flag.ContinueOnError)
	return flags, flags.String("config", "", "daemon `FILE`, which says where everything is (default "+config.DefaultFile+", if there is one)")
}

// auditKey makes the key that signs the evidence log.
func auditKey(_ context.Context, args []string, env environment) error {
	flags, daemonFile := configFlags("audit key")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := loadToChange(*daemonFile, func(c *config.Config) string { return c.Audit.Key }, env)
	if err != nil {
		return err
	}
	id, err := proof.NewKey(cfg)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "key %s is in %s; its public key is in %[2]s.pub\nKeep a copy of the public key elsewhere: `tapedeck audit verify --key` needs one that nobody here can replace.\n", id, cfg.Audit.Key)
	return err
}

// auditVerify compares the evidence log with itself, with copies of its checkpoints, with
// the audit log and with the sidecars. It writes nothing; so root may name files that it
// alone may read.
func auditVerify(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := configFlags("audit verify")
	dir := flags.String("dir", "", "the folder of the evidence logs, such as a copy: `DIR` (default: audit.dir)")
	recordings := flags.String("recordings", "", "the folder of the recordings and of the audit log: `DIR` (default: recordings.dir)")
	var files proof.Files
	flags.Func("checkpoint", "a `FILE` with copies of checkpoints, one a line; may be repeated (default: those of audit.copies)", appendTo(&files.Checkpoints))
	flags.Func("key", "a `FILE` with a public key; may be repeated (default: that of audit.key)", appendTo(&files.Keys))
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := load(*daemonFile, env)
	if err != nil {
		return err
	}
	if *recordings != "" {
		if cfg.Recordings.Dir, err = recording.NewDir(*recordings); err != nil {
			return usagef("--recordings: %v", err)
		}
	}
	if *dir != "" {
		cfg.Audit.Dir = *dir
	}
	named := proof.FilesOf(cfg)
	if files.Checkpoints == nil {
		files.Checkpoints = named.Checkpoints
	}
	if files.Keys == nil {
		files.Keys = named.Keys
	}
	return proof.Print(ctx, cfg, files, env.stdout, func(chain.Finding) bool { return true })
}
