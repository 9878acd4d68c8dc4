package call

import (
	"context"
	"time"

	"tapedeck/call/survey"
	"tapedeck/recording"
)

// reaper has the files described of calls that ended while no Tapedeck followed
// them.
type reaper struct{ ctl *Controller }

// describe has the files of one such call described.
func (r reaper) describe(organisation, id string, history []recording.Sidecar) {
	for _, s := range history {
		if s.Call == id && s.Organisation == organisation {
			r.ctl.describer.begin(s, nil)
		}
	}
	r.ctl.describer.endIfIdle(organisation, id)
	r.ctl.cfg.Meter.Adopted("ended")
	r.ctl.cfg.Log.Info("call ended while nobody followed it", "call", id, "files", len(history))
}

// reapEvery is how often the reaper looks for such files that the store does not
// report.
const reapEvery = 5 * time.Second

// run looks for drafts whose call is over, until ctx ends.
func (r reaper) run(ctx context.Context) {
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	before := map[string]bool{}
	for {
		select {
		case <-tick.C:
			before = r.once(ctx, before)
		case <-ctx.Done():
			return
		}
	}
}

// once has those calls described that were over the previous time, too, and returns
// those that are over now. In between, an instance that follows such a call has had
// the time to describe it.
func (r reaper) once(ctx context.Context, before map[string]bool) (over map[string]bool) {
	var drafts []recording.Sidecar
	read := r.drafts()
	if len(read) == 0 || !r.ctl.ask(ctx, func(time.Time) { drafts = r.notFollowed(read) }) || len(drafts) == 0 {
		return nil
	}
	followed, err := r.followedElsewhere(ctx)
	if err != nil {
		return before
	}
	left := map[string][]recording.Sidecar{}
	for _, s := range drafts {
		if !followed[s.Call] && r.isOver(ctx, s) {
			left[s.Call] = append(left[s.Call], s)
		}
	}
	over = map[string]bool{}
	for id, history := range left {
		over[id] = true
		if before[id] {
			r.ctl.post(func(time.Time) { r.describeLeft(history) })
		}
	}
	return over
}

// leftAlone is how long a file must not have been written before its call counts as
// over, if its switch has no watch link.
const leftAlone = 10 * time.Minute

// isOver reports whether the call of a draft is over.
func (r reaper) isOver(ctx context.Context, s recording.Sidecar) bool {
	if link := r.ctl.cfg.Switches[s.Switch]; link != nil {
		now, err := survey.Ask(ctx, link, []string{s.Anchor})
		return err == nil && !now.Live.Has(s.Anchor)
	}
	path, err := r.ctl.describer.path(s)
	if err != nil {
		return false
	}
	at, err := r.ctl.cfg.Archive.LastWrite(path)
	return err == nil && time.Since(at) > leftAlone
}

// isFollowed reports whether a call is live here, or its files are being closed or
// described here.
func (r reaper) isFollowed(id string) bool {
	return talks(r).followed(id) != nil || r.ctl.describer.busy(id)
}

// notFollowed are the drafts whose call is not followed here.
func (r reaper) notFollowed(drafts []recording.Sidecar) []recording.Sidecar {
	var left []recording.Sidecar
	for _, s := range drafts {
		if !r.isFollowed(s.Call) {
			left = append(left, s)
		}
	}
	return left
}

// followedElsewhere are the calls that Redis has; nil if no other instance can
// exist.
func (r reaper) followedElsewhere(ctx context.Context) (map[string]bool, error) {
	if r.ctl.cfg.Calls.Alone() {
		return nil, nil
	}
	calls, err := r.ctl.cfg.Calls.List(ctx)
	followed := make(map[string]bool, len(calls))
	for _, c := range calls {
		followed[c.ID] = true
	}
	return followed, err
}

// describeGone has the drafts of a switch described whose leg the switch no longer
// has.
func (r reaper) describeGone(switchName string, now survey.Survey, drafts []recording.Sidecar) {
	left := map[string][]recording.Sidecar{}
	for _, s := range r.notFollowed(drafts) {
		if s.Switch == switchName && !now.Live.Has(s.Anchor) {
			left[s.Call] = append(left[s.Call], s)
		}
	}
	for _, history := range left {
		r.describeLeft(history)
	}
}

// describeLeft has the files of one call described, if the call is still not
// followed here.
func (r reaper) describeLeft(history []recording.Sidecar) {
	if s := history[0]; !r.isFollowed(s.Call) {
		r.describe(s.Organisation, s.Call, history)
	}
}

// drafts are all drafts on the disk. It waits for the disk, so Run's goroutine must
// not call it.
func (r reaper) drafts() []recording.Sidecar {
	drafts, err := r.ctl.cfg.Archive.Drafts()
	if err != nil {
		r.ctl.cfg.Log.Warn("drafts of live recordings not read", "error", err)
	}
	return drafts
}
