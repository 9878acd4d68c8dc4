package esltest

import "strings"

// Dial starts a second leg from c, as the action `bridge` does, and returns while it
// rings. Several legs that are dialled before one answers are a ring group. The new
// leg gets c's exported variables before CHANNEL_CREATE (switch_channel.c,
// switch_channel_process_export). Dial returns nil if c has hung up.
func (c *Channel) Dial(leg Leg) *Channel {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down {
		return nil
	}
	leg = leg.withDefaults("127.0.0.1:6060")
	c.startDialling(leg)
	b := c.sw.newChannel(leg, "outbound", leg.Destination+"@"+leg.Host)
	from := &c.profile
	p := &b.profile
	p.username, p.callerName, p.callerNumber, p.ani = from.username, from.callerName, from.callerNumber, from.ani
	p.originalName, p.originalNumber = from.originalName, from.originalNumber
	p.calleeName, p.calleeNumber, p.context, p.rdnis = "Outbound Call", leg.Destination, from.context, from.rdnis
	b.other, b.otherType = from.asOriginator(), "originator"
	b.dialer = c
	c.dialing = append(c.dialing, b)
	b.setDialledVariables(c, leg)
	c.exportTo(b)
	b.create(leg)
	b.state, p.calleeName = "CS_CONSUME_MEDIA", leg.Destination
	p.times.progress = c.sw.tick()
	b.fire("CHANNEL_PROGRESS")
	return b
}

// startDialling sets what `bridge` sets on the dialling leg.
func (c *Channel) startDialling(leg Leg) {
	c.state, c.dialplan = "CS_EXECUTE", true
	data := "sofia/" + leg.Profile + "/" + leg.Destination + "@" + leg.Host
	user, domain := leg.Variables["dialed_user"], leg.Variables["dialed_domain"]
	if user != "" {
		data = "user/" + user + "@" + domain
	}
	c.vars.set("current_application_data", data)
	c.vars.set("current_application", "bridge")
	if user != "" {
		c.vars.set("dialed_user", user)
		c.vars.set("dialed_domain", domain)
	}
	c.vars.set("originate_disposition", "failure")
	c.vars.set("DIALSTATUS", "INVALIDARGS")
	c.vars.set("originate_signal_bond", leg.UUID)
	c.vars.set("originated_legs", leg.UUID+";Outbound Call;"+leg.Destination)
}

func (c *Channel) setDialledVariables(from *Channel, leg Leg) {
	call, ok := from.vars.get("call_uuid")
	if !ok {
		call = from.uuid
	}
	host, _, _ := strings.Cut(leg.Host, ":")
	fromHost, _ := from.vars.get("sip_from_host")
	for _, h := range []header{
		{"sip_local_network_addr", "127.0.0.1"},
		{"sip_profile_name", leg.Profile},
		{"text_media_flow", "disabled"},
		{"channel_name", c.profile.channelName},
		{"sip_destination_url", "sip:" + leg.Destination + "@" + leg.Host},
		{"sip_cid_type", "rpid"},
		{"max_forwards", "69"},
		{"originator_codec", "PCMU@8000h@20i"},
		{"originator", from.uuid},
		{"signal_bond", from.uuid},
		{"call_uuid", call},
		{"sip_invite_domain", host},
		{"originate_early_media", "true"},
		{"originating_leg_uuid", from.uuid},
		{"originate_endpoint", "sofia"},
		{"rtp_use_codec_string", "PCMU@8000h@20i"},
		{"audio_media_flow", "sendrecv"},
		{"video_media_flow", "inactive"},
		{"sip_req_uri", leg.Destination + "@" + leg.Host},
		{"sip_to_host", leg.Host},
		{"sip_from_host", fromHost},
		{"sofia_profile_name", leg.Profile},
		{"recovery_profile_name", leg.Profile},
	} {
		c.vars.set(h.name, h.value)
	}
	if user := leg.Variables["dialed_user"]; user != "" {
		c.vars.set("presence_id", user+"@"+leg.Variables["dialed_domain"])
	}
}

// exportTo copies the exported variables, and their list, to a new leg. A name is
// looked up as it is listed (with `nolocal:`) and set without that. A value with
// `${` in it is refused.
func (c *Channel) exportTo(b *Channel) {
	list, ok := c.lookup("export_vars")
	if !ok {
		return
	}
	b.vars.setChecked("export_vars", list)
	for _, name := range separate(list, ',', 256) {
		value, ok := c.lookup(name)
		if !ok {
			continue
		}
		bare := withoutNolocal(name)
		if !b.vars.setChecked(bare, value) {
			c.sw.log.Error("esltest: export: Invalid data (${" + bare + "} contains a variable)")
		}
	}
}

func withoutNolocal(name string) string {
	for _, prefix := range []string{"nolocal:", "_nolocal_"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return name[len(prefix):]
		}
	}
	return name
}

// dialStatus is DIALSTATUS of a failed dial, by cause, where it is not the cause
// itself (switch_ivr_originate.c).
var dialStatus = map[string]string{"USER_BUSY": "BUSY", "NO_ANSWER": "NOANSWER", "ORIGINATOR_CANCEL": "CANCEL"}

// legFailed tells the dialling leg that one of the legs that it dialled has ended.
func (c *Channel) legFailed(leg *Channel) {
	for i, l := range c.dialing {
		if l == leg {
			c.dialing = append(c.dialing[:i:i], c.dialing[i+1:]...)
		}
	}
	if len(c.dialing) == 0 {
		c.vars.set("originate_disposition", leg.cause)
		status, known := dialStatus[leg.cause]
		if !known {
			status = leg.cause
		}
		c.vars.set("DIALSTATUS", status)
	}
}
