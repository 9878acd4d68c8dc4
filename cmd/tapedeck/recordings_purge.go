package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/maintenance"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// recordingsPurge deletes what is older than its organisation keeps it.
func recordingsPurge(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags, daemonFile := recordingsFlags("purge")
	dry := flags.Bool("dry-run", false, "delete nothing, say what would be deleted")
	who := flags.String("by", "", "who deletes, for the audit file: `NAME` (default: the login name)")
	if _, err := parse(flags, args, stdout, 0, ""); err != nil {
		return err
	}
	actor, err := actorOf(*who)
	if err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile)
	if err != nil {
		return err
	}
	c := recording.PurgeConfig{Dir: cfg.Recordings.Dir, Now: time.Now(), Dry: *dry, Audit: audit.New(cfg.Recordings.Dir.String()), By: actor}
	if cfg.Store.Embedded() {
		p, err := flow.Load(cfg.Policy)
		if err != nil {
			return err
		}
		c.Retention = maintenance.Retention(p)
		return purge(ctx, c, stdout, func(recording.Sidecar) {})
	}
	opened, err := openIndex(ctx, cfg)
	if err != nil {
		return err
	}
	err = opened.purge(ctx, cfg, c, stdout)
	return errors.Join(err, opened.close(ctx))
}

// purge deletes by the policy in Redis, or else by that of the policy file.
func (x *openedIndex) purge(ctx context.Context, cfg *config.Config, c recording.PurgeConfig, stdout io.Writer) (err error) {
	p := x.Policy()
	if len(p.Organisations) == 0 {
		if p, err = flow.Load(cfg.Policy); err != nil {
			return err
		}
	}
	c.Retention = maintenance.Retention(p)
	if c.Live, err = maintenance.LiveCalls(ctx, x.Store); err != nil {
		return err
	}
	return purge(ctx, c, stdout, func(s recording.Sidecar) { x.DeleteRecording(s.Organisation, s.ID()) })
}

// purge deletes and prints; it calls back for what is no more.
func purge(ctx context.Context, c recording.PurgeConfig, stdout io.Writer, gone func(recording.Sidecar)) error {
	verb := "deleted"
	if c.Dry {
		verb = "would delete"
	}
	c.Deleted = func(s recording.Sidecar) {
		fmt.Fprintf(stdout, "%s %s of %s, %s\n", verb, s.ID(), s.Organisation, s.Started.UTC().Format(time.DateOnly))
		if !c.Dry {
			gone(s)
		}
	}
	c.Kept = func(id, path string, reason recording.KeptReason, err error) {
		line := fmt.Sprintf("kept %s: %s", path, reason)
		if err != nil {
			line += ": " + err.Error()
		}
		fmt.Fprintln(stdout, tidy.Text(line, maxLine))
	}
	done, err := recording.Purge(ctx, c)
	fmt.Fprintf(stdout, "%s %s, %s of sound", verb, plural(done.Deleted, "recording"), size(done.Bytes))
	for _, reason := range slices.Sorted(maps.Keys(done.Kept)) {
		fmt.Fprintf(stdout, "; %s: %d", reason, done.Kept[reason])
	}
	fmt.Fprintln(stdout)
	if n := done.Kept[recording.KeptFailed]; err == nil && n > 0 {
		err = fmt.Errorf("not deleted: %s: each is a line above", plural(n, "recording"))
	}
	return err
}
