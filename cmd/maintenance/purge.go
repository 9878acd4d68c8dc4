package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/recording/audit"
)

// purge deletes what is older than the policy keeps it, and reports whether it got
// through.
func (m *Maintenance) purge(ctx context.Context, now time.Time) bool {
	live, err := LiveCalls(ctx, m.live)
	if err != nil {
		m.log.Warn("recordings not purged", "error", err)
		return false
	}
	var unread error // about one of the recordings that are kept because something is wrong
	done, err := recording.Purge(ctx, recording.PurgeConfig{
		Dir: m.dir, Now: now, Retention: Retention(m.policy()), Live: live,
		Audit: m.audit, By: audit.Actor{Who: "tapedeck serve", From: "retention"},
		Deleted: func(s recording.Sidecar) { m.index.Delete(s.Organisation, s.ID()) },
		Kept: func(_, _ string, _ recording.KeptReason, err error) {
			if err != nil {
				unread = err
			}
		},
	})
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		m.log.Error("recordings not purged everywhere", "error", err)
	case unread != nil:
		m.log.Error("recordings kept that are too old: `tapedeck recordings verify` says what is wrong",
			"failed", done.Kept[recording.KeptFailed], "unknown", done.Kept[recording.KeptUnknown], "one", unread)
	}
	m.meter.Purged(done.Deleted)
	m.log.Info("recordings purged", "deleted", done.Deleted, "bytes", done.Bytes,
		"held", done.Kept[recording.KeptHeld], "live", done.Kept[recording.KeptLive])
	return true
}

// cleanUp removes what the encoders of a Tapedeck that was killed have left behind. Those
// of one that was killed just now are old enough after a while.
func (m *Maintenance) cleanUp(ctx context.Context) {
	timer := time.NewTimer(recording.DerivedAge)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	err := recording.RemoveLeftovers(ctx, m.dir, time.Now())
	if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		m.log.Warn("unfinished files not removed everywhere", "error", err)
	}
}

// Retention returns how long a policy keeps the recordings of an organisation; false
// means for ever. Those of an organisation that is not in the policy are kept.
func Retention(p *flow.Policy) func(organisation string) (time.Duration, bool) {
	return func(organisation string) (time.Duration, bool) {
		o := p.Organisations[organisation]
		if o == nil || o.Retention <= 0 {
			return 0, false
		}
		return o.Retention, true
	}
}

// LiveCalls returns a function that reports whether a recording, by its id, belongs
// to a call that is live on any instance.
func LiveCalls(ctx context.Context, l LiveLister) (live func(id string) bool, err error) {
	all, err := l.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("nothing is deleted while it is not known which calls are live: %w", err)
	}
	ids := map[string]bool{}
	for _, c := range all {
		ids[c.ID] = true
	}
	return func(id string) bool {
		call, _, err := recording.ParseID(id)
		return err != nil || ids[call]
	}, nil
}
