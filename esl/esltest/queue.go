package esltest

// Queue runs the dialplan's `fifo <name> in`: the leg is answered and waits for an
// agent, and its media bugs are paused meanwhile, so that nothing is written to its
// recordings (mod_fifo.c, fifo_function).
func (c *Channel) Queue(name string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || c.queued {
		return
	}
	c.settle()
	c.queued = true
	c.markAnswered()
	c.vars.set("fifo_status", "WAITING")
	c.fireFifo(name, "push")
}

// Serve ends Queue: an agent's leg, which is answered, takes the waiting leg.
func (c *Channel) Serve(name string, agent *Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || agent.down || !c.queued {
		return
	}
	c.fireFifo(name, "caller_pop")
	c.endQueue("TALKING")
	bridge(agent, c)
}

// LeaveQueue ends Queue without an agent: the leg goes on in the dialplan.
func (c *Channel) LeaveQueue(name string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || !c.queued {
		return
	}
	c.fireFifo(name, "abort")
	c.endQueue("ABORTED")
}

func (c *Channel) endQueue(status string) {
	c.settle()
	c.queued = false
	c.vars.set("fifo_status", status)
}

func (c *Channel) fireFifo(name, action string) {
	e := c.sw.newEvent("CUSTOM")
	e.subclass = "fifo::info"
	e.add("Event-Subclass", e.subclass)
	c.describe(e)
	e.add("FIFO-Name", name)
	e.add("FIFO-Action", action)
	c.sw.fire(e)
}
