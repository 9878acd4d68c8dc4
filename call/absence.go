package call

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// absence is what a call has missed while this instance did not follow it: Tapedeck
// or the watch link was down, or a leg entered at another instance.
type absence struct {
	call         *call
	endMissed    bool     // its end was found by a survey; no event reported it
	firstLegGone bool     // its first leg is gone, and it is not known yet whether anybody has answered
	checking     []string // the legs on which a code was found that is being checked
	keyUnsure    bool     // a phone may not have been sent its marker or its state: they say nothing about its Record key
}

// catchUp takes from a survey what a live call has missed: its answer (if only one
// leg can have answered), elements entered at other instances, who is on the call,
// whether its file is being written, and presses. If its user talks in another call
// now, it has dissolved afterwards.
func (a *absence) catchUp(s survey.Survey, now time.Time) {
	c := a.call
	a.catchUpAnswer(s, now)
	a.catchUpRelays(s, now)
	if holder := c.route.holder(); s.Peers[holder] != "" {
		talks{c.ctl}.meet(holder, s.Peers[holder], now)
	}
	if c.isDissolved() {
		return
	}
	if anchor := c.route.anchor; s.Live[anchor] {
		if c.ctl.callOf(anchor) == c {
			c.answered(anchor, now)
		}
		c.route.meet(s.Peers[anchor], now)
		a.catchUpWait(s, now)
		a.catchUpKeys(s, now)
		a.catchUpFile(s, now)
		if data := s.Data[anchor]; data != nil {
			c.codecIs(codecOf(data), now)
		}
		a.catchUpCodes(s)
	}
	c.rethink(now)
	c.line.sendUnsent(now)
}

// catchUpStart takes a missed answer and RECORD_START of a leg that talks to another one
// now: if its call dissolves, the file must be stopped.
func (a *absence) catchUpStart(s survey.Survey, now time.Time) {
	if c := a.call; s.Peers[c.route.anchor] != "" && c.ctl.callOf(c.route.anchor) == c {
		c.answered(c.route.anchor, now)
		a.catchUpFile(s, now)
	}
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
	if uuid := c.route.onlyAnswered(s.Live); uuid != "" && c.ctl.callOf(uuid) == c { // a leg that rings may begin a call of its own
		c.answered(uuid, now)
	}
}

// catchUpFile takes a missed RECORD_START or RECORD_STOP. If the survey does not
// know what is recording the leg, what was armed counts as started.
func (a *absence) catchUpFile(s survey.Survey, now time.Time) {
	c := a.call
	runs, known := s.IsRecording(c.route.anchor, c.files.Last().Path)
	switch is := c.rec.File; {
	case (runs || !known) && is >= toggle.Armed && is < toggle.Open:
		c.rec.starting = false
		a.hearStart(s)
		c.happened(toggle.Fact{What: toggle.Started}, now)
	case known && !runs && c.rec.Begun && is >= toggle.Open && is < toggle.Closed:
		c.happened(toggle.Fact{What: toggle.Stopped}, now)
	}
}

// hearStart takes from a survey whether the answer, which was missed, has started the
// file with speech.
func (a *absence) hearStart(s survey.Survey) {
	if data := s.Data[a.call.route.anchor]; data != nil {
		a.call.files.Last().Unmasked = !masked(data)
	}
}

// missedAfter is how long a press that was found on a leg may still come as an
// event.
const missedAfter = 300 * time.Millisecond

// catchUpCodes looks for codes that were pressed while this instance did not listen.
// It refuses them aloud: the recording may have changed since, so a late press could
// do the opposite of what the person wanted.
func (a *absence) catchUpCodes(s survey.Survey) {
	for _, uuid := range a.codeLegs() {
		a.codeFound(uuid, s.Variable(uuid, lastDigits))
	}
}

// codeLegs are the legs on which a code may have been pressed unseen.
func (a *absence) codeLegs() (legs []string) {
	c := a.call
	if c.route.org.OnDemand.DTMF == "" {
		return nil
	}
	if c.route.peer != "" {
		legs = append(legs, c.route.peer)
	}
	if c.route.direction == flow.Internal {
		legs = append(legs, c.route.anchor)
	}
	return append(legs, c.route.room.serves...)
}

// codeFound checks, a little later, a code that was found on a leg: its event may
// still be on its way. digits is what FreeSWITCH has as the last code of the leg.
func (a *absence) codeFound(uuid, digits string) {
	c := a.call
	code := c.route.org.OnDemand.DTMF
	if digits != code || slices.Contains(a.checking, uuid) {
		return
	}
	a.checking = append(a.checking, uuid)
	a.checkAfter(missedAfter, uuid, code, codeAsks)
}

// leaveToOther leaves a press to another instance, which clears the code. If it does not, it
// may be dead, and nobody has taken the press: then it is refused.
func (a *absence) leaveToOther(p press) {
	if p.method != toggle.DTMF {
		return
	}
	ps := &a.call.presses
	if ps.toClear == p.leg {
		ps.toClear = ""
	}
	a.codeFound(p.leg, a.call.route.org.OnDemand.DTMF)
}

// codeAsks is how often FreeSWITCH is asked whether a code is still on a leg, if it does
// not answer.
const codeAsks = 10

func (a *absence) checkAfter(wait time.Duration, uuid, code string, asks int) {
	ctl := a.call.ctl
	time.AfterFunc(wait, func() { ctl.post(func(now time.Time) { a.checkCode(uuid, code, asks, now) }) })
}

// checkCode refuses a code that is still on the leg, unless its press has been taken
// meanwhile. If FreeSWITCH does not answer, and the link stays up, it is asked again;
// after a lost link the next connection finds the code.
func (a *absence) checkCode(uuid, code string, asks int, now time.Time) {
	c := a.call
	if !c.isLive() {
		return
	}
	c.line.send([]esl.Command{esl.API("uuid_getvar", uuid, lastDigits)}, func(replies []esl.Reply, err error, now time.Time) {
		if asks > 1 && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, esl.ErrStalled)) {
			a.checkAfter(retryAfter, uuid, code, asks-1)
			return
		}
		a.checking = slices.DeleteFunc(a.checking, func(leg string) bool { return leg == uuid })
		switch {
		case err != nil || !c.isLive():
		case replies[0].Text() != code:
			c.presses.codeCleared(uuid)
		case c.presses.clearing == uuid:
			a.reportLatePress(uuid, now)
		default: // cleared here: a second phone may have one, too
			c.line.send([]esl.Command{esl.SetVar(uuid, lastDigits, "")}, ignored, now)
			a.refuseMissed(toggle.DTMF, uuid, now)
		}
	}, now)
}

// reportLatePress announces the result of a press that was taken just before the
// link broke. Its prompt was lost with the link, and FreeSWITCH still has the code.
func (a *absence) reportLatePress(uuid string, now time.Time) {
	c := a.call
	c.presses.clearing, c.presses.toClear = "", uuid
	c.presses.announce(press{method: toggle.DTMF, leg: uuid, user: c.route.userOn(uuid)}, c.presses.outcomeNow(), now)
	c.line.sendUnsent(now)
}

// missedResult is the result of a press that came too late to be obeyed.
const missedResult = recording.ResultMissed

// refuseMissed refuses a press that came while this instance did not listen.
func (a *absence) refuseMissed(m toggle.Method, uuid string, now time.Time) {
	c := a.call
	p := press{method: m, leg: uuid, user: c.route.userOn(uuid)}
	c.ctl.cfg.Meter.Toggle(string(m), missedResult)
	c.trace.add(recording.Note{What: recording.NotePressed, Method: string(m), User: p.user, Result: missedResult}, now)
	c.log.Warn("press while nobody listened: refused", "method", string(m))
	c.presses.announce(p, notPermitted, now)
	c.followUp(now)
}

// catchUpKeys finds out which markers run on the phones. keepMarkers then starts and
// stops them, and announced sends the state again.
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
		case runs, had != "": // its start may still be on its way
			c.sendMarker(now, esl.Record(uuid, esl.RecordStop, file))
		}
		if !a.keyUnsure && a.keyMissed(runs, s.Variable(uuid, "tapedeck_state")) {
			a.refuseMissed(toggle.RecordKey, uuid, now)
		}
	}
	a.keyUnsure = false
}

// keyMissed reports whether a phone's Record key was pressed unseen: its marker does
// not fit the state that the phone was sent last, and that state is still wanted.
func (a *absence) keyMissed(runs bool, sentState string) bool {
	rec := &a.call.rec
	switch toggle.Status(sentState) {
	case toggle.On:
		return !runs && rec.Wish() == toggle.Speech
	case toggle.Off, toggle.Paused:
		return runs && !rec.Wanted()
	}
	return false
}

// catchUpRelays enters the elements that are noted on the recorded leg and that have not
// been entered yet. Of an outgoing call those are noted on the leg that called which it
// entered before its answer.
func (a *absence) catchUpRelays(s survey.Survey, now time.Time) {
	c := a.call
	var elements []string
	for _, leg := range c.route.notedOn() {
		if noted := handover.Relayed(s.Variable(leg, handover.RelayedVariable)); len(noted) > 0 {
			elements = append(elements, noted...)
			c.ownership.relayLegs.add(leg)
			c.ownership.relaysRead = now
		}
	}
	seen := slices.Clone(c.ownership.relaysEntered)
	for _, element := range elements {
		if i := slices.Index(seen, element); i >= 0 {
			seen = slices.Delete(seen, i, i+1)
			continue
		}
		c.enterElement(element, now)
		c.ownership.relaysEntered = append(c.ownership.relaysEntered, element)
	}
}
