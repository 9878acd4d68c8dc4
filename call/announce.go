package call

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// stateSubclass is the subclass of the event that reports each change to other
// programs.
const stateSubclass = "tapedeck::state"

// announced is what was sent last to programs and lamps about a recording.
type announced struct {
	call    *call
	last    announcement // the last announcement that was sent
	sending bool         // the last announcement has no reply yet
	stale   bool         // its legs may have something else: it has to be sent again
	early   []*call      // other calls whose legs this call has told that their voice is about to be written
	lamps   lamps
}

// announcement is the state of a recording and of its legs. Where several recordings
// have the voices of these legs (a conference room, two outside parties who talk to
// each other), their variable shows the state of all of them.
type announcement struct {
	status       toggle.Status // of the call's own file
	anchor, peer string
	voice        toggle.Status // of the recordings in which the voices of these legs are
	tells        string        // the legs, besides the anchor, whose variable is this call's to set, with spaces between them
}

// latest is what there is to announce now.
func (a *announced) latest() announcement {
	c := a.call
	is := announcement{status: c.rec.Status(), anchor: c.route.anchor, peer: c.route.peer, voice: rooms{c.ctl}.voice(c)}
	tells := slices.Concat(c.route.room.serves, c.route.room.bystanders, c.route.listeners())
	switch other := c.talk.other(); {
	case other != nil: // the peer is its anchor
		is.voice = stronger(is.voice, other.rec.Voice())
	case is.peer != "" && c.talk.theirs != is.peer:
		tells = append([]string{is.peer}, tells...)
	}
	is.tells = strings.Join(tells, " ")
	if slices.ContainsFunc(append(tells, is.anchor), talks{c.ctl}.dissolving) {
		is.voice = toggle.On
	}
	return is
}

// stronger is what is true of a voice that is written into two files: "on" before
// "paused" before "off" (docs/design.md, section 12, rule 13).
func stronger(one, two toggle.Status) toggle.Status {
	for _, s := range []toggle.Status{toggle.On, toggle.Paused} {
		if one == s || two == s {
			return s
		}
	}
	return toggle.Off
}

// send reports the state of the recording when FreeSWITCH has confirmed it and it is
// new: in the variable tapedeck_state of both legs, in an event for other programs,
// and on the lamps of the users' phones. Only one announcement is on its way at a
// time, so the last one that arrives is true.
func (a *announced) send(now time.Time) {
	c := a.call
	if !c.isLive() || c.rec.Gone || c.route.anchor == "" || c.rec.Pending != toggle.None || c.talk.asks != "" {
		return
	}
	is := a.latest()
	if (rooms{c.ctl}).wantsSpeech(c) {
		a.tellOtherwise(is, now)
	}
	if a.sending || a.last == is && !a.stale {
		return
	}
	if is.status != a.last.status {
		c.trace.add(recording.Note{What: recording.NoteTold, State: string(is.status)}, now)
		c.log.Info("recording is "+string(is.status), "file", c.rec.File.String(), "wish", c.rec.Wish().String())
	}
	send, told := a.commands(is), strings.Fields(is.tells+" "+a.last.peer)
	a.last, a.sending, a.stale = is, true, false
	c.line.send(send, func(_ []esl.Reply, err error, now time.Time) {
		a.sending = false
		if err != nil { // it may not have arrived: the next change sends it again, at the latest a new link
			a.stale, c.absence.keyUnsure = true, true
			if errors.Is(err, esl.ErrStalled) { // at once
				c.timers.sendLater()
			}
			if !errors.Is(err, context.DeadlineExceeded) { // the link is up, and no new one may ever come
				return
			}
		}
		a.send(now)
		a.giveWay(told, now)
	}, now)
}

// ahead are the commands that tell the legs "on" before a command that lets their voices
// into the file. They are in other calls, too: those in the room, and the call of an
// outside party who talks to this one. Once FreeSWITCH has replied, each call tells its
// legs again how it is.
func (a *announced) ahead(command toggle.Command) (send []esl.Command) {
	if command != toggle.Start && command != toggle.Unmask {
		return nil
	}
	calls := append(rooms{a.call.ctl}.calls(a.call.route.room.id), a.call)
	if other := a.call.talk.other(); other != nil {
		calls = append(calls, other)
	}
	slices.SortFunc(calls, func(a, b *call) int { return strings.Compare(a.id, b.id) })
	for _, c := range slices.Compact(calls) {
		is, of := c.announced.latest(), &c.announced
		if of.last.voice == toggle.On && of.last.anchor == is.anchor && of.last.tells == is.tells && !of.stale {
			continue
		}
		for _, leg := range strings.Fields(is.anchor + " " + is.tells) {
			send = append(send, esl.SetVar(leg, "tapedeck_state", string(toggle.On)))
		}
		if of.stale = true; c != a.call {
			a.early = append(a.early, c)
		}
	}
	return send
}

// sendOthers lets the calls tell again whose legs this one has told something ahead.
func (a *announced) sendOthers(now time.Time) {
	if a.call.rec.Pending == toggle.Start || a.call.rec.Pending == toggle.Unmask {
		return
	}
	early := a.early
	a.early = nil
	for _, c := range early {
		c.announced.send(now)
	}
}

// giveWay lets the calls in which these legs talk by now tell them again. Each call's
// commands arrive in their order, but those of two calls may not: what this call has
// told a leg may have come after it had gone to another one.
func (a *announced) giveWay(told []string, now time.Time) {
	mine := strings.Fields(a.latest().tells)
	for _, uuid := range told {
		if c := a.call.ctl.callOn(uuid); c != nil && c != a.call && (!a.call.isLive() || !slices.Contains(mine, uuid)) {
			c.announced.again(now)
		}
	}
}

// again sends the last announcement again.
func (a *announced) again(now time.Time) {
	a.stale = true
	a.send(now)
}

// tellOtherwise tells each user who was told "Recorded" last that he is being recorded
// now: somebody else has resumed, or the chain has. A user whose own press is not over
// is told its result.
func (a *announced) tellOtherwise(is announcement, now time.Time) {
	c := a.call
	for _, uuid := range strings.Fields(is.anchor + " " + is.tells) {
		if l := c.ctl.legs.get(uuid); l.is(c.route.org.ID) && l.heard.off && !c.presses.open(uuid) {
			c.play(uuid, isBeingRecorded, now)
		}
	}
}

// assumeTold notes that the users of these phones may have been told "Recorded" last,
// by a Tapedeck before this one.
func (a *announced) assumeTold(phones []string) {
	for _, uuid := range phones {
		if l := a.call.ctl.legs.get(uuid); l.is(a.call.route.org.ID) {
			l.heard.off = true
		}
	}
}

// commands are the commands that send sends.
func (a *announced) commands(is announcement) []esl.Command {
	var send []esl.Command
	for _, leg := range strings.Fields(is.anchor + " " + is.tells) {
		send = append(send, esl.SetVar(leg, "tapedeck_state", string(is.voice)))
	}
	if a.last.peer != is.peer {
		send = append(send, a.forsaken(a.last.peer)...)
	}
	return append(append(send, a.event(is)), a.lampCommands()...)
}

// forsaken tells a leg that has left the call, and talks in no other one, that its voice
// is in no file.
func (a *announced) forsaken(leg string) []esl.Command {
	ctl, wasTold := a.call.ctl, slices.Contains(strings.Fields(a.last.tells), leg)
	if !wasTold || a.last.voice == toggle.Off || ctl.legs.get(leg) == nil || ctl.callOn(leg) != nil {
		return nil
	}
	if !ctl.cfg.Calls.Alone() {
		time.AfterFunc(recheckAfter, func() { ctl.post(func(now time.Time) { a.forsakenStill(leg, now) }) })
		return nil
	}
	return []esl.Command{esl.SetVar(leg, "tapedeck_state", string(toggle.Off))}
}

// forsakenStill tells a leg that its voice is in no file, if by now it talks to
// nobody. Other instances may exist: had it been told at once, the leg could have come
// to a call of one of them, and our "off" after its "on".
func (a *announced) forsakenStill(leg string, now time.Time) {
	ctl := a.call.ctl
	if l := ctl.legs.get(leg); l != nil && l.peer == "" && l.at.room == "" && ctl.callOn(leg) == nil {
		ctl.send(l.switchName, []esl.Command{esl.SetVar(leg, "tapedeck_state", string(toggle.Off))}, ignored, now)
	}
}

// event is the event for other programs.
func (a *announced) event(is announcement) esl.Command {
	c := a.call
	return esl.SendEvent("CUSTOM",
		esl.Header{Name: "Event-Subclass", Value: stateSubclass},
		esl.Header{Name: "Tapedeck-Call", Value: c.id},
		esl.Header{Name: "Tapedeck-Organisation", Value: c.route.org.ID},
		esl.Header{Name: "Tapedeck-State", Value: string(is.status)},
		esl.Header{Name: "Tapedeck-Anchor", Value: is.anchor},
		esl.Header{Name: "Tapedeck-Peer", Value: is.peer},
		esl.Header{Name: "Tapedeck-File", Value: c.files.Last().Path})
}

// sendEnd tells programs and lamps that a call is over, and the leg that talked to the
// anchor, in case it is still there.
func (a *announced) sendEnd(now time.Time) {
	send := append(a.lampCommands(), a.forsaken(a.last.peer)...)
	if a.last.status == toggle.On || a.last.status == toggle.Paused {
		send = append(send, a.event(announcement{status: toggle.Off, anchor: a.call.route.anchor}))
	}
	if told := a.last.peer; len(send) > 0 {
		a.call.line.send(send, func(_ []esl.Reply, _ error, now time.Time) { a.giveWay([]string{told}, now) }, now)
	}
}
