package call

import (
	"cmp"
	"slices"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// absence is what happened to a call while nobody listened here: Tapedeck was away,
// the watch link was, or a leg entered at another instance.
type absence struct {
	call         *call
	endMissed    bool // nobody told of the call's end
	firstLegGone bool // its first leg is gone, and whether anybody has answered is not known yet
}

// catchUp takes what FreeSWITCH says now of a call that goes on: that it was
// answered, and by whom if only one can have; what it has passed elsewhere; who is
// on it; whether its file is being written; and what was pressed.
func (a *absence) catchUp(s survey.Survey, now time.Time) {
	c := a.call
	a.catchUpAnswer(s, now)
	a.catchUpRelays(s, now)
	if anchor := c.route.anchor; s.Live[anchor] {
		c.answered(anchor, now)
		c.route.meet(s.Peers[anchor], now)
		a.catchUpKeys(s, now)
		a.catchUpFile(s, now)
		a.catchUpCodes(s)
	}
	c.rethink(now)
	c.line.sendUnsent(now)
}

// catchUpAnswer finds the leg that has answered an outgoing call.
func (a *absence) catchUpAnswer(s survey.Survey, now time.Time) {
	c := a.call
	if c.route.anchor != "" {
		return
	}
	for uuid := range s.Live {
		if l := c.ctl.legs.get(uuid); l != nil && l.call == c.id && l.dialled {
			c.route.ringing[uuid] = true
		}
	}
	if uuid := c.route.onlyAnswered(s.Live); uuid != "" {
		c.answered(uuid, now)
	}
}

// catchUpFile takes what was missed of RECORD_START and RECORD_STOP. A leg that
// cannot say what listens to it has started what was armed.
func (a *absence) catchUpFile(s survey.Survey, now time.Time) {
	c := a.call
	runs, known := s.IsRecording(c.route.anchor, c.files.Last().Path)
	switch is := c.rec.File; {
	case (runs || !known) && is >= toggle.Armed && is < toggle.Open:
		c.rec.starting = false
		c.happened(toggle.Fact{What: toggle.Started}, now)
	case known && !runs && c.rec.Begun && is >= toggle.Open && is < toggle.Closed:
		c.happened(toggle.Fact{What: toggle.Stopped}, now)
	}
}

// missedAfter is how long the events that were on their way may take.
const missedAfter = 300 * time.Millisecond

// catchUpCodes looks for codes that were pressed while nobody listened. They are
// refused aloud: what a late switch would do is not what was asked for when it was
// pressed.
func (a *absence) catchUpCodes(s survey.Survey) {
	c := a.call
	code := c.route.org.OnDemand.DTMF
	for _, uuid := range []string{c.route.peer, c.route.anchor} {
		if code == "" || s.Variable(uuid, lastDigits) != code || uuid == c.route.anchor && c.route.direction != flow.Internal {
			continue
		}
		time.AfterFunc(missedAfter, func() {
			c.ctl.post(func(now time.Time) { a.checkCode(uuid, code, now) })
		})
	}
}

// checkCode asks whether the press has been seen meanwhile.
func (a *absence) checkCode(uuid, code string, now time.Time) {
	c := a.call
	if !c.isLive() {
		return
	}
	c.line.send([]esl.Command{esl.API("uuid_getvar", uuid, lastDigits)}, func(replies []esl.Reply, err error, now time.Time) {
		switch {
		case err != nil || !c.isLive():
		case replies[0].Text() != code:
			c.presses.codeCleared(uuid)
		case c.presses.unclear == uuid:
			a.reportLatePress(uuid, now)
		default:
			c.presses.code = uuid
			a.refuseMissed(toggle.DTMF, uuid, now)
		}
	}, now)
}

// reportLatePress says what came of a press that was taken when the link broke: what was to be
// heard then was not, and FreeSWITCH still has the code.
func (a *absence) reportLatePress(uuid string, now time.Time) {
	c := a.call
	c.presses.unclear, c.presses.code = "", uuid
	c.presses.announce(press{method: toggle.DTMF, leg: uuid, user: c.route.userOn(uuid)}, c.presses.outcome(), now)
	c.line.sendUnsent(now)
}

// missedResult is the result of a press that came too late to be obeyed.
const missedResult = "missed"

// refuseMissed refuses a press that nobody heard.
func (a *absence) refuseMissed(m toggle.Method, uuid string, now time.Time) {
	c := a.call
	p := press{method: m, leg: uuid, user: c.route.userOn(uuid)}
	c.ctl.cfg.Meter.Toggle(string(m), missedResult)
	c.trace.add(recording.Note{What: "pressed", Method: string(m), User: p.user, Result: missedResult}, now)
	c.log.Warn("press while nobody listened: refused", "method", string(m))
	c.presses.announce(p, notPermitted, now)
	c.followUp(now)
}

// catchUpKeys finds out how the phones' markers stand, after events were missed or
// the call was taken over. keepMarkers does the rest.
func (a *absence) catchUpKeys(s survey.Survey, now time.Time) {
	c := a.call
	if !c.route.org.OnDemand.RecordKey {
		return
	}
	for _, uuid := range c.route.keyPhones() {
		l := c.ctl.legs.get(uuid)
		had, file := l.marker.file, cmp.Or(l.marker.file, c.ctl.markerFile(uuid))
		runs, known := s.IsRecording(uuid, file)
		if s.Data[uuid] == nil || !known {
			continue
		}
		switch l.marker.file = ""; {
		case runs && c.rec.Wanted():
			l.marker = marker{file, anySerial}
			c.sendMarker(now, esl.Record(uuid, esl.RecordMask, file))
		case runs, had != "": // its start may be on its way
			c.sendMarker(now, esl.Record(uuid, esl.RecordStop, file))
		}
		if a.keyMissed(runs, s.Variable(uuid, "tapedeck_state")) {
			a.refuseMissed(toggle.RecordKey, uuid, now)
		}
	}
}

// keyMissed reports whether a phone's key was pressed while nobody listened: its
// marker is not as it was when the phone was told how the recording stands, and that
// is still what is wanted.
func (a *absence) keyMissed(runs bool, told string) bool {
	rec := &a.call.rec
	switch toggle.Status(told) {
	case toggle.On:
		return !runs && rec.Wish() == toggle.Speech
	case toggle.Off, toggle.Paused:
		return runs && !rec.Wanted()
	}
	return false
}

// catchUpRelays enters what other instances have noted on the leg while nobody told
// us.
func (a *absence) catchUpRelays(s survey.Survey, now time.Time) {
	c := a.call
	elements := handover.Relayed(s.Variable(c.route.holder(), handover.RelayedVariable))
	if len(elements) == 0 {
		return
	}
	c.lease.relayed, c.lease.caughtUp = c.route.holder(), now
	seen := slices.Clone(c.lease.seen)
	for _, element := range elements {
		if i := slices.Index(seen, element); i >= 0 {
			seen = slices.Delete(seen, i, i+1)
			continue
		}
		c.enterElement(element, now)
		c.lease.seen = append(c.lease.seen, element)
	}
}
