package esltest

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
	a.fireAround("CHANNEL_BRIDGE", bridgeHeaders(a, b), nil)
	for _, pair := range [][2]*Channel{{a, b}, {b, a}} {
		pair[0].vars.set("last_bridge_to", pair[1].uuid)
		pair[0].vars.set("bridge_channel", pair[1].profile.channelName)
		pair[0].vars.set("bridge_uuid", pair[1].uuid)
	}
	a.executeOn("execute_on_pre_bridge") // each leg in its own thread (switch_ivr_bridge.c, audio_bridge_thread)
	b.executeOn("execute_on_pre_bridge")
}

func bridgeHeaders(a, b *Channel) []header {
	return []header{{"Bridge-A-Unique-ID", a.uuid}, {"Bridge-B-Unique-ID", b.uuid}}
}

// unbridge separates two legs and fires CHANNEL_UNBRIDGE on Bridge-A.
func unbridge(a, b *Channel) {
	a.settle()
	b.settle()
	a.partner, b.partner = nil, nil
	a.fireAround("CHANNEL_UNBRIDGE", bridgeHeaders(a, b), nil)
}
