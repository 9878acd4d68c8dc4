package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// The outside party's switch may put another phone into its place (INVITE with
// Replaces). FreeSWITCH answers the new leg, bridges it with the user's and hangs the
// recorded leg up, without any dialplan (sofia.c, sofia_handle_sip_i_invite_replaces).
// The talk goes on: a call begins on the new leg, in which the same elements count, and
// what a person has pressed (docs/design.md, section 12, rule 18).

// replacements finds the legs that take an outside party's place.
type replacements struct{ ctl *Controller }

// replacesVariable is on a leg that came with Replaces: the Call-ID that it replaces.
const replacesVariable = "sip_replaces_call_id"

// bridged takes a bridge, before either leg's call learns of it. The event is about the
// leg that came.
func (r replacements) bridged(a, b string, ev *esl.Event, now time.Time) {
	ctl, next, phone := r.ctl, a, b
	if ev.Get("Unique-ID") == b {
		next, phone = b, a
	}
	l, before := ctl.legs.get(next), ctl.legs.talked[phone]
	switch {
	case l == nil, l.dialled, l.user.ID != "", ctl.callOf(next) != nil, ev.Variable(replacesVariable) == "":
	case before == nil, before.route.direction == flow.Internal:
	default:
		r.begin(l, phone, before, ev.Get("Core-UUID"), now)
	}
}

// note remembers in which call a user's phone talks.
func (r replacements) note(phone string, c *call) {
	if r.ctl.legs.get(phone).is(c.route.org.ID) {
		r.ctl.legs.talked[phone] = c
	}
}

// begin begins the call of the leg that has come in the place of a call's anchor. phone
// is the user's, who goes on talking.
func (r replacements) begin(l *leg, phone string, before *call, core string, now time.Time) {
	old := &before.route
	c := r.ctl.begin(entry{leg: l.uuid, core: core, answered: true, org: old.org, direction: old.direction, external: before.external}, now)
	if c == nil {
		return
	}
	c.route.anchor, c.rec.Answered = l.uuid, true
	user := flow.Element{Kind: flow.User, ID: c.route.userOn(phone)}
	if phone == old.first { // an outgoing call begins with its user
		c.route.enter(user, phone, now)
	}
	for _, s := range old.passed {
		if s.Element.Kind != flow.User {
			c.route.enter(s.Element, "", now)
		}
	}
	c.route.fresh, c.route.lastLeft = false, user // no setting is new
	c.trace.add(recording.Note{What: recording.NoteReplaced, Call: before.id}, now)
	c.log.Info("another phone has taken the outside party's place: its talk is a call of its own", "before", before.id)
	send := []esl.Command{esl.SetVar(l.uuid, "tapedeck_call", c.id), esl.SetVar(l.uuid, "tapedeck_state", string(toggle.Off)),
		esl.SetVar(l.uuid, "tapedeck_file", c.files.Last().Path)}
	for _, app := range c.route.bindings() {
		send = append(send, esl.ExecuteOn(l.uuid, app[0], app[1]))
	}
	c.line.send(send, ignored, now)
	if before.rec.Person != toggle.Nobody {
		c.presses.inherit(before.id, before.presses.last, before.presses.lastAt, before.rec.Person, now)
	}
}
