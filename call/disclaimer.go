package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// disclaimer is how far the announcement that a call is recorded has come.
type disclaimer struct {
	call  *call
	begun bool
	peer  bool              // the user has been told too, or need not be
	plays map[string]string // legs that hear it now, and the file
}

// keep plays the organisation's announcement once per call, when a recording that
// no person asked for begins. It goes to the outside party, which an internal call
// does not have, or to both.
func (d *disclaimer) keep(now time.Time) {
	c := d.call
	if c.route.org.Disclaimer == nil || c.rec.Gone || c.rec.Pending != toggle.None || c.rec.Status() != toggle.On {
		return
	}
	if !d.begun {
		if c.rec.Person != toggle.Nobody {
			return
		}
		both := c.route.org.Disclaimer.To == flow.Both
		d.recall(true)
		d.peer = !both
		if both || c.route.direction != flow.Internal {
			d.playTo(c.route.anchor, now)
		}
	}
	if !d.peer && c.route.peer != "" {
		d.peer = true
		d.playTo(c.route.peer, now)
	}
}

// recall takes it that the announcement was begun, or not, by whoever followed the
// call before.
func (d *disclaimer) recall(begun bool) {
	d.begun, d.peer, d.plays = begun, begun, map[string]string{}
}

// playTo plays it to one leg.
func (d *disclaimer) playTo(uuid string, now time.Time) {
	if file := d.call.play(uuid, d.call.route.org.Disclaimer.Play, now); file != "" {
		d.plays[uuid] = file
	}
}

// stopped notes whether an announcement was heard to its end: the leg is still
// there when it stops, and no prompt has cut it.
func (d *disclaimer) stopped(uuid string, ev *esl.Event, now time.Time) {
	c, file := d.call, ev.Get("Media-Bug-Target")
	if ev.Get("Media-Bug-Function") != "displace" || d.plays[uuid] != file {
		return
	}
	delete(d.plays, uuid)
	result := "heard"
	if hasHungUp(ev) || c.ctl.legs.get(uuid).prompt != file {
		result = "cut"
	}
	to := "outside party"
	if uuid != c.route.anchor || c.route.direction == flow.Internal {
		to = "user"
	}
	c.trace.add(recording.Note{What: "disclaimer", Result: result, User: to}, now)
	c.log.Info("disclaimer played", "to", to, "result", result)
}
