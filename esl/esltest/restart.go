package esltest

// Restart kills FreeSWITCH (SIGKILL) and starts it again at once. Every connection
// ends, and every channel ends without an event: Done is closed, and the Channel's
// methods do nothing. The files of recordings stay as a killed process leaves them:
// whole blocks (Options.Blocks), after a header that says that there are none.
// CoreUUID changes; the event socket's addresses stay.
func (s *Switch) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	for l := range s.listeners {
		l.close()
	}
	for _, c := range s.order {
		c.die()
	}
	s.stopAlarms()
	s.channels, s.rooms, s.order = map[string]*Channel{}, map[string]*room{}, nil
	s.core, s.sequence, s.sessions = newUUID(), 0, 0
}

// die ends the channel with the process.
func (c *Channel) die() {
	for _, r := range c.recordings {
		r.settle()
		if err := r.tape.abandon(); err != nil {
			c.sw.log.Error("esltest: restart: cannot close", "path", r.path, "error", err)
		}
	}
	c.recordings, c.displaced, c.dialing = nil, nil, nil
	c.partner, c.dialer, c.room = nil, nil, nil
	if !c.down {
		close(c.done)
	}
	c.down, c.gone = true, true
}

// Shutdown ends FreeSWITCH in order (SIGTERM) and starts it again: it fires SHUTDOWN
// and hangs every call up (SYSTEM_SHUTDOWN), with all events and complete files.
// Then it is as Restart.
func (s *Switch) Shutdown() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.fire(s.newEvent("SHUTDOWN"))
	for len(s.order) > 0 {
		s.order[0].hangup("SYSTEM_SHUTDOWN")
	}
	s.mu.Unlock()
	s.flush()
	s.Restart()
}

// flush waits until the events that were fired so far are written.
func (s *Switch) flush() {
	s.mu.Lock()
	var waiting []*listener
	for l := range s.listeners {
		waiting = append(waiting, l)
	}
	s.mu.Unlock()
	for _, l := range waiting {
		l.drained()
	}
}
