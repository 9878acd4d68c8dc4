package esltest

import "strings"

// Answer answers the channel. On an incoming leg it is the application
// `answer`; on a dialled leg the phone is picked up: the leg answers, other
// legs that were dialled with it lose, the dialling leg answers if it has not
// yet, and the two are bridged.
//
// On every leg that is answered, execute_on_answer*, then api_on_answer* run
// before any audio flows (switch_channel.c,
// switch_channel_perform_mark_answered).
func (c *Channel) Answer() { c.AnswerAgainst() }

// AnswerAgainst is Answer when rivals, dialled with it, are picked up at the
// same moment and lose.
func (c *Channel) AnswerAgainst(rivals ...*Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || c.answered {
		return
	}
	if !c.outbound || c.dialer == nil {
		c.execute("answer", "")
		return
	}
	for _, r := range rivals {
		r.pickUp()
	}
	c.pickUp()
	if !c.down {
		c.win()
	}
}

// pickUp answers a dialled leg.
func (c *Channel) pickUp() {
	c.state = "CS_CONSUME_MEDIA"
	c.markAnswered()
}

// win ends the dialling: the losers go, the dialling leg answers, the two talk.
func (c *Channel) win() {
	a := c.dialer
	legs := a.dialing
	a.dialing, c.dialer = nil, nil
	for _, l := range legs {
		if l == c {
			continue
		}
		if l.answered {
			a.other, a.otherType = l.profile.asOriginatee(), "originatee"
		}
		l.dialer = nil
		l.hangup("LOSE_RACE")
	}
	if user, _ := c.vars.get("dialed_user"); user != "" && len(legs) == 1 {
		// user/ remembers the dialling leg later than sofia/ does
		c.other.calleeName, c.other.calleeNumber = c.profile.calleeNumber, c.profile.calleeNumber
	}
	a.profile.calleeName, a.profile.calleeNumber = c.profile.calleeNumber, c.profile.calleeNumber
	a.markAnswered()
	a.vars.set("originate_disposition", "SUCCESS")
	a.vars.set("DIALSTATUS", "SUCCESS")
	bridge(a, c)
}

// markAnswered is switch_channel.c, switch_channel_perform_mark_answered.
func (c *Channel) markAnswered() {
	if c.down || c.answered {
		return
	}
	c.settle()
	c.answered = true
	c.profile.times.answered = c.sw.tick()
	c.fire("CHANNEL_ANSWER")
	c.vars.set("endpoint_disposition", "ANSWER")
	c.executeOn("execute_on_answer")
	if !c.early {
		c.executeOn("execute_on_media")
		c.apiOn("api_on_media")
	}
	c.apiOn("api_on_answer")
	if !c.outbound {
		c.callState = "ACTIVE"
	}
}

// preAnswer gives an unanswered leg media (183), as `start` of a recording
// does; false when the leg has hung up.
func (c *Channel) preAnswer() bool {
	if c.down {
		return false
	}
	if c.answered || c.early {
		return true
	}
	c.early = true
	c.vars.set("endpoint_disposition", "EARLY MEDIA")
	c.profile.times.progressMedia = c.sw.tick()
	c.fire("CHANNEL_PROGRESS_MEDIA")
	c.executeOn("execute_on_pre_answer")
	c.executeOn("execute_on_media")
	c.apiOn("api_on_pre_answer")
	c.apiOn("api_on_media")
	c.callState = "EARLY"
	return true
}

// executeOn runs the applications in all variables whose names begin so, in
// the variables' order (switch_channel.c, switch_channel_execute_on). The
// application ends at a space or a single colon; `app::args` runs too.
func (c *Channel) executeOn(prefix string) {
	for _, v := range c.vars.withPrefix(prefix) {
		app, args := v.value, ""
		if i := strings.IndexAny(app, " :"); i >= 0 {
			app, args = v.value[:i], v.value[i+1:]
			if strings.HasPrefix(v.value[i:], "::") {
				args = args[1:]
			}
		}
		if err := c.execute(app, args); err != nil {
			c.sw.log.Warn("esltest: execute_on failed", "variable", v.name, "error", err)
		}
	}
}

// apiOn runs the API commands in all variables whose names begin so.
func (c *Channel) apiOn(prefix string) {
	for _, v := range c.vars.withPrefix(prefix) {
		command, args := cutWord(v.value)
		reply := c.sw.api(command, c.expand(args))
		c.sw.log.Debug("esltest: api_on", "variable", v.name, "reply", reply)
	}
}

// Dial starts a second leg from c, as the action `bridge` does, and returns
// while it rings. Several legs dialled before one answers are a ring group.
// The exported variables of c are applied before CHANNEL_CREATE
// (switch_channel.c, switch_channel_process_export). nil when c has hung up.
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

// startDialling is what `bridge` does to the dialling leg.
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

// exportTo copies the exported variables to a new leg, and the list itself. A
// name is looked up as it is listed (with `nolocal:`) and set without it; a
// value with `${` in it is refused.
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

// bridge joins two answered legs; a is Bridge-A (switch_ivr_bridge.c,
// switch_ivr_multi_threaded_bridge).
func bridge(a, b *Channel) {
	if a.down || b.down {
		return
	}
	a.settle()
	b.settle()
	now := a.sw.tick()
	a.partner, b.partner, a.isA, b.isA = b, a, true, false
	a.other, a.otherType = b.profile.asOriginatee(), "originatee"
	if b.other == nil || b.other.uuid != a.uuid {
		b.other, b.otherType = a.profile.asOriginator(), "originator"
	}
	a.profile.times.bridged, b.profile.times.bridged = now, now
	a.callState, b.callState = "ACTIVE", "ACTIVE"
	b.state = "CS_EXCHANGE_MEDIA"
	a.vars.set("signal_bond", b.uuid)
	b.vars.set("signal_bond", a.uuid)
	a.fireAround("CHANNEL_BRIDGE", ends(a, b), nil)
	for _, pair := range [][2]*Channel{{a, b}, {b, a}} {
		pair[0].vars.set("last_bridge_to", pair[1].uuid)
		pair[0].vars.set("bridge_channel", pair[1].profile.channelName)
		pair[0].vars.set("bridge_uuid", pair[1].uuid)
	}
}

func ends(a, b *Channel) []header {
	return []header{{"Bridge-A-Unique-ID", a.uuid}, {"Bridge-B-Unique-ID", b.uuid}}
}

// unbridge parts two legs and tells so on Bridge-A.
func unbridge(a, b *Channel) {
	a.settle()
	b.settle()
	a.partner, b.partner = nil, nil
	a.fireAround("CHANNEL_UNBRIDGE", ends(a, b), nil)
}
