package call

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

var errNoLink = errors.New("call: no watch link to the call's FreeSWITCH: name it under switches in the daemon file")

// Events are what a watch link has to subscribe to.
var Events = []string{"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
	"CHANNEL_HANGUP_COMPLETE", "RECORD_START", "RECORD_STOP", "MEDIA_BUG_STOP", "PRESENCE_PROBE", armedSubclass, toggleSubclass}

// Watched takes an event of a switch's watch link. The link calls it in the
// order of the events; it waits while the Desk is busy.
func (d *Desk) Watched(on string, ev *esl.Event) {
	d.post(func() { d.event(on, ev) })
}

func (d *Desk) event(on string, ev *esl.Event) {
	d.cfg.Meter.Event(ev.Name())
	uuid := ev.Get("Unique-ID")
	switch ev.Name() {
	case "CHANNEL_CREATE":
		d.created(on, uuid, ev)
	case "CHANNEL_ANSWER":
		d.learnRate(uuid, ev)
		d.answered(uuid)
	case "CHANNEL_BRIDGE":
		d.learnRate(uuid, ev)
		d.bridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"))
	case "CHANNEL_UNBRIDGE":
		if c := d.callAnchored(uuid); c != nil && hasHungUp(ev) {
			d.fact(c, toggle.Fact{What: toggle.HungUp})
		}
		d.unbridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"))
	case "RECORD_START":
		if file := ev.Get("Record-File-Path"); isMarker(file) {
			d.keyOn(uuid, file, ev)
		} else {
			d.recordStarted(uuid, ev)
		}
	case "RECORD_STOP":
		if isMarker(ev.Get("Record-File-Path")) {
			d.keyOff(uuid, ev)
		} else {
			d.recordStopped(uuid, ev)
		}
	case "MEDIA_BUG_STOP":
		d.bugStopped(uuid, ev)
	case "PRESENCE_PROBE":
		d.probed(on, ev)
	case "CUSTOM":
		switch ev.Subclass() {
		case armedSubclass:
			d.armedDone(uuid)
		case toggleSubclass:
			d.pressedOn(uuid, toggle.DTMF, toggle.Turn)
		}
	case "CHANNEL_HANGUP_COMPLETE":
		d.hungUp(uuid)
	}
}

// created: a leg that FreeSWITCH dials carries the call that it is for. One that
// has been on the socket already is known better than the event knows it.
func (d *Desk) created(on, uuid string, ev *esl.Event) {
	if _, late := d.gone[uuid]; late || d.legs[uuid] != nil {
		return
	}
	l := &leg{uuid: uuid, on: on, call: ev.Variable("tapedeck_call"), dialed: isDialled(ev)}
	d.legs[uuid] = l
	if org, user := userOf(d.cfg.Policy(), ev); user != "" {
		l.org, l.user, l.domain = org.ID, user, domainOf(ev)
	}
	if c := d.calls[l.call]; c != nil && l.dialed {
		c.ringing[uuid] = true
		d.rethink(c)
	}
}

// answered: the leg may be the one that is recorded. Of an outgoing call it is
// the leg that the outside party answers.
func (d *Desk) answered(uuid string) {
	c := d.callOf(uuid)
	if c == nil {
		return
	}
	if c.anchor == "" && uuid != c.first && c.ringing[uuid] {
		c.anchor = uuid
		d.disarmFirst(c)
	}
	if uuid != c.anchor || c.rec.Answered {
		return
	}
	delete(c.ringing, uuid)
	d.happened(c, toggle.Fact{What: toggle.Answered})
	d.rethink(c)
}

// bridged: two legs talk. Either may be the anchor of a call, and after an
// attended transfer both may be.
func (d *Desk) bridged(a, b string) {
	d.pair(a, b)
	d.pair(b, a)
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if c := d.callAnchored(pair[0]); c != nil {
			c.joins(pair[1], d.legs[pair[1]])
			d.rethink(c)
		}
	}
}

// pair notes with whom a leg talks.
func (d *Desk) pair(uuid, peer string) {
	if l := d.legs[uuid]; l != nil {
		l.peer = peer
	}
}

func (d *Desk) unbridged(a, b string) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		this, other := pair[0], pair[1]
		if l := d.legs[this]; l != nil && l.peer == other {
			l.peer = ""
		}
		if c := d.callAnchored(this); c != nil && (c.peer == other || c.unseen) {
			c.unseen = false
			d.left(c, other)
		}
	}
}

func (d *Desk) left(c *call, uuid string) {
	c.leaves(uuid)
	d.rethink(c)
}

// recordStarted: of the call's own file. One that begins masked is taken as
// started when the mask has run too.
func (d *Desk) recordStarted(uuid string, ev *esl.Event) {
	c := d.callRecorded(uuid, ev)
	if c == nil {
		return
	}
	c.anchor = uuid
	d.happened(c, toggle.Fact{What: toggle.Answered})
	if c.rec.File == toggle.ArmedMasked && c.rec.Wish() == toggle.Speech { // an unmask could come before the mask
		c.starting = true
		return
	}
	d.happened(c, toggle.Fact{What: toggle.Started})
}

// armedDone: everything that the answer runs has run.
func (d *Desk) armedDone(uuid string) {
	if c := d.callAnchored(uuid); c != nil && c.starting {
		c.starting = false
		d.happened(c, toggle.Fact{What: toggle.Started})
	}
}

// startDue: RECORD_START should have come by now. If it has and the event after
// it has not, the mask is in doubt, and Started makes toggle see to it.
func (d *Desk) startDue(c *call) {
	what := toggle.Overdue
	if c.starting {
		what = toggle.Started
	}
	c.starting = false
	d.happened(c, toggle.Fact{What: what})
}

// recordStopped: it ends with the leg, or before it because somebody stopped it.
func (d *Desk) recordStopped(uuid string, ev *esl.Event) {
	c := d.callRecorded(uuid, ev)
	if c == nil {
		return
	}
	if hasHungUp(ev) {
		d.fact(c, toggle.Fact{What: toggle.HungUp})
	}
	d.happened(c, toggle.Fact{What: toggle.Stopped})
}

// hasHungUp reports whether the event's leg is on its way out.
func hasHungUp(ev *esl.Event) bool { return ev.Get("Answer-State") == "hangup" }

// callRecorded is the live call whose own file the event is about.
func (d *Desk) callRecorded(uuid string, ev *esl.Event) *call {
	c := d.calls[ev.Get("Recording-Variable-tapedeck_call")]
	if c == nil {
		c = d.callOf(uuid)
	}
	if c == nil || ev.Get("Record-File-Path") != c.path {
		return nil
	}
	return c
}

// hungUp: the call ends with its anchor; before there is one, with the leg that
// brought it.
func (d *Desk) hungUp(uuid string) {
	if c := d.callOf(uuid); c != nil {
		switch {
		case uuid == c.anchor, c.anchor == "" && uuid == c.first:
			d.end(c)
		default:
			d.left(c, uuid)
		}
	}
	if l := d.legs[uuid]; l != nil {
		if c := d.callAnchored(l.peer); c != nil && c.peer == uuid { // it came from another call
			d.left(c, uuid)
		}
	}
	delete(d.legs, uuid)
	d.gone[uuid] = time.Now()
}

// callOf is the live call that a leg belongs to.
func (d *Desk) callOf(uuid string) *call {
	if l := d.legs[uuid]; l != nil {
		return d.calls[l.call]
	}
	return nil
}

// callAnchored is the live call whose recorded leg this is.
func (d *Desk) callAnchored(uuid string) *call {
	if c := d.callOf(uuid); c != nil && c.anchor == uuid {
		return c
	}
	return nil
}

// Connected takes a watch link's (re)connection: it learns which FreeSWITCH that
// is and which legs are gone since.
func (d *Desk) Connected(ctx context.Context, on string, conn Switch) error {
	known := map[string]bool{} // a leg that comes after this is live, whatever the list says
	d.ask(ctx, func() {
		for uuid := range d.legs {
			known[uuid] = true
		}
	})
	replies, err := conn.SendAll(ctx, []esl.Command{esl.API("global_getvar", "core_uuid"), esl.API("show", "channels", "as", "json")})
	if err != nil {
		return err
	}
	live, err := readLegs(replies[1].Text())
	if err != nil {
		return err
	}
	core := replies[0].Text()
	d.ask(ctx, func() { d.connected(on, core, known, live) })
	return nil
}

// connected ends what is gone, of the legs that were known before the list was
// made, and what is left gets commands again. What entered before it was known
// which switch has that core is that switch's from now on.
func (d *Desk) connected(on, core string, known map[string]bool, live liveLegs) {
	d.cores[core] = on
	for _, c := range d.calls {
		if c.on == "" && c.core == core {
			c.on = on
		}
		if c.on == on {
			c.doubt(live)
		}
	}
	for uuid, l := range d.legs {
		if l.on == "" && l.core == core {
			l.on = on
		}
		if l.on == on && known[uuid] && !live.has(uuid) {
			d.hungUp(uuid)
		}
	}
	for _, c := range d.calls {
		if c.on == on {
			if c.direction == flow.Outbound && c.anchor != "" { // it may have been lost with the link
				d.disarmFirst(c)
			}
			d.catchUp(c, live)
		}
	}
}

// readLegs reads `show channels as json`; without channels there are no rows.
func readLegs(text string) (liveLegs, error) {
	var shown struct {
		Rows []struct {
			UUID      string `json:"uuid"`
			CallState string `json:"callstate"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		return nil, errors.New("call: show channels: FreeSWITCH did not answer in JSON: load mod_commands")
	}
	live := make(liveLegs, len(shown.Rows))
	for _, r := range shown.Rows {
		live[r.UUID] = slices.Contains([]string{"ACTIVE", "HELD", "UNHELD"}, r.CallState) // switch_channel.c, CALLSTATE_CHART
	}
	return live, nil
}

// switchOf is the switch that an entering leg is on. With one switch it is that
// one, even before its watch link has said who it is.
func (d *Desk) switchOf(e entry) string {
	if name, ok := d.cores[e.core]; ok {
		return name
	}
	if len(d.cfg.Switches) == 1 {
		for name := range d.cfg.Switches {
			return name
		}
	}
	return ""
}
