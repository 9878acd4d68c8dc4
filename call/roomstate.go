package call

import (
	"slices"
	"time"

	"tapedeck/call/roomrules"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// In a conference room a voice is in several files. The variable tapedeck_state of a
// leg shows the state of all of them. A leg that is no call's anchor is told by the
// first call of its organisation.

// status is the state of the recordings in which the voice of the call's anchor is
// being written (docs/design.md, section 12, rule 13).
// org limits it to those of one organisation; "" does not.
func (r rooms) status(c *call, org string) toggle.Status {
	return r.strongest(c, org, toggle.State.Status)
}

// voice is status as the legs are told it: of all organisations, and "on" before a
// command is sent that makes it so.
func (r rooms) voice(c *call) toggle.Status { return r.strongest(c, "", toggle.State.Voice) }

func (r rooms) strongest(c *call, org string, of func(toggle.State) toggle.Status) toggle.Status {
	own := of(c.rec.State)
	if c.route.room.id == "" || own == toggle.On {
		return own
	}
	files := []toggle.Status{own}
	for _, other := range r.calls(c.route.room.id) {
		if org == "" || other.route.org.ID == org {
			files = append(files, of(other.rec.State))
		}
	}
	return roomrules.State(files...)
}

// wantsSpeech reports whether the voice of the call's anchor is being written for its
// organisation because that is wanted, and not because nobody knows yet whether it has
// been silenced.
func (r rooms) wantsSpeech(c *call) bool {
	return slices.ContainsFunc(append(r.calls(c.route.room.id), c), func(one *call) bool {
		return one.route.org.ID == c.route.org.ID && one.rec.Status() == toggle.On && one.rec.Wish() == toggle.Speech
	})
}

// tell lets the other calls in the room tell their legs that the state of this
// recording has changed.
func (r rooms) tell(c *call, now time.Time) {
	at := &c.route.room
	if at.id == "" || at.told == c.rec.Status() {
		return
	}
	at.told = c.rec.Status()
	for _, other := range r.calls(at.id) {
		if other != c {
			other.announced.send(now)
			other.keepMarkers(now)
		}
	}
}

// serve says which call tells the legs without a call of their own how the recording
// stands: phones of users the first one of their organisation, which lets them listen for
// the code, and other legs the first one. A leg that no call tells any more is in no
// recording.
func (r rooms) serve(room string, calls []*call, now time.Time) {
	var served []string
	serving := map[string]bool{} // by organisation
	for _, c := range calls {
		at, before := &c.route.room, c.route.room.serves
		if at.serves, at.bystanders = nil, nil; at.guest || serving[c.route.org.ID] {
			continue
		}
		serving[c.route.org.ID] = true
		at.serves = r.callless(at.others, c.route.org.ID)
		for _, uuid := range at.serves {
			if !slices.Contains(before, uuid) {
				r.listenOn(c, uuid, now)
			}
		}
		served = append(served, at.serves...)
	}
	if i := slices.IndexFunc(calls, func(c *call) bool { return !c.route.room.guest }); i >= 0 {
		at := &calls[i].route.room
		at.bystanders = slices.DeleteFunc(r.untaken(at.others), func(uuid string) bool { return slices.Contains(served, uuid) })
		served = append(served, at.bystanders...)
	}
	m := r.ctl.legs.rooms[room]
	if m == nil {
		return
	}
	for _, uuid := range m.served {
		if slices.Contains(m.members, uuid) && !slices.Contains(served, uuid) && r.ctl.callAnchored(uuid) == nil {
			r.tellOff(uuid, now)
		}
	}
	m.served = served
}

// listenOn lets a phone in the room of a call listen for the code itself.
func (r rooms) listenOn(c *call, uuid string, now time.Time) {
	own := c.route
	own.direction = flow.Internal
	var send []esl.Command
	for _, app := range own.bindings() {
		send = append(send, esl.ExecuteOn(uuid, app[0], app[1]))
	}
	if len(send) > 0 {
		c.line.send(send, ignored, now)
	}
}

// callless are the phones of an organisation's users that are on no call of their
// own: they were dialled into the room.
func (r rooms) callless(legs []string, org string) (phones []string) {
	for _, uuid := range legs {
		if r.ctl.legs.get(uuid).is(org) && r.ctl.callAnchored(uuid) == nil {
			phones = append(phones, uuid)
		}
	}
	return phones
}

// untaken are the legs that have come into the room without a Tapedeck: it did not answer
// when they reached the socket, or they never did.
func (r rooms) untaken(legs []string) (untaken []string) {
	for _, uuid := range legs {
		if r.ctl.legs.get(uuid).isUntaken() {
			untaken = append(untaken, uuid)
		}
	}
	return untaken
}

// askTaken finds out whether a Tapedeck has ever had a leg that has come into a room. The
// leg's events need not say that.
func (r rooms) askTaken(uuid, room string, now time.Time) {
	l := r.ctl.legs.get(uuid)
	if l.call != "" || r.ctl.callAnchored(uuid) != nil {
		return
	}
	r.ctl.send(l.switchName, []esl.Command{esl.API("uuid_getvar", uuid, "tapedeck_call")}, func(replies []esl.Reply, err error, now time.Time) {
		if l.at.room == room && err == nil && replies[0].Value() == "" {
			l.at.untaken = true
			r.assemble(room, nil, now)
		}
	}, now)
}

// isUntaken reports whether no Tapedeck has ever had the leg, as far as is known. A nil
// leg is not known.
func (l *leg) isUntaken() bool { return l != nil && l.at.untaken && l.call == "" }

// serving is the call that tells a phone without a call of its own how the recording
// stands; nil if there is none.
func (r rooms) serving(l *leg) *call {
	for _, c := range r.calls(l.at.room) {
		if slices.Contains(c.route.room.serves, l.uuid) {
			return c
		}
	}
	return nil
}

// tellOff tells a phone on no call that it is in no recording. If a call tells it
// something by then, that call tells it again: the commands of the two may arrive in
// any order.
func (r rooms) tellOff(uuid string, now time.Time) {
	if l := r.ctl.legs.get(uuid); l != nil && (l.user.ID != "" || l.isUntaken()) {
		send := []esl.Command{esl.SetVar(uuid, "tapedeck_state", string(toggle.Off))}
		r.ctl.send(l.switchName, send, func(_ []esl.Reply, _ error, now time.Time) {
			if c := r.ctl.callOn(uuid); c != nil {
				c.announced.again(now)
			}
		}, now)
	}
}
