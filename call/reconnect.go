package call

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
)

// recovery brings the live calls in line with a FreeSWITCH after the watch link or
// Tapedeck was down.
type recovery struct{ ctl *Controller }

// Connected takes a new connection of a watch link. It learns the Core-UUID of the
// switch, ends the calls whose legs are gone, and finds the calls that somebody has
// to take over.
func (ctl *Controller) Connected(ctx context.Context, switchName string, conn Link) error {
	r := recovery{ctl}
	replies, err := conn.SendAll(ctx, []esl.Command{esl.API("global_getvar", "core_uuid")})
	if err != nil {
		return err
	}
	core := replies[0].Text()
	known := map[string]bool{} // legs known now; a later leg is live, even if the survey does not have it
	if !ctl.ask(ctx, func(time.Time) { err, known = ctl.switches.isOf(core, switchName), ctl.legs.onSwitch(switchName, core) }) {
		return ctx.Err() // the link is lost, or the Controller has ended
	}
	if err != nil {
		return err
	}
	here := make([]string, 0, len(known))
	for uuid, is := range known {
		if is {
			here = append(here, uuid)
		}
	}
	asked := time.Now()
	s, err := survey.All(ctx, conn, here)
	if err != nil {
		return err
	}
	drafts := reaper{ctl}.drafts()
	ctl.ask(ctx, func(now time.Time) {
		foreign{ctl}.strip(switchName, s)
		r.connected(switchName, core, known, s, now)
		r.meet(switchName, s, drafts, now)
		rooms{ctl}.refresh(s, asked, now)
		eavesdropping{ctl}.refresh(s, now)
		ctl.work.Go(func() { r.lookAgain(ctx, switchName, conn) })
	})
	return nil
}

// onSwitch says of each leg whether it is on this switch, as far as is known.
func (ls *legs) onSwitch(name, core string) map[string]bool {
	is := map[string]bool{}
	for uuid, l := range ls.all {
		is[uuid] = l.switchName == name || l.switchName == "" && l.core == core
	}
	return is
}

// listedBy is how long it takes at the most until a new leg is in the list of
// channels (switch_core_sqldb.c, the writing thread).
const listedBy = 2 * time.Second

// lookAgain finds the legs that came shortly before the connection and were not
// listed yet.
func (r recovery) lookAgain(ctx context.Context, switchName string, conn Link) {
	ctl := r.ctl
	select {
	case <-time.After(listedBy):
	case <-ctx.Done():
		return
	case <-ctl.done:
		return
	}
	legs, err := survey.Listed(ctx, conn)
	if err != nil {
		return // the link is down: the next connection looks again
	}
	if !ctl.ask(ctx, func(time.Time) {
		legs = slices.DeleteFunc(legs, func(uuid string) bool { return ctl.legs.get(uuid) != nil })
	}) {
		return
	}
	asked := time.Now()
	s, err := survey.Ask(ctx, conn, legs)
	if err != nil {
		return
	}
	drafts := reaper{ctl}.drafts()
	ctl.ask(ctx, func(now time.Time) {
		foreign{ctl}.strip(switchName, s)
		for uuid := range s.Data { // for a leg that is known by now, the events are newer than the survey
			if !ctl.legs.isNew(uuid) {
				delete(s.Data, uuid)
			}
		}
		r.learn(switchName, s, now)
		r.meet(switchName, s, drafts, now)
		rooms{ctl}.refresh(s, asked, now)
		eavesdropping{ctl}.refresh(s, now)
		r.endUnanswered(switchName, s, now)
		for _, c := range ctl.calls {
			if c.line.switchName == switchName && c.route.awaitsAnchor() {
				c.absence.catchUp(s, now)
			}
		}
	})
}

// connected takes the survey of a new connection. It ends the legs that were known
// before the survey and are gone, and lets the remaining calls catch up. Calls and
// legs whose switch was not known and that have this Core-UUID belong to this switch
// from now on.
func (r recovery) connected(switchName, core string, known map[string]bool, s survey.Survey, now time.Time) {
	ctl := r.ctl
	ctl.switches.asker.Learn(switchName, core)
	for _, c := range ctl.calls {
		if c.line.switchName == "" && c.core == core {
			c.line.switchName = switchName
		}
	}
	r.learn(switchName, s, now)
	for _, c := range ctl.calls {
		if c.line.switchName == switchName && c.line.doubt.open {
			c.line.doubt.survey(s, now)
		}
	}
	for _, c := range ctl.calls {
		if c.line.switchName == switchName {
			c.absence.catchUpAnswer(s, now)
			c.absence.catchUpStart(s, now)
		}
	}
	for uuid, l := range ctl.legs.all {
		if l.switchName == "" && l.core == core {
			l.switchName = switchName
		}
		if known[uuid] && !s.Live.Has(uuid) {
			r.vanished(uuid, now)
		}
	}
	for _, c := range ctl.calls {
		if c.line.switchName == switchName {
			if c.route.direction == flow.Outbound && c.route.anchor != "" { // this command may have been lost with the link
				c.line.disarmFirst(now)
			}
			c.ownership.forgetSent()
			c.absence.catchUp(s, now)
		}
	}
	for _, l := range ctl.legs.all {
		if c := ctl.calls[l.call]; l.heard.lost.name != "" && c != nil && c.line.switchName == switchName {
			l.playLost(c, now)
		}
	}
}

// vanished notes that a leg hung up while the link was down. If it is the
// first leg of an outgoing call, the call may go on: the outside party may have
// answered, and that leg may not be listed yet.
func (r recovery) vanished(uuid string, now time.Time) {
	ctl := r.ctl
	c := ctl.callOf(uuid)
	if c != nil && c.route.awaitsAnchor() && uuid == c.route.first {
		c.absence.firstLegGone = true
		return
	}
	if c != nil {
		c.absence.endMissed = true
	}
	ctl.hungUp(uuid, now)
}

// learn takes the legs of a survey, those that dial before those that they have dialled.
func (r recovery) learn(switchName string, s survey.Survey, now time.Time) {
	ctl := r.ctl
	for uuid, data := range s.Data {
		if l := ctl.legs.get(uuid); l != nil { // one that came while the link was down may be known from its socket alone
			l.origin, l.call = originOf(data), cmp.Or(l.call, data.Variable("tapedeck_call"))
		}
	}
	for _, uuid := range s.ByCreation() {
		data := s.Data[uuid]
		ctl.created(switchName, uuid, data, now)
		ctl.legs.learnRate(uuid, data)
		ctl.legs.bridge(uuid, s.Peers[uuid])
		if l := ctl.legs.get(uuid); l != nil {
			l.answered = s.Live[uuid]
		}
	}
}

// endUnanswered ends the outgoing calls whose first leg is gone and which nobody has
// answered.
func (r recovery) endUnanswered(switchName string, s survey.Survey, now time.Time) {
	ctl := r.ctl
	for _, c := range ctl.calls {
		if c.line.switchName != switchName || !c.absence.firstLegGone {
			continue
		}
		c.absence.firstLegGone = false
		if c.absence.catchUpAnswer(s, now); c.route.anchor != "" {
			c.left(c.route.first, now)
			c.absence.catchUp(s, now)
			continue
		}
		c.absence.endMissed = true
		ctl.hungUp(c.route.first, now)
	}
}

// meet takes the calls of a survey that are not followed here. If no other instance
// can exist, it takes them over at once. Otherwise their owner may be alive, and
// they are watched until it is known whether they are orphans.
func (r recovery) meet(switchName string, s survey.Survey, drafts []recording.Sidecar, now time.Time) {
	ctl := r.ctl
	alone := ctl.cfg.Calls.Alone()
	for _, snapshot := range inOrder(s.Snapshots(r.unreadable)) {
		id := snapshot.Call
		snapshot.Switch = switchName
		switch {
		case talks{ctl}.followed(id) != nil:
		case alone:
			r.adopt(snapshot, snapshot.Token+1, handover.Richer(id, nil, drafts), s, now)
		default:
			ctl.takeover.meet(snapshot, now)
		}
	}
	if alone {
		reaper{ctl}.describeGone(switchName, s, drafts)
	}
}

// inOrder are snapshots in such an order that a call comes before those that dissolve
// into it.
func inOrder(snapshots map[string]handover.Snapshot) []handover.Snapshot {
	return slices.SortedFunc(maps.Values(snapshots), func(a, b handover.Snapshot) int {
		if one, two := metIn(a), metIn(b); one.outside != two.outside {
			if one.outside {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Began.Compare(b.Began), strings.Compare(a.Call, b.Call))
	})
}

// unreadable counts a call of another Tapedeck whose snapshot cannot be read.
func (r recovery) unreadable(leg string, err error) {
	r.ctl.cfg.Log.Warn("snapshot of another Tapedeck not read", "leg", leg, "error", err)
	r.ctl.cfg.Meter.Adopted("failed")
}
