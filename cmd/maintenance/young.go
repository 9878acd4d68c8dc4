package maintenance

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/recording"
)

// A Tapedeck that is killed within a moment after it has told FreeSWITCH to record
// leaves a file behind of which nothing is written down. If its call ends before
// the next Tapedeck looks, nobody else will ever say anything about it.
const (
	youngEvery = 5 * time.Second
	youngAge   = 10 * time.Second // nobody has written to it; FreeSWITCH writes each 2 to 4 s
)

// describeYoung describes the files that were there at the start, of which nothing
// is known, and whose call no FreeSWITCH has any more, without waiting until they
// are as old as others must be.
func (m *Maintenance) describeYoung(ctx context.Context, start time.Time) {
	paths, _ := recording.Undescribed(ctx, m.dir, start) // describe has told what it cannot read
	tick := time.NewTicker(youngEvery)
	defer tick.Stop()
	for len(paths) > 0 {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			paths = m.youngOnce(ctx, now, paths)
		}
	}
}

// youngOnce describes those that can be, and returns those that may be some day
// soon: of the others somebody else has said something.
func (m *Maintenance) youngOnce(ctx context.Context, now time.Time, paths []string) (left []string) {
	paths = slices.DeleteFunc(paths, func(path string) bool { return !m.dir.IsUndescribed(path) })
	calls := make([]string, len(paths))
	for i, path := range paths {
		calls[i], _, _ = strings.Cut(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), ".")
	}
	live, err := m.calls.Live(ctx, calls)
	if err != nil { // a link is down: later
		return paths
	}
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil || live[calls[i]] || now.Sub(info.ModTime()) > OrphanAge { // the call is followed, or the daily look finds it
			continue
		}
		s, err := recording.Describe(m.dir, path)
		if now.Sub(info.ModTime()) < youngAge || err != nil || !m.finish(ctx, s) {
			left = append(left, path)
		}
	}
	return left
}
