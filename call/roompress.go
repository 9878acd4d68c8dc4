package call

import (
	"fmt"
	"slices"
	"time"

	"tapedeck/call/handover"
	"tapedeck/call/roomrules"
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// roomPress is one press of a user in a conference room. It acts on every recording
// of his organisation in the room, or on none (docs/design.md, section 12, rule 12).
type roomPress struct {
	press
	calls   []*call
	open    int    // calls whose result is not known yet
	result  string // the prompt that says how it went so far
	replied bool   // a later press of the same phone tells the result
}

// press takes a press into the call that it is on. In a conference room it acts on
// every recording there. If another instance follows one of them, it cannot act on
// all, so it is refused.
func (r rooms) press(c *call, p press, now time.Time) {
	strangers := r.strangers(c)
	if p.user == "" || len(strangers) == 0 {
		r.take(c, p, now)
		return
	}
	var send []esl.Command
	for _, uuid := range strangers {
		send = append(send, esl.API("uuid_getvar", uuid, handover.Variable))
	}
	c.line.send(send, func(replies []esl.Reply, err error, now time.Time) {
		here := r.recordings(c.route.room.id, c.route.org.ID)
		switch {
		case !c.isLive():
			p.reply(toggle.Off, toggle.ErrNoCall)
		case err == nil && !slices.ContainsFunc(replies, func(reply esl.Reply) bool { return isRecordedFor(c.route.org.ID, reply.Text()) }):
			r.take(c, p, now)
		case err == nil && !slices.ContainsFunc(here, func(c *call) bool { return c.rec.Wanted() || c.rec.Status() != toggle.Off }):
			p.reply(toggle.Off, toggle.Elsewhere)
			c.absence.leaveToOther(p)
		default:
			c.presses.refuse(p, toggle.Elsewhere, now)
		}
	}, now)
}

// strangers are the legs in the room of a call that may hold a call of another
// instance.
func (r rooms) strangers(c *call) []string {
	if r.ctl.cfg.Calls.Alone() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.route.room.others), func(uuid string) bool { return r.ctl.callAnchored(uuid) != nil })
}

// isRecordedFor reports whether a snapshot is of a call of this organisation with a
// file that may be written.
func isRecordedFor(org, snapshot string) bool {
	k, err := handover.Read(snapshot)
	return err == nil && k.Organisation == org && k.File > toggle.NoFile && k.File < toggle.Closed
}

// take takes a press into the recordings in the room of a call, or into the call
// alone.
func (r rooms) take(c *call, p press, now time.Time) {
	if c.route.room.id != "" { // a call that has just been taken over may not know yet who is in the room
		r.assemble(c.route.room.id, nil, now)
	}
	calls := r.recordings(c.route.room.id, c.route.org.ID)
	if p.user == "" || len(calls) == 0 || len(calls) == 1 && calls[0] == c {
		c.presses.take(p, now)
		return
	}
	if p.leg == "" {
		p.leg = r.phone(c, p.user)
	}
	(&roomPress{press: p, calls: calls}).take(now)
}

// phone is the phone of a user in the room of a call.
func (r rooms) phone(c *call, user string) string {
	for _, uuid := range append(slices.Clone(c.route.room.others), c.route.anchor) {
		if c.route.userOn(uuid) == user {
			return uuid
		}
	}
	return ""
}

// take obeys or refuses the press. If it is not permitted on one of the recordings,
// nothing changes on any of them.
func (g *roomPress) take(now time.Time) {
	first, asked := g.calls[0], g.press
	var all []roomrules.Recording
	for _, c := range g.calls {
		all = append(all, roomrules.Recording{Org: c.route.org, Effective: c.route.effective(), Wanted: c.rec.Wanted()})
	}
	var refusal toggle.Refusal
	g.ask, refusal = roomrules.Press(all, g.user, g.method, g.ask)
	result := string(refusal)
	if refusal == toggle.Permitted {
		result = recording.ResultOK
	}
	first.ctl.cfg.Meter.Toggle(string(g.method), result)
	for _, c := range g.calls {
		c.presses.note(asked, result, now)
	}
	if refusal != toggle.Permitted {
		first.presses.announce(g.press, notPermitted, now)
		g.tell(g.status(), refusal)
		return
	}
	g.obey(now)
}

// obey carries the press out on each recording. The result is told when it is known
// of all of them.
func (g *roomPress) obey(now time.Time) {
	presses := g.calls[0].ctl.legs.rooms[g.calls[0].route.room.id].presses
	if before := presses[g.leg]; before != nil {
		before.replied = true
	}
	presses[g.leg] = g
	g.open, g.result = len(g.calls), recorded
	one := g.press
	one.answer, one.room = nil, g
	for _, c := range g.calls {
		c.presses.obey(one, now)
	}
}

// settled takes the result of one recording. A recording whose call is over does not
// count.
func (g *roomPress) settled(c *call, prompt string, now time.Time) {
	switch {
	case c.rec.Gone:
	case prompt == notPermitted, g.result == recorded:
		g.result = prompt
	}
	if g.open--; g.open > 0 {
		return
	}
	var err error
	status := g.status()
	if g.result == notPermitted {
		if g.ask == toggle.TurnOn && status == toggle.On { // some of them are on, and the user may have been told "Recorded" before
			g.result = isBeingRecorded
		}
		err = fmt.Errorf("call: recording is %s: FreeSWITCH did not carry the press out on each recording in the room", status)
	}
	g.tell(status, err)
	if g.replied {
		return
	}
	for _, c := range g.calls {
		if !c.rec.Gone && c.isLive() {
			c.presses.announce(g.press, g.result, now)
			return
		}
	}
}

// tell answers a press by the API, once.
func (g *roomPress) tell(status toggle.Status, err error) {
	g.reply(status, err)
	g.answer = nil
}

// yield gives the press up: another instance has taken one of the calls over, or the
// call has become part of another one. Nothing more is told about it.
func (g *roomPress) yield() {
	g.open, g.replied = 0, true
	g.tell(g.status(), toggle.ErrNoCall)
}

// status is the state of the recordings of calls that are not over.
func (g *roomPress) status() toggle.Status {
	var files []toggle.Status
	for _, c := range g.calls {
		if !c.rec.Gone {
			files = append(files, c.rec.Status())
		}
	}
	return roomrules.State(files...)
}
