package call

import (
	"slices"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl"
)

// A call has one owner among several Tapedecks. A leg of a call that another instance
// owns may reach our socket all the same. Then the leg itself notifies the owner, by
// an event with its channel data, and we do only what depends on the organisation
// alone. If the owner is dead, the instance that takes the call over has the event,
// too.

// enteredSubclass is the subclass of that event. The header relayHeader gives each
// event an id of its own.
const (
	enteredSubclass = "tapedeck::entered"
	relayHeader     = "Tapedeck-Relay"
)

// relay notifies the owner of a leg that entered here.
func (ctl *Controller) relay(s handover.Snapshot, e entry, now time.Time) turn {
	org := ctl.cfg.Policy().Organisations[s.Organisation]
	if org == nil {
		ctl.cfg.Log.Warn("call of an organisation that the policy does not have: left alone", "call", s.Call)
		return leave()
	}
	ctl.cfg.Log.Info("call belongs to another instance: its owner is notified", "call", s.Call, "owner", s.Owner)
	r := &route{org: org, direction: s.Direction, first: s.First}
	id := reports{ctl}.newID()
	ctl.relays.add(s.Call, relayed{id, e, now})
	return leave(reports{ctl}.commands(r, e, id)...)
}

// relays are the legs that entered at an instance which did not own their call, by
// call. They are kept for a while, in case the call becomes ours.
type relays map[string][]relayed

// relayed is one such leg, with the id of its event and its time.
type relayed struct {
	id    string
	entry entry
	at    time.Time
}

// relayedLife is how long a relayed leg is kept for a call that has no owner yet.
const relayedLife = 10 * time.Second

// add keeps a relayed leg, unless it is kept already.
func (r relays) add(call string, one relayed) {
	if !slices.ContainsFunc(r[call], func(kept relayed) bool { return kept.id == one.id }) {
		r[call] = append(r[call], one)
	}
}

// forget forgets the legs of calls that were not taken over in time.
func (r relays) forget(now time.Time) {
	for id, entered := range r {
		if now.Sub(entered[len(entered)-1].at) > relayedLife {
			delete(r, id)
		}
	}
}

// enteredElsewhere takes the event of a leg that entered at another instance. If the
// call is ours, the leg is entered into it.
func (ctl *Controller) enteredElsewhere(switchName string, ev *esl.Event, now time.Time) {
	e, id := readEntry(ctl.cfg.Policy(), ev), ev.Get(relayHeader)
	s, err := snapshotOf(e)
	here := reports{ctl}.isOurs(id)
	c := ctl.calls[s.Call]
	if c == nil && here {
		c = ctl.callOf(e.leg)
	}
	if c == nil && err != nil && !here {
		ctl.cfg.Log.Warn("leg that entered at another instance: snapshot not read", "leg", e.leg, "error", err)
		return
	}
	if ctl.legs.get(e.leg) == nil {
		ctl.created(switchName, e.leg, ev, now)
	}
	if c != nil && c.line.doubt.open { // the event has what FreeSWITCH would be asked
		c.line.doubt.settle(ev, now)
		c.line.doubt.meet(now)
		if !c.isLive() {
			c = nil
		}
	}
	rooms{ctl}.move(e.leg, "", now) // a leg in the dialplan is in no room, and listens to nobody
	eavesdropping{ctl}.end(e.leg, now)
	if c != nil {
		c.answeredBefore(e, now)
	}
	at := ctl.switches.when(switchName, ev, now)
	switch begins := here && (err != nil || s.Holder() != e.leg || ctl.takeover.isOver(s)); {
	case c != nil && (c.route.has(e.leg) && !c.rec.Gone || !begins):
		c.absence.enterRelayed(e, at, now)
	case begins:
		reports{ctl}.begin(e, ctl.legs.peerOf(e.leg), now)
	default:
		ctl.relays.add(s.Call, relayed{id, e, at})
	}
}

// enterRelayed does over the watch link what the socket would have done.
func (a *absence) enterRelayed(e entry, at, now time.Time) {
	c := a.call
	c.route.room.talksOutside()
	if !c.rec.Gone && c.route.isToggleTransfer(e) {
		c.pressedByTransfer(e, now)
		return
	}
	el, err := readElement(c.ctl.cfg.Policy(), c.route.org, e.hint)
	if e.hint != "" && (err != nil || at.After(c.ownership.relaysRead) || !slices.Contains(c.ownership.relaysEntered, el.String())) {
		c.enterElement(e.hint, now)
		c.ownership.relayLegs.add(e.leg)
		c.ownership.relaysEntered = append(c.ownership.relaysEntered, el.String())
	}
	c.rethink(now)
}

// takeRelays takes what entered at other instances while the call had no owner. It
// enters the elements now: whoever talks now came after them. It returns the
// presses, for when it is known who is on the call.
func (a *absence) takeRelays(since time.Time, s survey.Survey, now time.Time) (presses []entry) {
	c := a.call
	noted := slices.ContainsFunc(c.route.notedOn(), func(leg string) bool { return s.Variable(leg, handover.RelayedVariable) != "" })
	for _, r := range c.ctl.relays[c.id] {
		switch {
		case !r.at.After(since): // the previous owner has taken it
		case c.route.isToggleTransfer(r.entry):
			presses = append(presses, r.entry)
		case r.entry.hint != "" && !noted:
			c.enterElement(r.entry.hint, now)
		}
	}
	c.absence.catchUpRelays(s, now)
	delete(c.ctl.relays, c.id)
	return presses
}
