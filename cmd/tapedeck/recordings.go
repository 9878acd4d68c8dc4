package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/recordings"
	"tapedeck/recording"
)

// recordingsFlags returns the flags that every command about recordings has.
func recordingsFlags(name string) (flags *flag.FlagSet, daemonFile *string) {
	flags = flag.NewFlagSet("recordings "+name, flag.ContinueOnError)
	return flags, flags.String("config", "", "daemon `FILE`, which says where the recordings are (default "+config.DefaultFile+")")
}

// zone returns the zone in which times are read and shown.
func zone(utc bool) *time.Location {
	if utc {
		return time.UTC
	}
	return time.Local
}

// recordingsList lists recordings, the newest first.
func recordingsList(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("ls")
	var l recordings.List
	flags.StringVar(&l.Organisation, "organisation", "", "only this organisation's, by its `ID`")
	from := flags.String("from", "", "only calls that started at this `TIME` or later: 2026-11-21, \"2026-11-21 15:04\" or RFC 3339")
	to := flags.String("to", "", "only calls that started before this `TIME`, or on this day at the latest")
	flags.StringVar(&l.Number, "number", "", "only calls with this `NUMBER` on either side")
	flags.StringVar(&l.User, "user", "", "only calls of this `USER`, by id")
	flags.StringVar(&l.Trigger, "trigger", "", "only automatic or on-demand ones")
	flags.BoolVar(&l.Problems, "problems", false, "only those with problems")
	flags.IntVar(&l.Limit, "limit", 50, "at most so many")
	utc := flags.Bool("utc", false, "times in UTC, not in the local zone")
	flags.BoolVar(&l.JSON, "json", false, "print one JSON object a line")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	l.Zone = zone(*utc)
	if err := checkList(&l, *from, *to); err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	return l.Run(ctx, cfg, env.stdout, env.stderr)
}

// checkList reads the period and checks the other flags.
func checkList(l *recordings.List, from, to string) (err error) {
	if l.From, err = moment(from, l.Zone, false); err != nil {
		return usagef("--from: %v", err)
	}
	if l.To, err = moment(to, l.Zone, true); err != nil {
		return usagef("--to: %v", err)
	}
	switch {
	case l.Limit < 1:
		return usagef("--limit: use at least 1")
	case l.Trigger != "" && l.Trigger != recording.TriggerAutomatic && l.Trigger != recording.TriggerOnDemand:
		return usagef("--trigger: use automatic or on-demand")
	case !l.From.IsZero() && !l.To.IsZero() && !l.From.Before(l.To):
		return usagef("--from: it has to be before --to")
	}
	return nil
}

// moment reads a time. A day means its beginning or, with end, its end. An empty text
// means no time.
func moment(text string, in *time.Location, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, in); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", time.DateTime, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, in); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is no time: write it like 2026-11-21, \"2026-11-21 15:04\" or 2026-11-21T15:04:05Z", text)
}

// recordingsShow prints everything that is known of one recording.
func recordingsShow(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("show")
	utc := flags.Bool("utc", false, "times in UTC, not in the local zone")
	asJSON := flags.Bool("json", false, "print the sidecar")
	ids, err := parse(flags, args, env.stdout, 1, "the recording's ID")
	if err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	if *asJSON {
		return recordings.ShowJSON(ctx, cfg.Recordings.Dir, ids[0], env.stdout)
	}
	return recordings.Show(ctx, cfg.Recordings.Dir, ids[0], zone(*utc), env.stdout)
}

// recordingsVerify reads files and sidecars anew and prints what does not agree.
func recordingsVerify(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("verify")
	strict := flags.Bool("strict", false, "exit with 1 for a problem that a sidecar admits, too")
	ids, err := parseSome(flags, args, env.stdout, 0, 1, "a recording's ID, or none for all")
	if err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	return recordings.Verify(ctx, cfg, env.stdout, *strict, ids...)
}

// recordingsReindex describes the files that nobody has described, and makes the
// index in Redis anew from all sidecars.
func recordingsReindex(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("reindex")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	return recordings.Reindex(ctx, cfg, env.stdout, env.stderr)
}

// recordingsPurge deletes what is older than its organisation keeps it.
func recordingsPurge(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("purge")
	dry := flags.Bool("dry-run", false, "delete nothing, say what would be deleted")
	who := flags.String("by", "", "in whose name: `NAME`; the audit log has it beside the user who runs this")
	if _, err := parse(flags, args, env.stdout, 0, ""); err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	lines, err := openAudit(cfg, flags.Name(), env)
	if err != nil {
		return err
	}
	return recordings.Purge(ctx, cfg, lines.Log, actorOf(*who), *dry, env.stdout)
}

// recordingsHold keeps a recording from being deleted, whatever its age.
func recordingsHold(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("hold")
	reason := flags.String("reason", "", "why it is kept: `TEXT`")
	who := flags.String("by", "", "in whose name: `NAME`; the audit log has it beside the user who runs this")
	ids, err := parse(flags, args, env.stdout, 1, "the recording's ID")
	if err != nil {
		return err
	}
	if strings.TrimSpace(*reason) == "" {
		return usagef("--reason: say why it is kept, such as a case number")
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	lines, err := openAudit(cfg, flags.Name(), env)
	if err != nil {
		return err
	}
	return recordings.Hold(ctx, cfg, lines.Log, ids[0], *reason, actorOf(*who), env.stdout)
}

// recordingsRelease ends a hold.
func recordingsRelease(ctx context.Context, args []string, env environment) error {
	flags, daemonFile := recordingsFlags("release")
	who := flags.String("by", "", "in whose name: `NAME`; the audit log has it beside the user who runs this")
	ids, err := parse(flags, args, env.stdout, 1, "the recording's ID")
	if err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile, env)
	if err != nil {
		return err
	}
	lines, err := openAudit(cfg, flags.Name(), env)
	if err != nil {
		return err
	}
	return recordings.Release(ctx, cfg, lines.Log, ids[0], actorOf(*who), env.stdout)
}
