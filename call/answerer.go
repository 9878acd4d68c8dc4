package call

import (
	"time"

	"tapedeck/call/who"
	"tapedeck/esl"
	"tapedeck/recording"
)

// lookup is how far it is known whose phone a dialled leg is.
type lookup struct {
	asking bool   // FreeSWITCH is being asked; until it answers, the leg may be anybody's
	found  string // what names the user, for the log; "" if nothing does
	domain string // the leg's SIP domain, for the log
	told   bool   // the log has told that nobody is known to have answered, or it need not
}

// answerers finds out whose phones the dialled legs are.
type answerers struct{ ctl *Controller }

// ask asks FreeSWITCH for the user of a dialled leg that no variable names. A leg
// through a gateway leads out, and so does the one that an outgoing call dials: they
// are not asked for.
func (as answerers) ask(l *leg, data channelData, now time.Time) {
	ctl := as.ctl
	if c := ctl.calls[l.call]; !l.dialled || c != nil && c.route.awaitsAnchor() {
		l.lookup.told = true
		return
	}
	q := who.Inquire(data)
	l.lookup = lookup{found: q.Found, domain: q.Domain, told: q.Nobody, asking: q.Profile != ""}
	if !l.lookup.asking {
		return
	}
	question := esl.API("sofia", "xmlstatus", "profile", q.Profile, "reg", q.Contact)
	ctl.send(l.switchName, []esl.Command{question}, func(replies []esl.Reply, err error, now time.Time) {
		var phones []esl.Registration
		if err == nil {
			phones, err = esl.ReadRegistrations(replies[0].Text())
		}
		if err != nil { // FreeSWITCH does not say: the leg is nobody's
			as.known(l, who.User{}, now)
			return
		}
		whose, nobody := q.Answer(ctl.cfg.Policy(), phones)
		l.lookup.told = nobody
		as.known(l, whose, now)
	}, now)
}

// unseen takes the answer of an outgoing call from the leg that dials another one of the
// call, for a transfer: it has answered, and nobody reported that.
func (as answerers) unseen(c *call, dials *leg, now time.Time) {
	by := as.ctl.legs.get(dials.dialler)
	if by != nil && by.dialled && by.call == c.id && c.route.awaitsAnchor() {
		c.route.ringing[by.uuid] = true
		c.answered(by.uuid, now)
	}
}

// known takes the user of a leg that FreeSWITCH was asked for; the zero
// value is nobody.
func (as answerers) known(l *leg, whose who.User, now time.Time) {
	ctl := as.ctl
	l.lookup.asking = false
	if whose.ID != "" { // the call's snapshot may have named the user already, without the domain
		l.user = whose
	}
	if ctl.legs.get(l.uuid) != l { // it has hung up
		return
	}
	if c := ctl.callOn(l.uuid); c != nil && c.route.peer == l.uuid {
		c.joined(l.uuid, now)
	} else if c := ctl.callOf(l.uuid); c != nil {
		c.rethink(now)
	}
	as.note(l, now)
}

// note tells the administrator that nobody is known to have answered: the leg
// that FreeSWITCH dialled counts as no user on the call, so no user's setting counts,
// and its presses are refused. The outside party's own leg, and a leg through a
// gateway or to an outside number, are nobody's by right.
func (as answerers) note(l *leg, now time.Time) {
	ctl := as.ctl
	if l == nil || !l.dialled || !l.answered || l.user.ID != "" || l.lookup.asking || l.lookup.told {
		return
	}
	c := ctl.callOf(l.uuid)
	if c == nil { // a queue dials its agents without the call
		c = ctl.callOn(l.uuid)
	}
	if c == nil || l.uuid == c.route.anchor {
		return
	}
	l.lookup.told = true
	ctl.cfg.Meter.UnknownAnswer()
	c.trace.add(recording.Note{What: recording.NoteUnknown, Result: l.lookup.found}, now)
	c.log.Warn("answered by nobody whom the policy knows: no user's setting counts, and presses are refused", "leg", l.uuid,
		"domain", l.lookup.domain, "looked_up", l.lookup.found)
}
