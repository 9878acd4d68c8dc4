package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/toggle"
)

// isToggleTransfer reports whether a leg that was sent on by a user is on its way to the code
// that switches, which is refused on purpose.
func (r *route) isToggleTransfer(e entry) bool {
	code := r.org.OnDemand.BlindTransfer
	return e.transferrer != "" && code != "" && (e.dialled == code || e.toggles)
}

// refuseTransfer takes a blind transfer to the code for a press of the user who sent
// it, and lets it fail, whether the press is obeyed or not: the phone gets 403 and
// the two go on talking. With nothing left to do in the dialplan FreeSWITCH does
// both by itself (switch_core_state_machine.c, switch_core_standard_on_execute).
func (c *call) refuseTransfer(e entry, now time.Time) turn {
	c.pressedByTransfer(e, now)
	return leave(append(c.route.onPhones(e.leg), failTransfer()...)...) // the dialplan has said otherwise on its way here
}

// failTransfer makes a blind transfer fail.
func failTransfer() []esl.Command {
	return []esl.Command{esl.Execute("unset", "tapedeck_toggle"), esl.Execute("transfer", "set:tapedeck_refused=true inline")}
}

// pressedByTransfer takes the press that the transfer stands for. The phone that
// sent it is parked until the transfer fails, and on the call all the while.
func (c *call) pressedByTransfer(e entry, now time.Time) {
	if c.route.anchor != e.transferrer {
		c.joined(e.transferrer, now)
	}
	c.presses.take(press{method: toggle.BlindTransfer, leg: e.transferrer, user: c.route.userOn(e.transferrer), ask: toggle.Turn}, now)
}
