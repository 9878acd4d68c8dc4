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

// A Tapedeck that is killed just after it let FreeSWITCH record leaves a file about which
// nothing is written. If the call ends before the next Tapedeck starts, only that file is
// left. describeRecent describes such files soon after the start.
const (
	recentEvery = 5 * time.Second  // how often it looks
	recentAge   = 10 * time.Second // nobody has written for so long; FreeSWITCH writes every 2 to 4 s
)

// describeRecent describes the files without a sidecar that were there at the start, once
// no FreeSWITCH has their call any more. It does not wait until they have UndescribedAge.
func (m *Maintenance) describeRecent(ctx context.Context, start time.Time) {
	paths, _ := recording.Undescribed(ctx, m.dir, start) // describeAll has logged the error
	tick := time.NewTicker(recentEvery)
	defer tick.Stop()
	for len(paths) > 0 {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			paths = m.recentOnce(ctx, now, paths)
		}
	}
}

// recentOnce describes the files that can be described now, and returns those to look at
// again. It drops files that have a sidecar or a draft by now, or whose call is live.
func (m *Maintenance) recentOnce(ctx context.Context, now time.Time, paths []string) (left []string) {
	paths = slices.DeleteFunc(paths, func(path string) bool { return !m.dir.IsUndescribed(path) })
	calls := make([]string, len(paths))
	for i, path := range paths {
		calls[i], _, _ = strings.Cut(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), ".")
	}
	live, err := m.calls.Live(ctx, calls)
	if err != nil { // a watch link is down: look again later
		return paths
	}
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil || live[calls[i]] || now.Sub(info.ModTime()) > UndescribedAge { // its call will describe it, or describeAll does
			continue
		}
		s, err := recording.Describe(m.dir, path)
		if now.Sub(info.ModTime()) < recentAge || err != nil || !m.describe(ctx, s) {
			left = append(left, path)
		}
	}
	return left
}
