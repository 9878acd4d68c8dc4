package esltest

// RecordKey sends a SIP INFO with `Record: on` or `off` from the phone of leg c:
// mod_sofia starts or stops a recording of the phone's own leg at
// Options.RecordTemplate (sofia.c, sofia_handle_sip_i_info). It reports whether the
// phone got 200.
func (c *Channel) RecordKey(on bool) bool {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	template := c.sw.options.RecordTemplate
	disabled, _ := c.vars.get("sip_disable_recording")
	if c.down || template == "" || isTrue(disabled) {
		return false
	}
	path := c.expand(template)
	if on {
		c.vars.set("sofia_record_file", path)
		c.record(path, 0, nil)
	} else {
		c.stopRecording(path)
	}
	c.fireAround("RECV_INFO", c.sipHeaders(), nil)
	return true
}

// sipHeaders are the addresses of the phone's request, as RECV_INFO has them. It does
// not have the Record header.
func (c *Channel) sipHeaders() []header {
	user := c.profile.destination
	if !c.outbound {
		user = c.profile.callerNumber
	}
	return []header{
		{"SIP-Content-Type", "freeswitch/data"}, {"SIP-From-User", user}, {"SIP-From-Host", "127.0.0.1"},
		{"SIP-To-User", c.profile.callerNumber}, {"SIP-To-Host", "127.0.0.1"},
		{"SIP-Contact-User", user}, {"SIP-Contact-Host", "127.0.0.1"},
	}
}
