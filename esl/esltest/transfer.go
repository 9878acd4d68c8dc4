package esltest

import (
	"fmt"
	"time"
)

// BlindTransfer is a REFER from the phone of leg c to a number: the phone's
// leg ends, and the leg that it talked to, which is returned, is in the
// dialplan again with that destination; the caller's code goes on there with
// Socket and Dial. The context is force_transfer_context, transfer_context or
// its own. nil when c is not bridged.
//
// When the phone's leg is Bridge-A, FreeSWITCH ends it in its own thread, and
// its CHANNEL_UNBRIDGE and CHANNEL_HANGUP_COMPLETE may come after events of
// the transferred leg; here they come before.
func (c *Channel) BlindTransfer(destination string) *Channel {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	outside := c.partner
	if c.down || outside == nil {
		return nil
	}
	phoneIsA := c.isA
	c.settle()
	outside.settle()
	outside.reroute(destination)
	c.vars.set("transfer_disposition", "recv_replace")
	c.vars.set("transfer_to", "blind:"+outside.uuid)
	c.vars.set("transfer_destination", "blind:"+destination)
	c.vars.set("endpoint_disposition", "BLIND_TRANSFER")
	c.part(outside, phoneIsA, "NORMAL_CLEARING")
	outside.state, outside.dialplan = "CS_EXECUTE", true
	return outside
}

// ConfirmedTransfer is BlindTransfer from a leg with confirm_blind_transfer: the
// phone's leg is parked until the transfer's end is known. The outside leg, which
// is returned, is in the dialplan with that destination and blind_transfer_uuid;
// Refuse lets the transfer fail. nil when c is not bridged or does not confirm.
func (c *Channel) ConfirmedTransfer(destination string) *Channel {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	outside := c.partner
	if confirm, _ := c.vars.get("confirm_blind_transfer"); c.down || outside == nil || !isTrue(confirm) {
		return nil
	}
	c.settle()
	outside.settle()
	outside.reroute(destination)
	outside.vars.set("blind_transfer_uuid", c.uuid)
	if c.isA {
		unbridge(c, outside)
	} else {
		unbridge(outside, c)
	}
	c.state, c.parked = "CS_PARK", true
	c.fire("CHANNEL_PARK")
	outside.state, outside.dialplan = "CS_EXECUTE", true
	return outside
}

// Refuse ends a ConfirmedTransfer whose outside leg ran out of dialplan: the
// phone gets 403 and the two are joined again, the phone's leg as Bridge-A.
func (c *Channel) Refuse(outside *Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || outside.down {
		return
	}
	c.parked = false
	c.fire("CHANNEL_UNPARK")
	bridge(c, outside)
}

// part ends leg c, which was bridged with stays; stays goes on.
func (c *Channel) part(stays *Channel, phoneIsA bool, cause string) {
	if phoneIsA {
		unbridge(c, stays)
		c.goDown(cause)
		c.finish()
		return
	}
	c.goDown(cause)
	c.partner = nil
	c.finish()
	stays.vars.set("bridge_hangup_cause", cause)
	unbridge(stays, c)
}

// reroute gives a leg the caller profile of its new way through the dialplan.
func (c *Channel) reroute(destination string) {
	now := c.sw.tick()
	context, ok := c.vars.get("force_transfer_context")
	if !ok {
		context, ok = c.vars.get("transfer_context")
	}
	if !ok {
		context = c.profile.context
	}
	p := &c.profile
	p.transferSource = fmt.Sprintf("%d:%s:bl_xfer:%s/%s/XML", now.Unix(), newUUID(), destination, context)
	p.rdnis, p.destination, p.context = p.destination, destination, context
	p.index = fmt.Sprint(atoi(p.index) + 1)
	p.times.profileCreated, p.times.bridged = now, time.Time{}
	c.vars.set("transfer_history", p.transferSource)
	c.vars.set("transfer_source", p.transferSource)
	c.vars.set("call_uuid", c.uuid)
	c.vars.set("signal_bond", "")
	if c.outbound { // who was called is now the caller
		c.vars.set("pre_transfer_caller_id_name", p.callerName)
		c.vars.set("pre_transfer_caller_id_number", p.callerNumber)
		c.vars.set("channel_cid_flipped", "yes")
		p.callerName, p.callerNumber = p.rdnis, p.rdnis
	} else {
		c.other = nil
	}
}

// AttendedTransfer is a REFER with Replaces from the phone that has leg c and
// a second call, consult, to the new party: the leg that c talked to is
// bridged with the leg that consult talked to, and the phone's two legs end.
// It returns the outside leg, which is Bridge-A now, and the new party's. No
// dialplan is run. nil, nil when either is not bridged.
//
// FreeSWITCH hangs the consult leg up about a second later; here it is at
// once, after the bridge.
func (c *Channel) AttendedTransfer(consult *Channel) (outside, target *Channel) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	outside, target = c.partner, consult.partner
	if c.down || consult.down || outside == nil || target == nil {
		return nil, nil
	}
	consult.parkReplaced(target)
	phoneIsA := c.isA
	outside.prepareUUIDBridge(target)
	c.part(outside, phoneIsA, "NORMAL_CLEARING")
	outside.state = "CS_SOFT_EXECUTE"
	bridge(outside, target)
	consult.hangup("ATTENDED_TRANSFER")
	return outside, target
}

// prepareUUIDBridge is what the legs know of each other before they are joined
// (switch_ivr_bridge.c, switch_ivr_uuid_bridge).
func (c *Channel) prepareUUIDBridge(target *Channel) {
	now := c.sw.tick()
	for _, leg := range [][2]*Channel{{c, target}, {target, c}} {
		p := &leg[0].profile
		p.transferSource = fmt.Sprintf("%d:%s:uuid_br:%s", now.Unix(), newUUID(), leg[1].uuid)
		p.index = fmt.Sprint(atoi(p.index) + 1)
		p.times.profileCreated, p.times.bridged = now, time.Time{}
		leg[0].vars.set("bridge_uuid", leg[1].uuid)
		leg[0].vars.set("bridge_channel", leg[1].profile.channelName)
		leg[0].vars.set("signal_bond", leg[1].uuid)
	}
	c.vars.set("uuid_bridge", target.uuid)
	c.vars.set("transfer_source", c.profile.transferSource)
	c.profile.calleeName, c.profile.calleeNumber = target.profile.calleeName, target.profile.calleeNumber
	c.other, c.otherType = target.profile.asOriginatee(), "originatee"
	target.profile.callerName, target.profile.callerNumber = c.profile.callerName, c.profile.callerNumber
	if c.outbound {
		target.profile.callerName, target.profile.callerNumber = c.profile.destination, c.profile.destination
	}
	target.vars.set("call_uuid", c.uuid)
}

// parkReplaced takes the consult leg off the new party.
func (c *Channel) parkReplaced(target *Channel) {
	a, b := c, target
	if !c.isA {
		a, b = target, c
	}
	c.vars.set("transfer_disposition", "replaced")
	c.vars.set("endpoint_disposition", "ATTENDED_TRANSFER")
	unbridge(a, b)
	c.state = "CS_PARK"
	c.parked = true
	c.fire("CHANNEL_PARK")
}

// Park is the dialplan's `park`: the leg waits.
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

// Hold is the phone of leg c putting the other party on hold: c is not heard.
func (c *Channel) Hold() { c.setHold(true, "HELD", "CHANNEL_HOLD") }

// Unhold takes the other party back. The digits that were pressed meanwhile come.
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
