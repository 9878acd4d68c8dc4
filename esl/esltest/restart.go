package esltest

// Restart is FreeSWITCH killed (SIGKILL) and started again at once. Every
// connection ends, every channel is gone without an event (on the Channel's side
// Done is closed and its methods do nothing), and the files of recordings stay as
// a killed process leaves them: whole blocks (Options.Blocks), in a header that
// says there are none. CoreUUID is another one; the event socket listens where it did.
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
	s.channels, s.order = map[string]*Channel{}, nil
	s.core, s.sequence, s.sessions = newUUID(), 0, 0
}

// die is the channel's end with the process.
func (c *Channel) die() {
	for _, r := range c.recordings {
		r.settle()
		if err := r.tape.abandon(); err != nil {
			c.sw.log.Error("esltest: restart: cannot close", "path", r.path, "error", err)
		}
	}
	c.recordings, c.displaced, c.dialing = nil, nil, nil
	c.partner, c.dialer = nil, nil
	if !c.down {
		close(c.done)
	}
	c.down, c.gone = true, true
}

// Shutdown is FreeSWITCH told to end (SIGTERM) and started again: SHUTDOWN, then
// every call is hung up (SYSTEM_SHUTDOWN), with its events and with its files
// complete; then as Restart.
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

// flush waits until the events so far are written.
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
