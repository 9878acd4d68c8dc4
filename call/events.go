package call

import (
	"cmp"
	"strconv"
	"time"

	"tapedeck/call/files"
	"tapedeck/call/keyfile"
	"tapedeck/call/who"
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// Events are the events that a watch link has to subscribe to.
var Events = []string{"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_HOLD", "CHANNEL_UNHOLD",
	"CHANNEL_HANGUP_COMPLETE", "RECORD_START", "RECORD_STOP", "MEDIA_BUG_START", "MEDIA_BUG_STOP", "CODEC", "PRESENCE_PROBE", "DTMF",
	armedSubclass, toggleSubclass, enteredSubclass, adoptedSubclass, dissolvedSubclass, roomSubclass, queueSubclass}

// Watched takes an event from the watch link of a switch. The link calls it in the
// order of the events. It waits while the Controller is busy.
func (ctl *Controller) Watched(switchName string, ev *esl.Event) {
	came := time.Now()
	ctl.post(func(now time.Time) {
		if foreign := (foreign{ctl}); foreign.has(switchName, ev) {
			foreign.tell(switchName, ev)
			return
		}
		ctl.switches.compare(switchName, ev, came)
		ctl.event(switchName, ev, now)
	})
}

// event passes an event to the part that it is about.
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
		queues{ctl}.bridged(switchName, ev, now)
		replacements{ctl}.bridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"), ev, now)
		ctl.bridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"), now)
	case "CHANNEL_UNBRIDGE":
		if c := ctl.callAnchored(uuid); c != nil && hasHungUp(ev) {
			c.fact(toggle.Fact{What: toggle.HungUp}, now)
		}
		ctl.unbridged(ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID"), now)
	case "CHANNEL_HOLD", "CHANNEL_UNHOLD":
		queues{ctl}.held(switchName, uuid, ev.Name() == "CHANNEL_HOLD", ev, now)
	case "RECORD_START":
		if file := ev.Get("Record-File-Path"); keyfile.Is(file) {
			ctl.markers.Remove(file)
			ctl.markerStarted(uuid, file, ev, now)
		} else {
			ctl.recordStarted(switchName, uuid, ev, now)
		}
	case "RECORD_STOP":
		if file := ev.Get("Record-File-Path"); keyfile.Is(file) {
			ctl.markers.Remove(file) // FreeSWITCH may have put it there only now (audio_spool_path)
			ctl.markerStopped(uuid, ev, now)
		} else {
			ctl.recordStopped(switchName, uuid, ev, now)
		}
	case "MEDIA_BUG_START", "MEDIA_BUG_STOP":
		if c := ctl.callOn(uuid); c != nil && ev.Name() == "MEDIA_BUG_STOP" {
			c.disclaimer.stopped(uuid, ev, now)
		}
		eavesdropping{ctl}.event(uuid, ev, now)
	case "CODEC":
		ctl.codecChanged(uuid, ev, now)
	case "PRESENCE_PROBE":
		ctl.probed(switchName, ev, now)
	case "DTMF":
		if ev.Get("DTMF-Source") != "APP" { // FreeSWITCH hands on a digit that fits no binding, with an event again
			spellings{ctl}.pressed(uuid, ev.Get("DTMF-Digit"), now)
		}
	case "CUSTOM":
		ctl.custom(switchName, uuid, ev, now)
	case "CHANNEL_HANGUP_COMPLETE":
		ctl.hungUp(uuid, now)
	}
}

// custom passes on the events that Tapedeck makes itself, and those of conferences and queues.
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
	case queueSubclass:
		queues{ctl}.event(switchName, uuid, ev, now)
	case adoptedSubclass:
		ctl.takeover.adoptedElsewhere(ev)
	case dissolvedSubclass:
		talks{ctl}.dissolvedElsewhere(ev, now)
	case roomSubclass:
		rooms{ctl}.event(ev, now)
	}
}

// created takes a new leg. A leg that FreeSWITCH dials carries the id of its call.
// Nothing changes for a leg that is known: its channel data from the socket is newer
// than the event.
func (ctl *Controller) created(switchName, uuid string, data channelData, now time.Time) {
	if !ctl.legs.isNew(uuid) {
		return
	}
	l := ctl.legs.add(&leg{uuid: uuid, switchName: switchName, call: data.Variable("tapedeck_call"), origin: originOf(data)})
	if org, id, domain := who.Of(ctl.cfg.Policy(), data); id != "" {
		l.user = who.User{Org: org.ID, ID: id, Domain: domain}
	} else {
		answerers{ctl}.ask(l, data, now)
	}
	c := ctl.calls[l.call]
	if c != nil && l.dialled {
		answerers{ctl}.unseen(c, l, now)
	}
	if c != nil && l.dialled && data.Get("Answer-State") != "answered" {
		c.route.ringing[uuid] = true
		c.rethink(now)
	}
}

// channelAnswered takes the answer of a leg. If the watch link was down when the leg
// was created, it takes that, too.
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
		l.call = cmp.Or(l.call, ev.Variable("tapedeck_call")) // it entered at another instance
	}
	if c := ctl.callOf(uuid); c != nil {
		c.permits.used(uuid)
		c.answered(uuid, now)
	}
	answerers{ctl}.note(ctl.legs.get(uuid), now)
}

// bridged takes a bridge of two legs. Either leg may be the anchor of a call. If both
// still are when the calls have met, each keeps its own file.
func (ctl *Controller) bridged(a, b string, now time.Time) {
	ctl.legs.bridge(a, b)
	ctl.legs.bridge(b, a)
	for _, uuid := range []string{a, b} { // a profile with suppress-events reports no del-member
		rooms{ctl}.move(uuid, "", now)
		eavesdropping{ctl}.end(uuid, now)
	}
	talks{ctl}.meet(a, b, now)
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if c := ctl.callAnchored(pair[0]); c != nil {
			c.joined(pair[1], now)
			replacements{ctl}.note(pair[1], c)
		}
		answerers{ctl}.note(ctl.legs.get(pair[1]), now)
	}
}

// unbridged takes the end of a bridge.
func (ctl *Controller) unbridged(a, b string, now time.Time) {
	ctl.legs.unbridge(a, b)
	ctl.legs.unbridge(b, a)
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		this, other := pair[0], pair[1]
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
	p.Parties, p.Codec = partiesOf(ev), codecOf(ev)
	p.Made, _ = madeAt(ev)
	if !masked(ev) {
		p.Speech()
	}
	p.Begin(ctl.switches.when(switchName, ev, now))
	if len(p.Edges) == 0 {
		p.Unmasked = !masked(ev)
	}
	if p == c.files.Last() { // an earlier file was given up already
		c.started(uuid, now)
	}
}

// recordStopped takes RECORD_STOP of a call's own file. The cause is the end of the
// leg, a stop command, or a file that could not be written.
func (ctl *Controller) recordStopped(switchName, uuid string, ev *esl.Event, now time.Time) {
	c, p := ctl.recordedFile(uuid, ev)
	if c == nil {
		return
	}
	if p.Parties == nil {
		p.Parties = partiesOf(ev)
	}
	if !p.Made.IsZero() { // the difference of the clocks is known better by now
		p.Begin(ctl.switches.ours(switchName, p.Made, now))
	}
	ms, err := strconv.Atoi(ev.Variable("record_ms"))
	if err != nil {
		ms = 0
	}
	c.files.End(p, ctl.switches.when(switchName, ev, now), ms)
	if p != c.files.Last() {
		return
	}
	if hasHungUp(ev) {
		c.fact(toggle.Fact{What: toggle.HungUp}, now)
	}
	switch cause := ev.Get("Record-Completion-Cause"); cause { // switch_ivr_async.c, set_completion_cause
	case "uri-failure", "media-failure":
		c.fault(p, recording.Disk, "FreeSWITCH could not write the file: "+cause, now)
	case "empty-file": // no packet came: FreeSWITCH has deleted the file
		p.Empty()
	}
	c.happened(toggle.Fact{What: toggle.Stopped}, now)
}

// recordedFile finds the live call and its file that an event is about; nil if it is
// none of ours.
func (ctl *Controller) recordedFile(uuid string, ev *esl.Event) (*call, *files.Part) {
	c := talks{ctl}.followed(ev.Get("Recording-Variable-tapedeck_call"))
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

// hasHungUp reports whether the event's leg is hanging up.
func hasHungUp(ev *esl.Event) bool { return ev.Get("Answer-State") == "hangup" }

// hungUp takes the end of a leg. A call ends with its anchor, and before an anchor
// is known with its first leg.
func (ctl *Controller) hungUp(uuid string, now time.Time) {
	rooms{ctl}.hungUp(uuid, now)
	eavesdropping{ctl}.hungUp(uuid, now)
	if c := ctl.callOf(uuid); c != nil {
		if c.route.has(uuid) {
			c.end(now)
		} else {
			c.left(uuid, now)
		}
	}
	if l := ctl.legs.get(uuid); l != nil {
		if c := ctl.callAnchored(l.peer); c != nil && c.route.peer == uuid { // the leg belongs to another call, or to none
			c.left(uuid, now)
		}
	}
	ctl.legs.hangUp(uuid, now)
}
