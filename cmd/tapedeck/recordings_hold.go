package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"tapedeck/call"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// recordingsHold keeps a recording from being deleted, whatever its age.
func recordingsHold(ctx context.Context, args []string, stdout, _ io.Writer) error {
	flags, daemonFile := recordingsFlags("hold")
	reason := flags.String("reason", "", "why it is kept: `TEXT`")
	who := flags.String("by", "", "who wants that: `NAME` (default: the login name)")
	ids, err := parse(flags, args, stdout, 1, "the recording's ID")
	if err != nil {
		return err
	}
	if strings.TrimSpace(*reason) == "" {
		return usagef("--reason: say why it is kept, such as a case number")
	}
	actor, err := actorOf(*who)
	if err != nil {
		return err
	}
	return setHold(ctx, *daemonFile, ids[0], &recording.Hold{By: actor.Who, Reason: *reason, At: time.Now()}, actor, stdout)
}

// recordingsRelease ends a hold.
func recordingsRelease(ctx context.Context, args []string, stdout, _ io.Writer) error {
	flags, daemonFile := recordingsFlags("release")
	who := flags.String("by", "", "who wants that: `NAME` (default: the login name)")
	ids, err := parse(flags, args, stdout, 1, "the recording's ID")
	if err != nil {
		return err
	}
	actor, err := actorOf(*who)
	if err != nil {
		return err
	}
	return setHold(ctx, *daemonFile, ids[0], nil, actor, stdout)
}

// actorOf is who is in the audit file: who says so, or the login name, or, where
// nobody has logged in, the user of the process.
func actorOf(by string) (audit.Actor, error) {
	who := strings.TrimSpace(cmp.Or(by, os.Getenv("SUDO_USER"), os.Getenv("USER"), os.Getenv("LOGNAME")))
	if who == "" {
		if u, err := user.Current(); err == nil {
			who = u.Username
		}
	}
	if who == "" {
		return audit.Actor{}, usagef("--by: there is no login name: say who does this")
	}
	return audit.Actor{Who: who, From: "command line"}, nil
}

// setHold changes the sidecar, which is the truth, and then the index.
func setHold(ctx context.Context, daemonFile, id string, hold *recording.Hold, by audit.Actor, stdout io.Writer) error {
	cfg, err := loadRecordings(daemonFile)
	if err != nil {
		return err
	}
	path, before, err := findRecording(ctx, cfg.Recordings.Dir, id)
	if err != nil {
		return err
	}
	if hold == nil && before.Hold == nil {
		_, err := fmt.Fprintf(stdout, "%s is not held: nothing changes\n", id)
		return err
	}
	after, err := recording.SetHold(cfg.Recordings.Dir, path, hold, audit.New(cfg.Recordings.Dir.String()), by, time.Now())
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
	opened, err := openIndex(ctx, cfg)
	if err != nil {
		return fmt.Errorf("that is so on the disk, not in the index: run `tapedeck recordings reindex` when Redis is back: %w", err)
	}
	opened.SaveRecording(call.Index(cfg.Recordings.Dir, after, nil))
	return opened.close(ctx)
}
