package esltest

import (
	"fmt"
	"time"
)

// BlindTransfer sends a REFER to a number from the phone of leg c. The phone's leg
// ends. The leg that it talked to, which is returned, is in the dialplan again with
// that destination; the caller's code goes on there with Socket and Dial. Its context
// is force_transfer_context, transfer_context or the one that it had. BlindTransfer
// returns nil if c is not bridged.
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
	c.leaveBridge(outside, phoneIsA, "NORMAL_CLEARING")
	outside.state, outside.dialplan = "CS_EXECUTE", true
	return outside
}

// ConfirmedTransfer is BlindTransfer from a leg with confirm_blind_transfer: the
// phone's leg is parked until it is known whether the transfer succeeds. The outside
// leg, which is returned, is in the dialplan with that destination and
// blind_transfer_uuid. Refuse lets the transfer fail. ConfirmedTransfer returns nil if
// c is not bridged or has no confirm_blind_transfer.
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

// Refuse ends a ConfirmedTransfer whose outside leg found no extension: the phone
// gets 403, and the two legs are bridged again, the phone's leg as Bridge-A.
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

// leaveBridge ends leg c, which was bridged with stays. stays goes on.
func (c *Channel) leaveBridge(stays *Channel, phoneIsA bool, cause string) {
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

// reroute gives a leg the caller profile with which it enters the dialplan again.
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
	if c.outbound { // the called party is now the caller
		c.vars.set("pre_transfer_caller_id_name", p.callerName)
		c.vars.set("pre_transfer_caller_id_number", p.callerNumber)
		c.vars.set("channel_cid_flipped", "yes")
		p.callerName, p.callerNumber = p.rdnis, p.rdnis
	} else {
		c.other = nil
	}
}
