package call

import (
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// stateSubclass is the event that tells other programs of a change.
const stateSubclass = "tapedeck::state"

// told is what was last said of a recording, and on which legs.
type told struct {
	state        toggle.Status
	anchor, peer string
}

// tell says how the recording stands, when that is confirmed and new: on the
// variable tapedeck_state of both legs, by an event for other programs, and to
// the lamps of the users' phones. One at a time, so that the last one told is the
// last one true.
func (d *Desk) tell(c *call) {
	now := told{c.rec.Status(), c.anchor, c.peer}
	if c.telling || c.told == now || c.rec.Gone || c.anchor == "" || c.rec.Pending != toggle.None {
		return
	}
	if now.state != c.told.state {
		c.note(recording.Note{What: "told", State: string(now.state)})
		c.log.Info("recording is "+string(now.state), "file", c.rec.File.String(), "wish", c.rec.Wish().String())
	}
	c.told, c.telling = now, true
	d.overLink(c, d.announcement(c, now), func(_ []esl.Reply, err error) {
		c.telling = false
		if err != nil { // what is known of it is in doubt: it is told again with the next news, a new link's at the latest
			c.told = told{}
			return
		}
		d.tell(c)
	})
}

// announcement is what tell sends.
func (d *Desk) announcement(c *call, now told) []esl.Command {
	send := []esl.Command{esl.SetVar(now.anchor, "tapedeck_state", string(now.state))}
	if now.peer != "" {
		send = append(send, esl.SetVar(now.peer, "tapedeck_state", string(now.state)))
	}
	return append(append(send, d.stateEvent(c, now)), d.light(c)...)
}

func (d *Desk) stateEvent(c *call, now told) esl.Command {
	return esl.SendEvent("CUSTOM",
		esl.Header{Name: "Event-Subclass", Value: stateSubclass},
		esl.Header{Name: "Tapedeck-Call", Value: c.id},
		esl.Header{Name: "Tapedeck-Organisation", Value: c.org.ID},
		esl.Header{Name: "Tapedeck-State", Value: string(now.state)},
		esl.Header{Name: "Tapedeck-Anchor", Value: now.anchor},
		esl.Header{Name: "Tapedeck-Peer", Value: now.peer},
		esl.Header{Name: "Tapedeck-File", Value: c.path})
}

// tellEnd tells programs and lamps that a call is over; its legs are gone.
func (d *Desk) tellEnd(c *call) {
	send := d.light(c)
	if c.told.state == toggle.On || c.told.state == toggle.Paused {
		send = append(send, d.stateEvent(c, told{toggle.Off, c.anchor, ""}))
	}
	if len(send) > 0 {
		d.overLink(c, send, func([]esl.Reply, error) {})
	}
}
