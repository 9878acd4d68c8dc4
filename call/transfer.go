package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/toggle"
)

// isToggleTransfer reports whether a leg arrives by a user's blind transfer to the
// toggle code. Tapedeck lets such a transfer fail.
func (r *route) isToggleTransfer(e entry) bool {
	code := r.org.OnDemand.BlindTransfer
	return e.transferrer != "" && code != "" && (e.dialled == code || e.toggles)
}

// refuseTransfer takes a blind transfer to the code as a press of the user who sent
// it. It lets the transfer fail, whether the press is obeyed or not: the phone gets
// 403 and the two go on talking. FreeSWITCH does both by itself when the leg has
// nothing left to do in the dialplan (switch_core_state_machine.c,
// switch_core_standard_on_execute).
func (c *call) refuseTransfer(e entry, now time.Time) turn {
	c.pressedByTransfer(e, now)
	return leave(append(c.route.onPhones(esl.Execute, e.leg), failTransfer()...)...) // the dialplan has set other values on its way here
}

// failTransfer are the commands that make a blind transfer fail.
func failTransfer() []esl.Command {
	return []esl.Command{esl.Execute("unset", "tapedeck_toggle"), esl.Execute("transfer", "set:tapedeck_refused=true inline")}
}

// pressedByTransfer takes the press that a transfer stands for. The phone that sent
// the transfer is parked until it fails, and stays on the call.
func (c *call) pressedByTransfer(e entry, now time.Time) {
	if c.ctl.legs.get(e.transferrer) == nil {
		c.log.Warn("blind transfer by a leg that is not known: it changes nothing", "leg", e.transferrer)
		return
	}
	if c.route.anchor != e.transferrer {
		c.joined(e.transferrer, now)
	}
	c.presses.take(press{method: toggle.BlindTransfer, leg: e.transferrer, user: c.route.userOn(e.transferrer), ask: toggle.Turn}, now)
}
