package call

import (
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// disclaiming is how far the announcement that a call is recorded has come.
type disclaiming struct {
	begun bool
	peer  bool              // the user has been told too, or need not be
	plays map[string]string // legs that hear it now, and the file
}

// keepDisclaimer plays the organisation's announcement once per call, when a
// recording that no person asked for begins. It goes to the outside party, which
// an internal call does not have, or to both.
func (d *Desk) keepDisclaimer(c *call) {
	if c.org.Disclaimer == nil || c.rec.Gone || c.rec.Pending != toggle.None || c.rec.Status() != toggle.On {
		return
	}
	if !c.disclaim.begun {
		if c.rec.Person != toggle.Nobody {
			return
		}
		both := c.org.Disclaimer.To == flow.Both
		c.disclaim = disclaiming{begun: true, peer: !both, plays: map[string]string{}}
		if both || c.direction != flow.Internal {
			d.disclaimTo(c, c.anchor)
		}
	}
	if !c.disclaim.peer && c.peer != "" {
		c.disclaim.peer = true
		d.disclaimTo(c, c.peer)
	}
}

// disclaimTo plays it to one leg.
func (d *Desk) disclaimTo(c *call, uuid string) {
	if file := d.play(c, uuid, c.org.Disclaimer.Play); file != "" {
		c.disclaim.plays[uuid] = file
	}
}

// bugStopped notes whether an announcement was heard to its end: the leg is
// still there when it stops, and it was not cut by a prompt.
func (d *Desk) bugStopped(uuid string, ev *esl.Event) {
	c := d.callOn(uuid)
	if c == nil || ev.Get("Media-Bug-Function") != "displace" || c.disclaim.plays[uuid] != ev.Get("Media-Bug-Target") {
		return
	}
	delete(c.disclaim.plays, uuid)
	result := "heard"
	if hasHungUp(ev) || d.legs[uuid].prompt != ev.Get("Media-Bug-Target") {
		result = "cut"
	}
	to := "outside party"
	if uuid != c.anchor || c.direction == flow.Internal {
		to = "user"
	}
	c.note(recording.Note{What: "disclaimer", Result: result, User: to})
	c.log.Info("disclaimer played", "to", to, "result", result)
}
