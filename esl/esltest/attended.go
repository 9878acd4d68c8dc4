package esltest

import (
	"fmt"
	"time"
)

// AttendedTransfer sends a REFER with Replaces from the phone that has leg c and a
// second call, consult, to the new party. The leg that c talked to is bridged with
// the leg that consult talked to, and the phone's two legs end. No dialplan runs. It
// returns the outside leg, which is Bridge-A now, and the new party's leg; nil, nil
// if either is not bridged.
//
// FreeSWITCH hangs the consult leg up about a second later; here it ends at once
// after the bridge.
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
	c.leaveBridge(outside, phoneIsA, "NORMAL_CLEARING")
	outside.state = "CS_SOFT_EXECUTE"
	bridge(outside, target)
	consult.hangup("ATTENDED_TRANSFER")
	return outside, target
}

// prepareUUIDBridge sets what the two legs know about each other before they are
// bridged (switch_ivr_bridge.c, switch_ivr_uuid_bridge).
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

// parkReplaced separates the consult leg from the new party.
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
