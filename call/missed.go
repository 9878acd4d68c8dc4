package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// lastDigits is the variable of a phone's leg that FreeSWITCH sets to the code
// when it is pressed, before it makes the event (mod_dptools.c,
// digit_action_callback). We clear it in one write with what follows from the
// press. So a code that was pressed while nobody listened is still there: it is
// refused aloud then, because what a late switch would do is not what was asked
// for when it was pressed.
const lastDigits = "last_matching_digits"

// missedAfter is how long the events that were on their way may take.
const missedAfter = 300 * time.Millisecond

// coded takes the code that a phone has pressed.
func (d *Desk) coded(uuid string) {
	if c := d.callOn(uuid); c != nil {
		c.pressing = uuid
	}
	d.pressedOn(uuid, toggle.DTMF, toggle.Turn)
}

// catchUpPresses looks for codes that were pressed while nobody listened.
func (d *Desk) catchUpPresses(c *call, now scene) {
	code := c.org.OnDemand.DTMF
	for _, uuid := range []string{c.peer, c.anchor} {
		data := now.dumps[uuid]
		if code == "" || data == nil || data.Variable(lastDigits) != code || uuid == c.anchor && c.direction != flow.Internal {
			continue
		}
		time.AfterFunc(missedAfter, func() {
			d.post(func() { d.checkMissed(c, uuid, code) })
		})
	}
}

// checkMissed asks whether the press has been seen meanwhile.
func (d *Desk) checkMissed(c *call, uuid, code string) {
	if d.calls[c.id] != c {
		return
	}
	d.overLink(c, []esl.Command{esl.API("uuid_getvar", uuid, lastDigits)}, func(replies []esl.Reply, err error) {
		switch {
		case err != nil || d.calls[c.id] != c:
		case replies[0].Text() != code:
			c.cleared(clears{code: uuid})
		case c.unclear == uuid:
			d.late(c, uuid)
		default:
			c.pressing = uuid
			d.missed(c, press{method: toggle.DTMF, leg: uuid, user: c.userOn(d.legs[uuid])})
		}
	})
}

// late says what came of a switch that was taken when the link broke: what was to
// be heard then was not, and FreeSWITCH still has the code.
func (d *Desk) late(c *call, uuid string) {
	c.unclear, c.pressing = "", uuid
	d.hear(c, press{method: toggle.DTMF, leg: uuid, user: c.userOn(d.legs[uuid])}, c.outcome())
	d.remember(c)
}

// missed refuses a switch that nobody heard.
func (d *Desk) missed(c *call, p press) {
	d.cfg.Meter.Toggle(string(p.method), missedResult)
	c.note(recording.Note{What: "pressed", Method: string(p.method), User: p.user, Result: missedResult})
	c.log.Warn("switch pressed while nobody listened: refused", "method", string(p.method))
	d.hear(c, p, notPermitted)
	d.followUp(c)
}

// missedResult is the result of a switch that came too late to be obeyed.
const missedResult = "missed"
