package call

import (
	"cmp"
	"slices"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// A talk is what legs form that hear each other. One talk with one outside party is
// one file (docs/design.md, section 12, rule 11). Two calls meet when the legs that
// hold them are bridged: a user has picked up a call from park, from hold or while it
// rang, or a consultation was completed. Then one of the two dissolves: its user goes
// on in the other call, and what it has recorded so far is closed and described.

// talk is what one call knows of other calls that its legs belong to.
type talk struct {
	call   *call
	asks   string // the peer of which it is being asked whether it holds another instance's call; "" if none
	theirs string // the peer that was found to hold another instance's call; "" if none
}

// met is what one call has to know of another one that it meets.
type met struct {
	call, org string
	outside   bool // it has an outside party, and has reached it
	anchored  bool // its anchor is known
	began     time.Time
}

// asMet is the call as others meet it.
func (c *call) asMet() met {
	r := &c.route
	return met{c.id, r.org.ID, r.direction != flow.Internal && r.anchor != "", r.anchor != "", c.began}
}

// metIn is a call of another instance as its snapshot shows it.
func metIn(k handover.Snapshot) met {
	return met{k.Call, k.Organisation, k.Direction != flow.Internal && k.Anchor != "", k.Anchor != "", k.Began}
}

// givesWayTo reports whether a call dissolves into another one that it meets. A call
// with an outside party never does: two outside parties keep one file each. Of two
// internal calls the one that began later does.
func (m met) givesWayTo(other met) bool {
	switch {
	case m.org != other.org, m.call == other.call, m.outside, !other.anchored:
		return false
	case other.outside:
		return true
	}
	return m.began.After(other.began) || m.began.Equal(other.began) && m.call > other.call
}

// talks finds the calls that meet.
type talks struct{ ctl *Controller }

// heldBy returns the live call that a leg holds: the leg is its anchor, or its
// first leg while there is no anchor. It returns nil if there is none.
func (t talks) heldBy(uuid string) *call {
	if c := t.ctl.callOf(uuid); c != nil && !c.rec.Gone && !c.line.doubt.open && c.route.holder() == uuid {
		return c
	}
	return nil
}

// meet takes a bridge of two legs each of which may hold a call. The call that gives
// way dissolves. If only one of the calls is followed here, another instance may have
// the other one.
func (t talks) meet(a, b string, now time.Time) {
	one, two := t.heldBy(a), t.heldBy(b)
	switch {
	case one == nil && two == nil:
	case two == nil:
		one.talk.ask(b, now)
	case one == nil:
		two.talk.ask(a, now)
	case one.asMet().givesWayTo(two.asMet()):
		one.talk.dissolveHere(two, now)
	case two.asMet().givesWayTo(one.asMet()):
		two.talk.dissolveHere(one, now)
	}
}

// other is the other live call that is in the same talk and keeps a file of its own;
// nil if there is none.
func (t *talk) other() *call {
	c := t.call
	if other := c.ctl.callAnchored(c.route.peer); other != nil && other != c && !other.rec.Gone {
		return other
	}
	return nil
}

// ask finds out whether the leg that the call meets holds a call of another instance.
// Until the answer is there the call announces nothing, because the leg's variable may
// not be its own to set. It does not ask about legs that can hold no call, and not
// about users who come to an outside party: whatever they hold dissolves.
func (t *talk) ask(leg string, now time.Time) {
	c := t.call
	t.asks, t.theirs = "", ""
	l := c.ctl.legs.get(leg)
	switch {
	case l != nil && l.call == c.id:
		t.joinedUnseen(l, now)
		return
	case c.ctl.cfg.Calls.Alone():
		return
	case c.asMet().outside && l.is(c.route.org.ID):
		t.joinedFromElsewhere(leg, now)
		return
	}
	t.asks = leg
	c.line.send([]esl.Command{esl.API("uuid_getvar", leg, handover.Variable)}, func(replies []esl.Reply, err error, now time.Time) {
		if t.asks != leg || !c.isLive() {
			return
		}
		t.asks = ""
		if err != nil {
			t.theirs = leg // not known: the next connection asks again
			return
		}
		if k, err := handover.Read(replies[0].Text()); err == nil && k.AnsweredOn(leg).Holder() == leg {
			t.meetTheirs(leg, metIn(k.AnsweredOn(leg)), now)
		} else {
			t.joinedFromElsewhere(leg, now)
		}
		if c.isLive() {
			c.keepMarkers(now)
		}
		c.publish(now)
	}, now)
}

// joinedFromElsewhere notes that a user has come with a call of another instance, which
// has dissolved or is about to.
func (t *talk) joinedFromElsewhere(leg string, now time.Time) {
	l := t.call.ctl.legs.get(leg)
	if l.is(t.call.route.org.ID) && l.call != t.call.id && begunBy(leg, l.call) > 0 {
		t.joinedBy(leg, l.call, now)
	}
}

// joinedUnseen notes that a user had come with a call of his own before anybody followed
// this one: only such a leg has the id of this call without having been dialled for it.
func (t *talk) joinedUnseen(l *leg, now time.Time) {
	c := t.call
	known := slices.ContainsFunc(c.trace, func(n recording.Note) bool {
		return n.What == recording.NoteJoined && begunBy(l.uuid, n.Call) > 0
	})
	if l.is(c.route.org.ID) && !l.dialled && l.uuid != c.route.first && !known {
		t.joinedBy(l.uuid, idOf(l.uuid, max(0, l.begun-1)), now)
	}
}

// meetTheirs takes the call of another instance that a leg holds.
func (t *talk) meetTheirs(leg string, other met, now time.Time) {
	switch mine := t.call.asMet(); {
	case mine.givesWayTo(other):
		t.dissolve(other.call, leg, nil, now)
	case other.givesWayTo(mine):
		t.joinedBy(leg, other.call, now)
	case other.call != mine.call:
		t.theirs = leg
	}
}

// hasJoined reports whether it is noted that another call is part of this one.
func (t *talk) hasJoined(call string) bool {
	return slices.ContainsFunc(t.call.trace, func(n recording.Note) bool { return n.What == recording.NoteJoined && n.Call == call })
}

// joinedBy notes once that a user has come with a call of his own, which is part of this
// one from now on.
func (t *talk) joinedBy(leg, call string, now time.Time) {
	c := t.call
	if t.hasJoined(call) {
		return
	}
	c.trace.add(recording.Note{What: recording.NoteJoined, User: c.route.userOn(leg), Call: call}, now)
	c.log.Info("user came with a call of his own: it is part of this one", "other", call)
}

// dissolveHere dissolves the call into another one of this instance, and hands over
// what its user has on the leg.
func (t *talk) dissolveHere(into *call, now time.Time) {
	c, leg := t.call, t.call.route.holder()
	into.talk.joinedBy(leg, c.id, now)
	if c.presses.toClear != "" {
		into.presses.toClear = c.presses.toClear
	}
	t.dissolve(into.id, into.route.anchor, into, now)
	into.route.meet(leg, now)
	into.rethink(now)
}

// dissolve makes the call part of another one, whose anchor its user talks to: into is
// that call's id, and here the call itself if this instance follows it. Nothing more is
// recorded. A file that runs is stopped, and is described when it is closed.
func (t *talk) dissolve(into, with string, here *call, now time.Time) {
	c := t.call
	ctl, leg, busy := c.ctl, c.route.holder(), len(c.line.orders) > 0
	if c.rec.starting { // the event after its mask will not find it any more
		c.rec.starting = false
		c.line.carryOut(c.fact(toggle.Fact{What: toggle.Started}, now), now)
	}
	c.trace.add(recording.Note{What: recording.NoteDissolved, Call: into}, now)
	c.log.Info("user talks in another call: this one is part of it", "other", into, "file", c.rec.File.String())
	c.timers.stop()
	c.presses.yield()
	delete(ctl.calls, c.id)
	delete(ctl.relays, c.id)
	ctl.dissolved[c.id] = c
	c.count()
	if l := ctl.legs.get(leg); l != nil {
		l.call = into
	}
	t.asks = ""
	send := append(t.letGo(with, now), esl.SetVar(leg, handover.Variable, ""), esl.SetVar(leg, "tapedeck_call", into))
	if here == nil {
		send = append(send, esl.SendEvent("CUSTOM", esl.Header{Name: "Event-Subclass", Value: dissolvedSubclass},
			esl.Header{Name: "Tapedeck-Call", Value: into}, esl.Header{Name: "Tapedeck-Dissolved", Value: c.id}, esl.Header{Name: "Tapedeck-Leg", Value: leg}))
	}
	c.ownership.save(now) // a Tapedeck that comes after this one knows it from the draft
	c.line.send(send, func(_ []esl.Reply, _ error, now time.Time) {
		if busy && here != nil && here.isLive() && here.route.peer == leg { // what was on its way to the leg may have come late
			here.announced.again(now)
		}
		c.followUp(now)
	}, now)
	c.line.carryOut(c.fact(toggle.Fact{What: toggle.Dissolved}, now), now)
	c.followUp(now)
}

// dissolvedSubclass is the subclass of the event that tells the owner of a call that a
// call of another instance has become part of it.
const dissolvedSubclass = "tapedeck::dissolved"

// dissolvedElsewhere takes that event. What the other instance had told the leg may have
// come after what this one has: the leg is told again. And when this one asked about the
// leg, it may not have been known yet that it held a call.
func (t talks) dissolvedElsewhere(ev channelData, now time.Time) {
	if c := t.ctl.calls[ev.Get("Tapedeck-Call")]; c != nil {
		if leg, of := ev.Get("Tapedeck-Leg"), ev.Get("Tapedeck-Dissolved"); of != "" {
			c.talk.joinedBy(leg, of, now)
		}
		c.announced.again(now)
	}
}

// letGo are the commands that tell a phone and the lamps that the call is not with them
// any more. The leg that its user talks to now, and his own lamp, are the other
// call's.
func (t *talk) letGo(with string, now time.Time) (send []esl.Command) {
	c := t.call
	if before := c.route.peer; before != "" && before != with {
		c.route.leave(before, now)
		send = append(c.announced.forsaken(before), c.announced.lampCommands()...)
	}
	c.announced.forgetLamps()
	return send
}

// followed returns the call with this id, if it is live here or its files are being
// closed after it has dissolved; nil if not.
func (t talks) followed(id string) *call { return cmp.Or(t.ctl.calls[id], t.ctl.dissolved[id]) }

// isDissolved reports whether the call is part of another one, and its file is not
// closed yet.
func (c *call) isDissolved() bool { return c.ctl.dissolved[c.id] == c }

// conclude ends a call that has dissolved when its file is closed. A command that
// failed is sent again until the file does not run any more. A file that was armed may
// have started just before it was disarmed: its RECORD_START is waited for.
func (t *talk) conclude(now time.Time) {
	c, p := t.call, t.call.files.Last()
	runs := !c.rec.Gone && c.rec.File >= toggle.Armed && c.rec.File < toggle.Closed
	timers := &c.timers
	switch {
	case c.rec.Pending != toggle.None || len(c.line.orders) > 0:
	case runs && c.rec.Held && !timers.retry.running():
		timers.retry.start(c.ctl, retryAfter, timers.tryAgain)
	case runs:
	case p.Began.IsZero() && (!c.rec.Doomed || c.rec.Problems&toggle.NotStarted != 0), !p.Stopped.IsZero():
		c.end(now)
	case !timers.closing.running():
		timers.closing.start(c.ctl, startDeadline, c.end)
	}
	if into := c.ctl.callOn(c.route.holder()); into != nil {
		into.announced.send(now)
	}
}

// dissolving reports whether the leg holds a call that is part of another one by now,
// and whose file may still be written.
func (t talks) dissolving(leg string) bool {
	for _, c := range t.ctl.dissolved {
		if c.route.holder() == leg && c.rec.Status() == toggle.On {
			return true
		}
	}
	return false
}
