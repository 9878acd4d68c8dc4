package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"tapedeck/call"
	"tapedeck/cmd/config"
	"tapedeck/cmd/maintenance"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/index"
)

// listing is what recordings ls is asked for.
type listing struct {
	organisation, number, user, trigger string
	from, to                            time.Time
	problems, utc, asJSON               bool
	limit                               int
	region                              string // how national numbers are read
}

// recordingsList lists recordings, the newest first: those of the index in Redis
// or, if that lives inside serve, those of the sidecars on the disk.
func recordingsList(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags, daemonFile := recordingsFlags("ls")
	var l listing
	flags.StringVar(&l.organisation, "organisation", "", "only this organisation's, by its `ID`")
	from := flags.String("from", "", "only calls that started at this `TIME` or later: 2026-11-21, \"2026-11-21 15:04\" or RFC 3339")
	to := flags.String("to", "", "only calls that started before this `TIME`, or on this day at the latest")
	flags.StringVar(&l.number, "number", "", "only calls with this `NUMBER` on either side")
	flags.StringVar(&l.user, "user", "", "only calls of this `USER`, by id")
	flags.StringVar(&l.trigger, "trigger", "", "only automatic or on-demand ones")
	flags.BoolVar(&l.problems, "problems", false, "only those with problems")
	flags.IntVar(&l.limit, "limit", 50, "at most so many")
	flags.BoolVar(&l.utc, "utc", false, "times in UTC, not in the local zone")
	flags.BoolVar(&l.asJSON, "json", false, "print one JSON object a line")
	if _, err := parse(flags, args, stdout, 0, ""); err != nil {
		return err
	}
	if err := l.check(*from, *to); err != nil {
		return err
	}
	cfg, err := loadRecordings(*daemonFile)
	if err != nil {
		return err
	}
	list, more, err := l.read(ctx, cfg, stderr)
	if err != nil {
		return err
	}
	return l.print(stdout, list, more)
}

// check reads what the flags say.
func (l *listing) check(from, to string) (err error) {
	if l.from, err = moment(from, zone(l.utc), false); err != nil {
		return usagef("--from: %v", err)
	}
	if l.to, err = moment(to, zone(l.utc), true); err != nil {
		return usagef("--to: %v", err)
	}
	switch {
	case l.limit < 1:
		return usagef("--limit: use at least 1")
	case l.trigger != "" && l.trigger != recording.TriggerAutomatic && l.trigger != recording.TriggerOnDemand:
		return usagef("--trigger: use automatic or on-demand")
	case !l.from.IsZero() && !l.to.IsZero() && !l.from.Before(l.to):
		return usagef("--from: it has to be before --to")
	}
	return nil
}

// moment reads a time; of a day it is the beginning, or the end. An empty text is
// no time.
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

// read is what is to be listed, and whether there is more than that.
func (l *listing) read(ctx context.Context, cfg *config.Config, stderr io.Writer) (list []index.Recording, more bool, err error) {
	if cfg.Store.Embedded() {
		if p, err := flow.Load(cfg.Policy); err == nil {
			l.region = p.Region
		}
		return l.take(l.onDisk(ctx, cfg.Recordings.Dir, func(err error) {
			fmt.Fprintf(stderr, "tapedeck recordings ls: left out: %s\n", tidy.Text(err.Error(), 1000))
		}))
	}
	s, err := openStore(ctx, cfg)
	if err != nil {
		return nil, false, err
	}
	l.region = s.Policy().Region
	list, more, err = l.take(l.inIndex(ctx, s))
	return list, more, errors.Join(err, s.Close())
}

// take takes what is wanted of all, which is the newest first.
func (l *listing) take(all iter.Seq2[index.Recording, error]) (list []index.Recording, more bool, err error) {
	for r, err := range all {
		switch {
		case err != nil:
			return nil, false, err
		case !l.wants(&r):
		case len(list) == l.limit:
			return list, true, nil
		default:
			list = append(list, r)
		}
	}
	return list, false, nil
}

func (l *listing) wants(r *index.Recording) bool {
	switch {
	case l.organisation != "" && r.Organisation != l.organisation,
		!l.from.IsZero() && r.Started.Before(l.from),
		!l.to.IsZero() && !r.Started.Before(l.to),
		l.number != "" && !l.isNumber(r.Number) && !l.isNumber(r.External),
		l.user != "" && !slices.Contains(r.Users, l.user),
		l.trigger != "" && r.Trigger != l.trigger,
		l.problems && r.Complete && len(r.Problems) == 0:
		return false
	}
	return true
}

// isNumber compares numbers in whatever form they are written.
func (l *listing) isNumber(text string) bool {
	if text == l.number {
		return true
	}
	want, ok := flow.Normalise(l.region, l.number)
	got, also := flow.Normalise(l.region, text)
	return ok && also && got == want
}

// inIndex are the recordings of the index, page by page.
func (l *listing) inIndex(ctx context.Context, s *store.Store) iter.Seq2[index.Recording, error] {
	q := index.Query{From: l.from, To: l.to, Limit: min(l.limit+1, 500)}
	if l.organisation != "" {
		q.Organisations = []string{l.organisation}
	}
	return func(yield func(index.Recording, error) bool) {
		for {
			list, next, err := s.Recordings(ctx, q)
			if err != nil {
				yield(index.Recording{}, err)
				return
			}
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
			}
			if next == (index.Cursor{}) {
				return
			}
			q.Before = next
		}
	}
}

// onDisk are the recordings of the sidecars, in the order of the index. Of all
// days the names are held in memory, of one day the sidecars.
func (l *listing) onDisk(ctx context.Context, d recording.Dir, unreadable func(error)) iter.Seq2[index.Recording, error] {
	return func(yield func(index.Recording, error) bool) {
		var days []recording.Day
		err := recording.Walk(ctx, d, func(day recording.Day) error {
			tooOld, tooNew := !l.from.IsZero() && !day.Date.AddDate(0, 0, 1).After(l.from), !l.to.IsZero() && !day.Date.Before(l.to)
			if !tooOld && !tooNew && (l.organisation == "" || l.organisation == day.Organisation) {
				days = append(days, day)
			}
			return nil
		})
		if err != nil {
			yield(index.Recording{}, err)
			return
		}
		slices.SortStableFunc(days, func(a, b recording.Day) int { return b.Date.Compare(a.Date) })
		for len(days) > 0 {
			next := slices.IndexFunc(days, func(day recording.Day) bool { return !day.Date.Equal(days[0].Date) })
			if next < 0 {
				next = len(days)
			}
			for _, r := range ofOneDay(d, days[:next], unreadable) {
				if !yield(r, ctx.Err()) {
					return
				}
			}
			days = days[next:]
		}
	}
}

// ofOneDay are the recordings that all organisations have of a day, the newest
// first.
func ofOneDay(d recording.Dir, days []recording.Day, unreadable func(error)) (list []index.Recording) {
	for _, day := range days {
		for _, f := range day.Recordings {
			if !f.Sidecar {
				continue
			}
			if s, err := maintenance.Sidecar(d, day, f.ID); err == nil {
				list = append(list, call.Index(d, s, nil))
			} else if !errors.Is(err, fs.ErrNotExist) {
				unreadable(err)
			}
		}
	}
	slices.SortFunc(list, func(a, b index.Recording) int {
		return cmp.Or(b.Started.Compare(a.Started), strings.Compare(b.ID, a.ID), strings.Compare(b.Organisation, a.Organisation))
	})
	return list
}
