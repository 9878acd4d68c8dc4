package esltest

// Intercept runs the application `intercept` on leg c, which has dialled a pick-up code:
// c answers, and the target is bridged with it, whether the target talked, rang or
// waited (switch_ivr_bridge.c, switch_ivr_intercept_session). c is Bridge-A. The leg
// that the target talked to ends with PICKED_OFF; phones that rang for it ring no more.
func (c *Channel) Intercept(target *Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || target.down || c == target {
		return
	}
	c.markAnswered()
	target.stopDialling()
	target.markAnswered()
	before := target.partner
	if before != nil {
		a, b := target, before
		if !target.isA {
			a, b = before, target
		}
		unbridge(a, b)
	}
	c.prepareUUIDBridge(target)
	c.state, target.state = "CS_SOFT_EXECUTE", "CS_SOFT_EXECUTE"
	bridge(c, target)
	if before != nil {
		before.hangup("PICKED_OFF")
	}
}

// PickUpParked runs the application `valet_park` on leg c, for the slot in which the
// parked leg waits: c answers, as the vanilla dialplan has it, and the two are bridged
// (mod_valet_parking.c, valet_parking_function). The parked leg is Bridge-A.
func (c *Channel) PickUpParked(parked *Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || parked.down || c == parked || parked.partner != nil {
		return
	}
	c.markAnswered()
	if parked.parked {
		parked.parked = false
		parked.fire("CHANNEL_UNPARK")
	}
	parked.prepareUUIDBridge(c)
	c.state, parked.state = "CS_SOFT_EXECUTE", "CS_SOFT_EXECUTE"
	bridge(parked, c)
}

// stopDialling ends the legs that c is dialling: a transfer of c ends its `bridge`.
func (c *Channel) stopDialling() {
	legs := c.dialing
	c.dialing = nil
	for _, leg := range legs {
		leg.dialer = nil
		leg.hangup("ORIGINATOR_CANCEL")
	}
}
