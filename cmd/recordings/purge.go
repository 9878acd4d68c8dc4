package recordings

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
	"tapedeck/cmd/storeclient"
	"tapedeck/cmd/words"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// Purge deletes what is older than its organisation keeps it, and prints a line for each
// recording that it deletes or keeps. A dry run only prints.
func Purge(ctx context.Context, cfg *config.Config, lines *audit.Log, by audit.Actor, dry bool, stdout io.Writer) error {
	c := recording.PurgeConfig{Dir: cfg.Recordings.Dir, Now: time.Now(), Dry: dry, Audit: lines, By: by}
	if cfg.Store.Embedded() {
		p, err := flow.Load(cfg.Policy)
		if err != nil {
			return err
		}
		c.Retention = maintenance.Retention(p)
		return purge(ctx, c, stdout, func(recording.Sidecar) {})
	}
	opened, err := storeclient.OpenIndex(ctx, cfg)
	if err != nil {
		return err
	}
	err = purgeIndexed(ctx, cfg, opened, c, stdout)
	return errors.Join(err, opened.Close(ctx))
}

// purgeIndexed deletes by the policy in Redis or, if there is none, by that of the policy
// file.
func purgeIndexed(ctx context.Context, cfg *config.Config, x *storeclient.Index, c recording.PurgeConfig, stdout io.Writer) (err error) {
	p := x.Policy.Policy()
	if len(p.Organisations) == 0 {
		if p, err = flow.Load(cfg.Policy); err != nil {
			return err
		}
	}
	c.Retention = maintenance.Retention(p)
	if c.Live, err = maintenance.LiveCalls(ctx, x.Calls); err != nil {
		return err
	}
	return purge(ctx, c, stdout, func(s recording.Sidecar) { x.Delete(s.Organisation, s.ID()) })
}

// purge deletes and prints, and calls gone for each recording that it deleted.
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
	fmt.Fprintf(stdout, "%s %s, %s of sound", verb, words.Count(done.Deleted, "recording"), words.Size(done.Bytes))
	for _, reason := range slices.Sorted(maps.Keys(done.Kept)) {
		fmt.Fprintf(stdout, "; %s: %d", reason, done.Kept[reason])
	}
	fmt.Fprintln(stdout)
	if n := done.Kept[recording.KeptFailed]; err == nil && n > 0 {
		err = fmt.Errorf("not deleted: %s: each is a line above", words.Count(n, "recording"))
	}
	return err
}
