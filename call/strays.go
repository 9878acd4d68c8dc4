package call

import (
	"context"
	"sync"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/recording"
)

// stray is a call of another instance that was found on a FreeSWITCH. Redis may not
// know the call; then the store does not report it when its owner dies.
type stray struct {
	snapshot handover.Snapshot
	since    time.Time
	dead     int // how often its owner was found dead
}

// A stray is taken over at the earliest strayAfter after it was found, so that the
// store can report the call first, and only if its owner was dead at deadLooks
// looks, one second apart.
const (
	strayAfter = 2 * time.Second
	deadLooks  = 2
)

// meet begins to watch the owner of a call of another instance.
func (t *takeover) meet(s handover.Snapshot, now time.Time) {
	t.strays[s.Call] = stray{snapshot: s, since: now}
}

// takeStrays takes over the strays whose owner is dead. Run calls it every second.
func (t *takeover) takeStrays(now time.Time) {
	drafts := sync.OnceValue(reaper{t.ctl}.drafts)
	for id, s := range t.strays {
		link := t.ctl.cfg.Switches[s.snapshot.Switch]
		switch {
		case t.ctl.calls[id] != nil, link == nil, t.ctl.legs.get(s.snapshot.Holder()) == nil:
			delete(t.strays, id)
		case !t.claiming[id] && now.Sub(s.since) > strayAfter:
			t.claiming[id] = true
			legs := t.legsOf(s.snapshot.LiveCall(s.snapshot.Encode()))
			t.ctl.work.Go(func() { t.takeStray(link, s, legs, drafts) })
		}
	}
}

// takeStray takes over one stray, unless its owner lives or has not been dead for
// long enough.
func (t *takeover) takeStray(link Link, s stray, legs []string, drafts func() []recording.Sidecar) {
	id := s.snapshot.Call
	alive, err := t.ctl.cfg.Calls.Alive(t.ctl.ctx, s.snapshot.Owner)
	if err == nil && !alive {
		s.dead++
	}
	if s.dead >= deadLooks {
		t.take(link, s.snapshot.LiveCall(s.snapshot.Encode()), legs, drafts)
		return
	}
	t.ctl.post(func(time.Time) {
		delete(t.claiming, id)
		if alive {
			delete(t.strays, id)
		} else if _, still := t.strays[id]; still {
			t.strays[id] = s
		}
	})
}

// search asks FreeSWITCH for the snapshot of a call, and watches its owner from then on.
func (t *takeover) search(call string) {
	if _, watched := t.strays[call]; watched || t.ctl.calls[call] != nil || t.claiming[call] {
		return
	}
	bySwitch := map[string][]string{}
	for uuid, l := range t.ctl.legs.all {
		if l.call == call {
			bySwitch[l.switchName] = append(bySwitch[l.switchName], uuid)
		}
	}
	for name, legs := range bySwitch {
		link := t.ctl.cfg.Switches[name]
		if link == nil {
			continue
		}
		t.ctl.work.Go(func() {
			ctx, cancel := context.WithTimeout(t.ctl.ctx, commandDeadline)
			defer cancel()
			s, err := survey.Ask(ctx, link, legs)
			if err != nil {
				return // the store reports it again
			}
			t.ctl.post(func(now time.Time) {
				snapshot, found := s.Snapshots(recovery{t.ctl}.unreadable)[call]
				if _, watched := t.strays[call]; found && !watched && t.ctl.calls[call] == nil {
					snapshot.Switch = name
					t.meet(snapshot, now)
				}
			})
		})
	}
}
