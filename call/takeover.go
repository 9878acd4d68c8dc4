package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/calls"
)

// takeover takes over orphans, the calls whose owner is dead. It yields the calls
// that another instance reports as its own.
type takeover struct {
	ctl    *Controller
	claims chan struct{} // one for each call that is being claimed: at most claimsAtOnce

	// owned by Run
	strays   map[string]stray     // calls of other instances that Redis may not know
	claiming map[string]bool      // calls that are being taken over
	yielded  map[string]time.Time // calls that another instance has taken, for sweepEvery
}

func newTakeover(ctl *Controller) *takeover {
	return &takeover{ctl: ctl, claims: make(chan struct{}, claimsAtOnce), strays: map[string]stray{}, claiming: map[string]bool{}, yielded: map[string]time.Time{}}
}

// forgetYielded forgets the calls whose legs cannot still enter with old channel data.
func (t *takeover) forgetYielded(now time.Time) {
	maps.DeleteFunc(t.yielded, func(_ string, at time.Time) bool { return now.Sub(at) > sweepEvery })
}

// hasYielded reports whether another instance has taken this call from us.
func (t *takeover) hasYielded(call string) bool { _, yielded := t.yielded[call]; return yielded }

// isOver reports whether a call that is not followed here has ended, by its snapshot: it was
// ours, and no other instance has taken it.
func (t *takeover) isOver(s handover.Snapshot) bool {
	return s.Owner == t.ctl.cfg.Calls.Instance() && !t.hasYielded(s.Call)
}

// adoptedSubclass is the subclass of the event that tells other instances who owns a
// call from now on.
const adoptedSubclass = "tapedeck::adopted"

// announceOwner tells the other instances that the call is ours, and looks whether
// the previous owner has obeyed a press meanwhile.
func (a *absence) announceOwner(now time.Time) {
	c := a.call
	if !c.ctl.switches.watched(c.line.switchName) {
		return
	}
	text, _ := c.ownership.newText(now)
	holder := c.route.holder()
	c.line.send([]esl.Command{esl.API("uuid_getvar", holder, handover.Variable), esl.SetVar(holder, handover.Variable, text), esl.SendEvent("CUSTOM",
		esl.Header{Name: "Event-Subclass", Value: adoptedSubclass},
		esl.Header{Name: "Tapedeck-Call", Value: c.id},
		esl.Header{Name: "Tapedeck-Owner", Value: c.ctl.cfg.Calls.Instance()},
		esl.Header{Name: "Tapedeck-Token", Value: fmt.Sprint(c.ownership.token)})}, func(replies []esl.Reply, err error, now time.Time) {
		if err != nil {
			c.ownership.forgetSent()
			return
		}
		a.takeNewerPress(replies[0].Text(), now)
	}, now)
}

// adoptedElsewhere takes the event that another instance owns a call.
func (t *takeover) adoptedElsewhere(ev *esl.Event) {
	c := talks{t.ctl}.followed(ev.Get("Tapedeck-Call"))
	if c == nil || ev.Get("Tapedeck-Owner") == t.ctl.cfg.Calls.Instance() {
		return
	}
	var token int64
	if _, err := fmt.Sscan(ev.Get("Tapedeck-Token"), &token); err == nil && token > c.ownership.token {
		c.yield()
	}
}

// Orphans takes over live calls whose owner is dead. The store reports them again as
// long as they are orphans. Of calls whose entries in Redis are not believed counts what
// FreeSWITCH has, as of those that Redis does not know.
func (ctl *Controller) Orphans(orphans []calls.Call, unproved []store.ID) {
	drafts := sync.OnceValue(reaper{ctl}.drafts) // read once for all of them: a dead owner writes no more
	ctl.post(func(time.Time) {
		for _, live := range orphans {
			if link := ctl.cfg.Switches[live.Switch]; link != nil && ctl.calls[live.ID] == nil {
				ctl.takeover.begin(link, live, drafts)
			}
		}
		for _, id := range unproved {
			ctl.takeover.search(id.ID)
		}
	})
}

// begin begins to take a call over, unless that is under way already.
func (t *takeover) begin(link Link, live calls.Call, drafts func() []recording.Sidecar) {
	if t.claiming[live.ID] {
		return
	}
	t.claiming[live.ID] = true
	legs := t.legsOf(live)
	t.ctl.work.Go(func() { t.take(link, live, legs, drafts) })
}

// legsOf are the legs of a call that may still be live.
func (t *takeover) legsOf(live calls.Call) []string {
	legs := []string{live.Leg}
	if live.Anchor != "" && live.Anchor != live.Leg {
		legs = append(legs, live.Anchor)
	}
	for uuid, l := range t.ctl.legs.all {
		if l.call == live.ID && uuid != live.Leg && uuid != live.Anchor {
			legs = append(legs, uuid)
		}
	}
	return legs
}

// take claims a call and then adopts it or, if it is over, has its files described.
// It does nothing if another instance is faster. drafts returns the drafts on the
// disk; they may have been read a moment ago.
func (t *takeover) take(link Link, live calls.Call, legs []string, drafts func() []recording.Sidecar) {
	ctl := t.ctl
	defer ctl.post(func(time.Time) { delete(t.claiming, live.ID) })
	for asked := false; ; {
		mine, s, history, err := t.claim(link, live, legs, drafts)
		switch asked = asked || errors.Is(err, store.ErrAway); {
		case err == nil:
			if !ctl.post(func(now time.Time) { t.inherit(mine, s, history, now) }) {
				ctl.cfg.Log.Warn("call claimed during the shutdown: another instance has to take it over", "call", live.ID)
			}
			return
		case !asked, errors.Is(err, calls.ErrTaken):
			ctl.cfg.Log.Info("call of a dead instance not taken over", "call", live.ID, "token", live.Token, "error", err)
			return
		}
		// Redis did not answer: the claim may have been carried out, and then no other
		// instance takes the call. So it is repeated.
		select {
		case <-time.After(claimRetry):
		case <-ctl.ctx.Done():
			return
		}
	}
}

// claimRetry is how soon a claim without an answer is repeated.
const claimRetry = 200 * time.Millisecond

// claimsAtOnce is how many calls are claimed at the same time. If all calls of a
// dead instance were claimed at once, they would delay each other until all of them
// timed out.
const claimsAtOnce = 32

// claim surveys the call's legs and then claims the call in Redis. Without a link to
// the switch it does not claim the call; the store reports it again.
func (t *takeover) claim(link Link, live calls.Call, legs []string, drafts func() []recording.Sidecar) (mine calls.Call, s survey.Survey, history []recording.Sidecar, err error) {
	t.claims <- struct{}{}
	defer func() { <-t.claims }()
	ctx, cancel := context.WithTimeout(t.ctl.ctx, commandDeadline)
	defer cancel()
	if s, err = survey.Ask(ctx, link, legs); err != nil {
		return live, s, nil, err
	}
	history = drafts()                                 // not limited by ctx: the disk may be slow
	mine, err = t.ctl.cfg.Calls.Claim(t.ctl.ctx, live) // nor by ctx: Redis, too
	return mine, s, history, err
}

// inherit adopts a claimed call, or has its files described if it is over.
func (t *takeover) inherit(live calls.Call, s survey.Survey, drafts []recording.Sidecar, now time.Time) {
	ctl := t.ctl
	var history []recording.Sidecar
	if err := json.Unmarshal(live.Draft, &history); err != nil && len(live.Draft) > 0 {
		ctl.cfg.Log.Warn("drafts in a call's Redis entry not read", "call", live.ID, "error", err)
	}
	history = handover.Richer(live.ID, history, drafts)
	ctl.legs.refresh(s)
	snapshot, there := s.Snapshots(recovery{ctl}.unreadable)[live.ID]
	err := error(nil)
	if holder := cmp.Or(live.Anchor, live.Leg); !there && s.Live.Has(holder) {
		there = true
		snapshot, err = handover.Read(live.Snapshot)
	}
	switch {
	case !there:
		if last, err := handover.Read(live.Snapshot); len(history) == 0 && err == nil {
			history = []recording.Sidecar{last.Draft()}
		}
		reaper{ctl}.describe(live.Organisation, live.ID, history)
	case err != nil:
		ctl.cfg.Meter.Adopted("failed")
		ctl.cfg.Log.Warn("call not taken over", "call", live.ID, "error", err)
	default:
		recovery{ctl}.adopt(snapshot, live.Token, history, s, now)
	}
}

// refresh brings a survey up to date with later events: which legs have hung up,
// which have been answered, and who talks to whom.
func (ls *legs) refresh(s survey.Survey) {
	for uuid := range s.Live {
		if ls.hasGone(uuid) {
			delete(s.Live, uuid)
			continue
		}
		l := ls.get(uuid)
		if l == nil {
			continue
		}
		s.Live[uuid] = s.Live[uuid] || l.answered
		if delete(s.Peers, uuid); l.peer != "" {
			s.Peers[uuid] = l.peer
		}
	}
}
