package call

import (
	"strconv"
	"time"

	"tapedeck/call/files"
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// Events are what a watch link has to subscribe to.
var Events = []string{"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
	"CHANNEL_HANGUP_COMPLETE", "RECORD_START", "RECORD_STOP", "MEDIA_BUG_STOP", "PRESENCE_PROBE",
	armedSubclass, toggleSubclass, enteredSubclass, adoptedSubclass}

// Watched takes an event of a switch's watch link. The link calls it in the order of
// the events; it waits while the Controller is busy.
func (ctl *Controller) Watched(switchName string, ev *esl.Event) {
	came := time.Now()
	ctl.post(func(now time.Time) {
		ctl.switches.compare(switchName, ev, came)
		ctl.event(switchName, ev, now)
	})
}

// event hands an event to whom it is about.
func (ctl *Controller) event(switchName string, ev *esl.Event, now time.Time) {
	ctl.cfg.Meter.Event(ev.Name())
	uuid := ev.Get("Unique-ID")
	switch ev.Name() {
	case "CHANNEL_CREATE":
		ctl.created(switchName, uuid, ev, now)
	case "CHANNEL_ANSWER":
		ctl.channelAnswered(switchName, uuid, ev, now)
	case "CHANNEL_BRIDGE":
		ctl.legs.learnRate(uuid, ev)
		ctl.bridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"), now)
	case "CHANNEL_UNBRIDGE":
		if c := ctl.callAnchored(uuid); c != nil && hasHungUp(ev) {
			c.fact(toggle.Fact{What: toggle.HungUp}, now)
		}
		ctl.unbridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"), now)
	case "RECORD_START":
		if file := ev.Get("Record-File-Path"); isMarker(file) {
			ctl.markerStarted(uuid, file, ev, now)
		} else {
			ctl.recordStarted(switchName, uuid, ev, now)
		}
	case "RECORD_STOP":
		if isMarker(ev.Get("Record-File-Path")) {
			ctl.markerStopped(uuid, ev, now)
		} else {
			ctl.recordStopped(switchName, uuid, ev, now)
		}
	case "MEDIA_BUG_STOP":
		if c := ctl.callOn(uuid); c != nil {
			c.disclaimer.stopped(uuid, ev, now)
		}
	case "PRESENCE_PROBE":
		ctl.probed(switchName, ev, now)
	case "CUSTOM":
		ctl.custom(switchName, uuid, ev, now)
	case "CHANNEL_HANGUP_COMPLETE":
		ctl.hungUp(uuid, now)
	}
}

// custom hands on the events that we make ourselves.
func (ctl *Controller) custom(switchName, uuid string, ev *esl.Event, now time.Time) {
	switch ev.Subclass() {
	case armedSubclass:
		if c := ctl.callAnchored(uuid); c != nil {
			c.armedDone(now)
		}
	case toggleSubclass:
		ctl.codePressed(uuid, now)
	case enteredSubclass:
		ctl.enteredElsewhere(switchName, ev, now)
	case adoptedSubclass:
		ctl.takeover.adoptedElsewhere(ev)
	}
}

// created: a leg that FreeSWITCH dials carries the call that it is for. One that has
// been on the socket already is known better than the event knows it.
func (ctl *Controller) created(switchName, uuid string, data channelData, now time.Time) {
	if !ctl.legs.isNew(uuid) {
		return
	}
	l := ctl.legs.add(&leg{uuid: uuid, switchName: switchName, call: data.Variable("tapedeck_call"), dialled: isDialled(data)})
	if org, id := userOf(ctl.cfg.Policy(), data); id != "" {
		l.user = user{org.ID, id, domainOf(data)}
	}
	if c := ctl.calls[l.call]; c != nil && l.dialled && data.Get("Answer-State") != "answered" {
		c.route.ringing[uuid] = true
		c.rethink(now)
	}
}

// channelAnswered: the leg was answered. Its beginning may not have been told, if
// the watch link was away.
func (ctl *Controller) channelAnswered(switchName, uuid string, ev *esl.Event, now time.Time) {
	if ctl.legs.isNew(uuid) {
		ctl.created(switchName, uuid, ev, now)
		if c := ctl.callOf(uuid); c != nil && ctl.legs.get(uuid).dialled {
			c.route.ringing[uuid] = true
		}
	}
	ctl.legs.learnRate(uuid, ev)
	if l := ctl.legs.get(uuid); l != nil {
		l.answered = true
	}
	if c := ctl.callOf(uuid); c != nil {
		c.answered(uuid, now)
	}
}

// bridged: two legs talk. Either may be the anchor of a call, and after an attended
// transfer both may be.
func (ctl *Controller) bridged(a, b string, now time.Time) {
	ctl.legs.bridge(a, b)
	ctl.legs.bridge(b, a)
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if c := ctl.callAnchored(pair[0]); c != nil {
			c.joined(pair[1], now)
		}
	}
}

// unbridged: two legs do not talk any more.
func (ctl *Controller) unbridged(a, b string, now time.Time) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		this, other := pair[0], pair[1]
		ctl.legs.unbridge(this, other)
		if c := ctl.callAnchored(this); c != nil && c.route.peer == other {
			c.left(other, now)
		}
	}
}

// recordStarted takes RECORD_START of a call's own file.
func (ctl *Controller) recordStarted(switchName, uuid string, ev *esl.Event, now time.Time) {
	c, p := ctl.recordedFile(uuid, ev)
	if c == nil {
		return
	}
	p.Made, _ = madeAt(ev)
	p.Begin(ctl.switches.when(switchName, ev, now))
	if p == c.files.Last() { // otherwise it was given up, and begins after all
		c.started(uuid, now)
	}
}

// recordStopped takes RECORD_STOP of a call's own file: it ends with the leg, or
// before it because somebody stopped it or it could not be written.
func (ctl *Controller) recordStopped(switchName, uuid string, ev *esl.Event, now time.Time) {
	c, p := ctl.recordedFile(uuid, ev)
	if c == nil {
		return
	}
	if !p.Made.IsZero() { // how the clocks stand is known better by now
		p.Begin(ctl.switches.ours(switchName, p.Made, now))
	}
	ms, err := strconv.Atoi(ev.Variable("record_ms"))
	if err != nil {
		ms = 0
	}
	p.End(ctl.switches.when(switchName, ev, now), ms)
	if p != c.files.Last() {
		return
	}
	if hasHungUp(ev) {
		c.fact(toggle.Fact{What: toggle.HungUp}, now)
	}
	switch cause := ev.Get("Record-Completion-Cause"); cause { // switch_ivr_async.c, set_completion_cause
	case "uri-failure", "media-failure":
		c.fault(p, recording.Disk, "FreeSWITCH could not write the file: "+cause, now)
	case "empty-file": // not one packet came: it is deleted
		p.Empty()
	}
	c.happened(toggle.Fact{What: toggle.Stopped}, now)
}

// recordedFile is the live call's own file that the event is about; nil if it is
// about none.
func (ctl *Controller) recordedFile(uuid string, ev *esl.Event) (*call, *files.Part) {
	c := ctl.calls[ev.Get("Recording-Variable-tapedeck_call")]
	if c == nil {
		c = ctl.callOf(uuid)
	}
	if c == nil {
		return nil, nil
	}
	p := c.files.Find(ev.Get("Record-File-Path"))
	if p == nil {
		return nil, nil
	}
	return c, p
}

// hasHungUp reports whether the event's leg is on its way out.
func hasHungUp(ev *esl.Event) bool { return ev.Get("Answer-State") == "hangup" }

// hungUp: the call ends with its anchor; before there is one, with the leg that
// brought it.
func (ctl *Controller) hungUp(uuid string, now time.Time) {
	if c := ctl.callOf(uuid); c != nil {
		if c.route.has(uuid) {
			c.end(now)
		} else {
			c.left(uuid, now)
		}
	}
	if l := ctl.legs.get(uuid); l != nil {
		if c := ctl.callAnchored(l.peer); c != nil && c.route.peer == uuid { // it came from another call
			c.left(uuid, now)
		}
	}
	ctl.legs.hangUp(uuid, now)
}
