package esltest

import (
	"fmt"
	"strconv"
	"time"
)

// Hangup ends the leg with a cause (NORMAL_CLEARING if it is empty), the legs that
// it is still dialling (ORIGINATOR_CANCEL), and the leg that it is bridged with.
//
// With hangup_after_bridge=false on Bridge-A, that leg goes on in the dialplan when
// the other one hangs up. FreeSWITCH runs each leg in a thread, so the order of the
// last events of two legs may differ from call to call. Here it is that of the
// captures: the leg that hangs up first ends first.
func (c *Channel) Hangup(cause string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	c.hangup(cause)
}

func (c *Channel) hangup(cause string) {
	if c.down {
		return
	}
	if cause == "" {
		cause = "NORMAL_CLEARING"
	}
	peer, isA := c.partner, c.isA
	c.goDown(cause)
	for _, leg := range c.dialing {
		leg.dialer = nil
		leg.hangup("ORIGINATOR_CANCEL")
	}
	c.dialing = nil
	if c.dialer != nil {
		c.dialer.legFailed(c)
	}
	switch {
	case peer == nil:
		c.finish()
	case isA:
		c.vars.set("bridge_hangup_cause", cause)
		unbridge(c, peer)
		peer.vars.set("bridge_hangup_cause", cause)
		peer.vars.set("call_uuid", peer.uuid)
		c.finish()
		peer.hangup(cause)
	default:
		c.hangUpBridged(peer, cause)
	}
}

// hangUpBridged ends Bridge-B and then Bridge-A, or lets Bridge-A go on.
func (c *Channel) hangUpBridged(a *Channel, cause string) {
	c.settle()
	a.settle()
	c.partner = nil
	c.finish()
	after, set := a.vars.get("hangup_after_bridge")
	a.vars.set("bridge_hangup_cause", cause)
	if set && !isTrue(after) {
		unbridge(a, c)
		return
	}
	a.goDown(cause)
	unbridge(a, c)
	a.finish()
}

// goDown marks the leg as hung up. finish ends it.
func (c *Channel) goDown(cause string) {
	c.settle()
	c.down, c.cause = true, cause
	c.profile.times.hangup = c.sw.tick()
	c.fire("CHANNEL_HANGUP")
	close(c.done)
}

// finish ends a leg that has hung up: its recordings, the report, its events.
func (c *Channel) finish() {
	c.leaveRoom()
	c.stopEavesdropping()
	c.stopEavesdroppers()
	if c.parked {
		c.parked = false
		c.fire("CHANNEL_UNPARK")
	}
	c.state = "CS_HANGUP"
	for len(c.displaced) > 0 {
		c.stopDisplacing(c.displaced[0].path)
	}
	for len(c.recordings) > 0 {
		c.recordings[0].stop()
	}
	c.state, c.callState = "CS_REPORTING", "HANGUP"
	c.setReport()
	c.fireAround("CHANNEL_HANGUP_COMPLETE", []header{{"Hangup-Cause", c.cause}}, nil)
	c.state = "CS_DESTROY"
	c.fire("CHANNEL_DESTROY")
	delete(c.sw.channels, c.uuid)
	for i, other := range c.sw.order {
		if other == c {
			c.sw.order = append(c.sw.order[:i:i], c.sw.order[i+1:]...)
			break
		}
	}
}

// causes are the Q.850 numbers of the causes with which calls end here.
var causes = map[string]int{
	"NORMAL_CLEARING": 16, "USER_BUSY": 17, "NO_USER_RESPONSE": 18, "NO_ANSWER": 19, "CALL_REJECTED": 21,
	"NORMAL_TEMPORARY_FAILURE": 41, "ORIGINATOR_CANCEL": 487, "LOSE_RACE": 502, "MANAGER_REQUEST": 503,
	"BLIND_TRANSFER": 600, "ATTENDED_TRANSFER": 601, "PICKED_OFF": 605,
}

// setReport sets the variables of the call's end (switch_channel.c,
// switch_channel_set_timestamps).
func (c *Channel) setReport() {
	t := &c.profile.times
	c.vars.set("hangup_cause", c.cause)
	c.vars.set("hangup_cause_q850", strconv.Itoa(causes[c.cause]))
	c.vars.set("digits_dialed", "none")
	for _, s := range []struct {
		name string
		at   time.Time
	}{
		{"start", t.created}, {"profile_start", t.profileCreated}, {"answer", t.answered}, {"bridge", t.bridged}, {"end", t.hangup},
	} {
		if !s.at.IsZero() {
			c.vars.set(s.name+"_stamp", s.at.Format(time.DateTime))
		}
		seconds := "0"
		if !s.at.IsZero() {
			seconds = strconv.FormatInt(s.at.Unix(), 10)
		}
		c.vars.set(s.name+"_epoch", seconds)
		c.vars.set(s.name+"_uepoch", stamp(s.at))
	}
	var bill time.Duration
	if !t.answered.IsZero() {
		bill = t.hangup.Sub(t.answered)
	}
	total := t.hangup.Sub(t.created)
	c.vars.set("duration", fmt.Sprint(int(total.Round(time.Second).Seconds())))
	c.vars.set("billsec", fmt.Sprint(int(bill.Round(time.Second).Seconds())))
	c.vars.set("mduration", fmt.Sprint(total.Milliseconds()))
	c.vars.set("billmsec", fmt.Sprint(bill.Milliseconds()))
}
