package call

import (
	"tapedeck/flow"
	"tapedeck/toggle"
)

// liveLegs are the legs that a FreeSWITCH has, and whether each is answered.
type liveLegs map[string]bool

func (l liveLegs) has(uuid string) bool { _, has := l[uuid]; return has }

// doubt asks, after the watch link was away, whether it is still known who talks
// to the recorded leg: it is if that leg is still there. What users say in the
// meantime is left to what the file was told before.
func (c *call) doubt(live liveLegs) { c.unseen = live[c.anchor] && !live[c.peer] }

// catchUp takes what the list of legs says of a call that goes on: that it was
// answered, and by whom if only one can have. FreeSWITCH has started the file
// then, masked or not.
func (d *Desk) catchUp(c *call, live liveLegs) {
	if c.anchor == "" {
		if uuid := c.onlyAnswered(live); uuid != "" {
			d.answered(uuid)
		}
	}
	if live[c.anchor] {
		d.answered(c.anchor)
		if uuid := c.onlyPeer(live); uuid != "" {
			c.joins(uuid, d.legs[uuid])
		}
		if c.rec.File >= toggle.Armed && c.rec.File < toggle.Open {
			c.starting = false
			d.happened(c, toggle.Fact{What: toggle.Started})
		}
	}
	d.rethink(c)
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

// onlyPeer is who must be talking to the recorded leg; "" if that is in doubt.
func (c *call) onlyPeer(live liveLegs) string {
	switch {
	case !c.unseen:
		return ""
	case c.direction == flow.Outbound && c.peer == "" && live[c.first]:
		return c.first
	}
	return c.onlyAnswered(live)
}
