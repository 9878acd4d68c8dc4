package esltest

import "slices"

// Eavesdrop runs the application eavesdrop or three_way on leg c, which has called: c
// answers and hears the target and whoever talks to it, until one of the two ends or
// StopEavesdropping. Whether they hear c is not simulated: by three_way they do, by
// eavesdrop after a key. Messages to c wait meanwhile (switch_ivr_async.c, switch_ivr_eavesdrop_session).
func (c *Channel) Eavesdrop(app string, target *Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || target.down || c == target {
		return
	}
	if !c.outbound {
		c.markAnswered()
	}
	c.vars.set("current_application", app)
	c.vars.set("current_application_data", target.uuid)
	c.eavesdrops, c.listensBy = target, target.nextBug()
	target.fireEavesdropBug("MEDIA_BUG_START")
}

// StopEavesdropping ends Eavesdrop, as the key * does. The leg goes on in the dialplan.
func (c *Channel) StopEavesdropping() {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	c.stopEavesdropping()
}

func (c *Channel) stopEavesdropping() {
	if target := c.eavesdrops; target != nil {
		c.eavesdrops = nil
		target.fireEavesdropBug("MEDIA_BUG_STOP")
		unread := c.unread
		c.unread = nil
		for _, p := range unread {
			c.privateEvent(p)
		}
	}
}

// stopEavesdroppers ends Eavesdrop of all who listen to leg c, which ends.
func (c *Channel) stopEavesdroppers() {
	for _, other := range slices.Clone(c.sw.order) {
		if other.eavesdrops == c {
			other.stopEavesdropping()
		}
	}
}

// eavesdropBug describes the media bug, which names the leg that it is on and not who
// listens.
func (c *Channel) eavesdropBug() header { return header{"eavesdrop", c.uuid} }

func (c *Channel) fireEavesdropBug(name string) {
	b := c.eavesdropBug()
	c.fire(name, header{"Media-Bug-Function", b.name}, header{"Media-Bug-Target", b.value})
}
