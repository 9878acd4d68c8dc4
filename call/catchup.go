package call

import "tapedeck/toggle"

// liveLegs are the legs that a FreeSWITCH has, and whether each is answered.
type liveLegs map[string]bool

func (l liveLegs) has(uuid string) bool { _, has := l[uuid]; return has }

// catchUp takes what FreeSWITCH says now of a call that goes on: that it was
// answered, and by whom if only one can have; what it has passed elsewhere; who is
// on it; whether its file is being written; and what was pressed.
func (d *Desk) catchUp(c *call, now scene) {
	d.catchUpAnswer(c, now)
	d.catchUpRelays(c, now)
	if now.live[c.anchor] {
		d.answered(c.anchor)
		switch peer := now.peers[c.anchor]; {
		case peer == c.peer:
		case peer != "":
			c.leaves(c.peer)
			c.joins(peer, d.legs[peer])
		default:
			c.leaves(c.peer)
		}
		d.catchUpKeys(c, now)
		d.catchUpFile(c, now)
		d.catchUpPresses(c, now)
	}
	d.rethink(c)
	d.remember(c)
}

// catchUpAnswer finds the leg that has answered an outgoing call.
func (d *Desk) catchUpAnswer(c *call, now scene) {
	if c.anchor != "" {
		return
	}
	for uuid := range now.live {
		if l := d.legs[uuid]; l != nil && l.call == c.id && l.dialed {
			c.ringing[uuid] = true
		}
	}
	if uuid := c.onlyAnswered(now.live); uuid != "" {
		d.answered(uuid)
	}
}

// catchUpFile takes what was missed of RECORD_START and RECORD_STOP. A leg that
// cannot say what listens to it has started what was armed.
func (d *Desk) catchUpFile(c *call, now scene) {
	yes, known := now.runs(c.anchor, c.path)
	switch is := c.rec.File; {
	case (yes || !known) && is >= toggle.Armed && is < toggle.Open:
		c.starting = false
		d.happened(c, toggle.Fact{What: toggle.Started})
	case known && !yes && c.rec.Begun && is >= toggle.Open && is < toggle.Closed:
		d.happened(c, toggle.Fact{What: toggle.Stopped})
	}
}

// onlyAnswered is the one leg that rang for the call and is answered now; "" if
// there is none, or more than one.
func (c *call) onlyAnswered(live liveLegs) string {
	only := ""
	for uuid := range c.ringing {
		switch {
		case !live[uuid]:
		case only != "":
			return ""
		default:
			only = uuid
		}
	}
	return only
}
