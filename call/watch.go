package call

import (
	"errors"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

var errNoLink = errors.New("call: no watch link to the call's FreeSWITCH: name it under switches in the daemon file")

// Events are what a watch link has to subscribe to.
var Events = []string{"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
	"CHANNEL_HANGUP_COMPLETE", "RECORD_START", "RECORD_STOP", "MEDIA_BUG_STOP", "PRESENCE_PROBE",
	armedSubclass, toggleSubclass, enteredSubclass, adoptedSubclass}

// Watched takes an event of a switch's watch link. The link calls it in the
// order of the events; it waits while the Desk is busy.
func (d *Desk) Watched(on string, ev *esl.Event) {
	came := time.Now()
	d.post(func() {
		d.compare(on, ev, came)
		d.event(on, ev)
	})
}

func (d *Desk) event(on string, ev *esl.Event) {
	d.cfg.Meter.Event(ev.Name())
	uuid := ev.Get("Unique-ID")
	switch ev.Name() {
	case "CHANNEL_CREATE":
		d.created(on, uuid, ev)
	case "CHANNEL_ANSWER":
		d.meetLeg(on, uuid, ev)
		d.learnRate(uuid, ev)
		if l := d.legs[uuid]; l != nil {
			l.answered = true
		}
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
			d.recordStarted(on, uuid, ev)
		}
	case "RECORD_STOP":
		if isMarker(ev.Get("Record-File-Path")) {
			d.keyOff(uuid, ev)
		} else {
			d.recordStopped(on, uuid, ev)
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
			d.coded(uuid)
		case enteredSubclass:
			d.enteredElsewhere(on, ev)
		case adoptedSubclass:
			d.adoptedElsewhere(ev)
		}
	case "CHANNEL_HANGUP_COMPLETE":
		d.hungUp(uuid)
	}
}

// created: a leg that FreeSWITCH dials carries the call that it is for. One that
// has been on the socket already is known better than the event knows it.
func (d *Desk) created(on, uuid string, ev headers) {
	if _, late := d.gone[uuid]; late || d.legs[uuid] != nil {
		return
	}
	l := &leg{uuid: uuid, on: on, call: ev.Variable("tapedeck_call"), dialed: isDialled(ev)}
	d.legs[uuid] = l
	if org, user := userOf(d.cfg.Policy(), ev); user != "" {
		l.org, l.user, l.domain = org.ID, user, domainOf(ev)
	}
	if c := d.calls[l.call]; c != nil && l.dialed && ev.Get("Answer-State") != "answered" {
		c.ringing[uuid] = true
		d.rethink(c)
	}
}

// meetLeg takes a leg whose beginning the watch link did not tell: it was away.
func (d *Desk) meetLeg(on, uuid string, ev *esl.Event) {
	if _, late := d.gone[uuid]; late || d.legs[uuid] != nil {
		return
	}
	d.created(on, uuid, ev)
	if c := d.callOf(uuid); c != nil && d.legs[uuid].dialed {
		c.ringing[uuid] = true
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
		if c := d.callAnchored(this); c != nil && c.peer == other {
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
func (d *Desk) recordStarted(on, uuid string, ev *esl.Event) {
	c := d.callRecorded(uuid, ev)
	if c == nil {
		return
	}
	p := c.partOf(ev.Get("Record-File-Path"))
	p.made, _ = madeAt(ev)
	p.begins(d.when(on, ev))
	if p != c.file() { // it was given up, and begins after all
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

// recordStopped: it ends with the leg, or before it because somebody stopped it
// or it could not be written.
func (d *Desk) recordStopped(on, uuid string, ev *esl.Event) {
	c := d.callRecorded(uuid, ev)
	if c == nil {
		return
	}
	p := c.partOf(ev.Get("Record-File-Path"))
	if !p.made.IsZero() { // how the clocks stand is known better by now
		p.begins(d.ours(on, p.made))
	}
	p.ends(d.when(on, ev), ev)
	if p != c.file() {
		return
	}
	if hasHungUp(ev) {
		d.fact(c, toggle.Fact{What: toggle.HungUp})
	}
	switch cause := ev.Get("Record-Completion-Cause"); cause { // switch_ivr_async.c, set_completion_cause
	case "uri-failure", "media-failure":
		d.fault(c, p, recording.Disk, "FreeSWITCH could not write the file: "+cause)
	case "empty-file": // not one packet came: it is deleted
		p.began, p.stopped, p.edges = time.Time{}, time.Time{}, nil
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
	if c == nil || c.partOf(ev.Get("Record-File-Path")) == nil {
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
