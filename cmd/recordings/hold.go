package recordings

import (
	"context"
	"fmt"
	"io"
	"time"

	"tapedeck/call"
	"tapedeck/cmd/config"
	"tapedeck/cmd/storeclient"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// Hold keeps a recording, and every part of its call, from being deleted.
func Hold(ctx context.Context, cfg *config.Config, lines *audit.Log, id, reason string, by audit.Actor, stdout io.Writer) error {
	who := by.Who
	if by.For != "" {
		who += ", for " + by.For
	}
	return setHold(ctx, cfg, lines, id, &recording.Hold{By: who, Reason: reason, At: time.Now()}, by, stdout)
}

// Release ends the hold on a recording.
func Release(ctx context.Context, cfg *config.Config, lines *audit.Log, id string, by audit.Actor, stdout io.Writer) error {
	return setHold(ctx, cfg, lines, id, nil, by, stdout)
}

// setHold changes the sidecar, which is the truth, and then the index.
func setHold(ctx context.Context, cfg *config.Config, lines *audit.Log, id string, hold *recording.Hold, by audit.Actor, stdout io.Writer) error {
	path, before, err := findRecording(ctx, cfg.Recordings.Dir, id)
	if err != nil {
		return err
	}
	if hold == nil && before.Hold == nil {
		_, err := fmt.Fprintf(stdout, "%s is not held: nothing changes\n", id)
		return err
	}
	after, err := recording.SetHold(cfg.Recordings.Dir, path, hold, lines, by, time.Now())
	if err != nil {
		return err
	}
	if before.Hold != nil {
		fmt.Fprintf(stdout, "it was held by %s: %s\n", plainText(before.Hold.By), tidy.Text(before.Hold.Reason, maxLine))
	}
	fmt.Fprintf(stdout, "%s is %s\n", id, map[bool]string{true: "held, and so is every part of its call", false: "not held any more"}[hold != nil])
	if cfg.Store.Embedded() {
		return nil
	}
	opened, err := storeclient.OpenIndex(ctx, cfg)
	if err != nil {
		return fmt.Errorf("that is so on the disk, not in the index: run `tapedeck recordings reindex` when Redis is back: %w", err)
	}
	opened.Save(call.Index(cfg.Recordings.Dir, after, nil))
	return opened.Close(ctx)
}
