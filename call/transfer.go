package call

import (
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// onPhones is what the users' phones of the call need to switch: set on the
// phone that calls, and exported to those that are dialled. It is said at every
// entry, because a leg that was dialled by another does not hand on what it got.
func (c *call) onPhones(entering string) []esl.Command {
	app, prefix := "export", "nolocal:"
	switch {
	case c.direction == flow.Internal:
		prefix = ""
	case c.direction == flow.Outbound && entering == c.first:
		app, prefix = "set", ""
	}
	disabled := "true"
	var send []esl.Command
	say := func(name, value string) { send = append(send, esl.Execute(app, prefix+name+"="+value)) }
	if c.org.OnDemand.BlindTransfer != "" {
		say("confirm_blind_transfer", "true")
	}
	if c.org.OnDemand.RecordKey {
		disabled = "false"
		say("RECORD_MIN_SEC", markerMinSec)
	}
	say("sip_disable_recording", disabled)
	return send
}

// refuses reports whether a leg that was sent on by a user is on its way to the
// code that switches, which is refused on purpose.
func (c *call) refuses(e entry) bool {
	code := c.org.OnDemand.BlindTransfer
	return !c.rec.Gone && code != "" && (e.dialled == code || e.switches)
}

// refuseTransfer takes a blind transfer to the code for a switch of the user who
// sent it, and lets it fail, whether the switch is obeyed or not: the phone gets
// 403 and the two go on talking. With nothing left to do in the dialplan
// FreeSWITCH does both by itself (switch_core_state_machine.c,
// switch_core_standard_on_execute).
func (d *Desk) refuseTransfer(c *call, e entry) turn {
	d.pressedByTransfer(c, e)
	send := append(c.onPhones(e.leg), refused()...) // the dialplan has said otherwise on its way here
	return turn{exits: true, send: append(send, esl.Exit())}
}

// refused makes a blind transfer fail.
func refused() []esl.Command {
	return []esl.Command{esl.Execute("unset", "tapedeck_toggle"), esl.Execute("transfer", "set:tapedeck_refused=true inline")}
}

// pressedByTransfer takes the switch that the transfer stands for.
func (d *Desk) pressedByTransfer(c *call, e entry) {
	if c.anchor != e.transferrer {
		c.joins(e.transferrer, d.legs[e.transferrer]) // parked until the transfer fails, and on the call all the while
		d.rethink(c)
	}
	user := c.userOn(d.legs[e.transferrer])
	d.pressed(c, press{method: toggle.BlindTransfer, leg: e.transferrer, user: user, ask: toggle.Turn})
}
