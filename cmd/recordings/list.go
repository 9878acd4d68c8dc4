package recordings

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
	"tapedeck/cmd/storeclient"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// List is what `recordings ls` is asked for. An empty or zero field asks for nothing.
type List struct {
	Organisation string // by id
	From, To     time.Time
	Number       string // on either side, in any form
	User         string // by id
	Trigger      string // automatic or on-demand
	Problems     bool   // only those with problems
	Limit        int    // at least 1

	Zone *time.Location // of the times that are printed
	JSON bool           // print one object a line

	region string // how national numbers are read
}

// Run prints the recordings, the newest first: those of the index in Redis or, if that is
// inside serve, those of the sidecars on the disk. Sidecars that cannot be read are told
// of on stderr.
func (l *List) Run(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	list, more, err := l.read(ctx, cfg, stderr)
	if err != nil {
		return err
	}
	return l.print(stdout, list, more)
}

// read returns what is to be listed, and whether there is more than Limit.
func (l *List) read(ctx context.Context, cfg *config.Config, stderr io.Writer) (list []index.Recording, more bool, err error) {
	if cfg.Store.Embedded() {
		if p, err := flow.Load(cfg.Policy); err == nil {
			l.region = p.Region
		}
		return l.take(l.onDisk(ctx, cfg.Recordings.Dir, func(err error) {
			fmt.Fprintf(stderr, "tapedeck recordings ls: left out: %s\n", tidy.Text(err.Error(), 1000))
		}))
	}
	conn, p, err := storeclient.OpenPolicy(ctx, cfg)
	if err != nil {
		return nil, false, err
	}
	l.region = p.Policy().Region
	list, more, err = l.take(l.inIndex(ctx, index.New(conn)))
	return list, more, errors.Join(err, conn.Close())
}

// take returns the first of all that are wanted.
func (l *List) take(all iter.Seq2[index.Recording, error]) (list []index.Recording, more bool, err error) {
	for r, err := range all {
		switch {
		case err != nil:
			return nil, false, err
		case !l.wants(&r):
		case len(list) == l.Limit:
			return list, true, nil
		default:
			list = append(list, r)
		}
	}
	return list, false, nil
}

func (l *List) wants(r *index.Recording) bool {
	switch {
	case l.Organisation != "" && r.Organisation != l.Organisation,
		!l.From.IsZero() && r.Started.Before(l.From),
		!l.To.IsZero() && !r.Started.Before(l.To),
		l.Number != "" && !l.isNumber(r.Number) && !l.isNumber(r.External),
		l.User != "" && !slices.Contains(r.Users, l.User),
		l.Trigger != "" && r.Trigger != l.Trigger,
		l.Problems && r.Complete && len(r.Problems) == 0:
		return false
	}
	return true
}

// isNumber compares numbers in whatever form they are written.
func (l *List) isNumber(text string) bool {
	if text == l.Number {
		return true
	}
	want, ok := flow.Normalise(l.region, l.Number)
	got, also := flow.Normalise(l.region, text)
	return ok && also && got == want
}

// inIndex yields the recordings of the index; it reads them page by page.
func (l *List) inIndex(ctx context.Context, x *index.Index) iter.Seq2[index.Recording, error] {
	q := index.Query{From: l.From, To: l.To, Limit: min(l.Limit+1, 500)}
	if l.Organisation != "" {
		q.Organisations = []string{l.Organisation}
	}
	return func(yield func(index.Recording, error) bool) {
		for {
			list, next, err := x.Search(ctx, q)
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

// onDisk yields the recordings of the sidecars in the order of the index. It holds the
// names of all recordings in memory, and the sidecars of one day.
func (l *List) onDisk(ctx context.Context, d recording.Dir, unreadable func(error)) iter.Seq2[index.Recording, error] {
	return func(yield func(index.Recording, error) bool) {
		var days []recording.Day
		err := recording.Walk(ctx, d, func(day recording.Day) error {
			tooOld, tooNew := !l.From.IsZero() && !day.Date.AddDate(0, 0, 1).After(l.From), !l.To.IsZero() && !day.Date.Before(l.To)
			if !tooOld && !tooNew && (l.Organisation == "" || l.Organisation == day.Organisation) {
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

// ofOneDay returns the recordings of all organisations on one day, the newest first.
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
