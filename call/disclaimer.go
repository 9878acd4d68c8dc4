package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// disclaimer is the state of the announcement that a call is recorded.
type disclaimer struct {
	call  *call
	begun bool
	peer  bool              // the user has heard it, too, or need not
	plays map[string]string // the file that each leg hears now, by leg
}

// keep plays the organisation's announcement once per call, when a recording begins
// that no person asked for. The outside party hears it (an internal call has none),
// or both parties.
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

// recall sets whether the announcement has begun; after a takeover, as the snapshot
// says.
func (d *disclaimer) recall(begun bool) {
	d.begun, d.peer, d.plays = begun, begun, map[string]string{}
}

// playTo plays the announcement to one leg.
func (d *disclaimer) playTo(uuid string, now time.Time) {
	if file := d.call.play(uuid, d.call.route.org.Disclaimer.Play, now); file != "" {
		d.plays[uuid] = file
	}
}

// stopped notes in the trace whether a leg heard the announcement to its end: it was
// cut if the leg has hung up or another prompt took its place.
func (d *disclaimer) stopped(uuid string, ev *esl.Event, now time.Time) {
	c, file := d.call, ev.Get("Media-Bug-Target")
	if ev.Get("Media-Bug-Function") != "displace" || d.plays[uuid] != file {
		return
	}
	delete(d.plays, uuid)
	result := recording.ResultHeard
	if hasHungUp(ev) || c.ctl.legs.get(uuid).heard.file != file {
		result = recording.ResultCut
	}
	to := "outside party"
	if uuid != c.route.anchor || c.route.direction == flow.Internal {
		to = "user"
	}
	c.trace.add(recording.Note{What: recording.NoteDisclaimer, Result: result, User: to}, now)
	c.log.Info("disclaimer played", "to", to, "result", result)
}
