package maintenance

import (
	"context"
	"maps"
	"slices"
	"time"

	"tapedeck/recording"
)

const (
	// monthsEvery is how often is looked whether a folder of a month will be needed: soon
	// after a policy with a new organisation is in force.
	monthsEvery = time.Second
	// monthAhead is how long before a month begins its folders are made.
	monthAhead = 24 * time.Hour
)

// months makes the folder of each organisation's month before a recording can need it,
// because FreeSWITCH may fail one of two recordings that would make it at the same
// moment (recording.Dir.MakeMonth).
type months struct {
	*Maintenance
	made   string // for which policy and months all folders were made last
	failed string // why one could not be made at the last look; empty: all were made
}

// keepMonths makes folders of months until ctx ends.
func (m *Maintenance) keepMonths(ctx context.Context) {
	k := months{Maintenance: m}
	tick := time.NewTicker(monthsEvery)
	defer tick.Stop()
	for now := time.Now(); ; {
		k.look(now)
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}

// look makes the folders that are missing. What cannot be made is logged and counted
// once for each cause, and tried again at the next look.
func (k *months) look(now time.Time) {
	policy, soon := k.policy(), now.Add(monthAhead)
	due := policy.Revision + now.UTC().Format(" 2006/01") + soon.UTC().Format(" 2006/01")
	if due == k.made {
		return
	}
	var first error
	for _, organisation := range slices.Sorted(maps.Keys(policy.Organisations)) {
		for _, moment := range []time.Time{now, soon} {
			if err := k.dir.MakeMonth(organisation, moment); err != nil && first == nil {
				first = err
			}
		}
	}
	if first == nil {
		if k.failed != "" {
			k.log.Info("the folders of the month are made now")
		}
		k.made, k.failed = due, ""
		return
	}
	if cause := first.Error(); cause != k.failed {
		k.failed = cause
		k.log.Error("cannot make the folder of a month; trying again: until then two recordings that begin at the same moment may fail each other", "error", first)
		k.meter.Problem(recording.Disk)
	}
}
