package esltest

// Park runs the dialplan's `park`: the leg waits.
func (c *Channel) Park() {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if !c.down && !c.parked {
		c.parked = true
		c.fire("CHANNEL_PARK")
	}
}

// Unpark lets a parked leg go on in the dialplan.
func (c *Channel) Unpark() {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if !c.down && c.parked {
		c.parked = false
		c.fire("CHANNEL_UNPARK")
	}
}

// Hold lets the phone of leg c put the other party on hold: nobody hears c.
func (c *Channel) Hold() { c.setHold(true, "HELD", "CHANNEL_HOLD") }

// Unhold ends Hold. The digits that were pressed meanwhile come now.
func (c *Channel) Unhold() {
	c.setHold(false, "UNHELD", "CHANNEL_UNHOLD")
	c.sw.mu.Lock()
	late := c.pressed
	c.pressed = ""
	c.sw.mu.Unlock()
	if late != "" {
		c.PressDigits(late)
	}
}

func (c *Channel) setHold(on bool, state, name string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || c.held == on {
		return
	}
	c.settle()
	c.held, c.callState = on, state
	c.profile.times.lastHold = c.sw.tick()
	c.fire(name)
}
