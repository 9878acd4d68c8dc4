package esltest

import (
	"cmp"
	"fmt"
)

// fire fires an event about the channel.
func (c *Channel) fire(name string, extra ...header) {
	c.fireAround(name, nil, extra)
}

// fireAround fires an event with headers before and after the channel's own.
func (c *Channel) fireAround(name string, before, after []header) {
	if c.gone {
		return
	}
	if !c.sw.anyoneWants(name, "") {
		c.sw.sequence++
		return
	}
	e := c.sw.newEvent(name)
	e.headers = append(e.headers, before...)
	c.describe(e)
	e.headers = append(e.headers, after...)
	c.sw.fire(e)
}

// terse are the events that carry no channel variables (switch_channel.c,
// switch_channel_event_set_extended_data).
var terse = map[string]bool{"DTMF": true, "CHANNEL_STATE": true, "RECV_INFO": true, "CHANNEL_APPLICATION": true}

// describe adds the channel's headers and variables (switch_channel.c,
// switch_channel_event_set_data).
func (c *Channel) describe(e *event) {
	c.describeBasic(e)
	if terse[e.name] {
		return
	}
	for _, v := range c.vars.list {
		e.add("variable_"+v.name, v.value)
	}
}

// describeBasic adds the channel's headers (switch_channel.c,
// switch_channel_event_set_basic_data).
func (c *Channel) describeBasic(e *event) {
	direction := c.profile.direction
	e.add("Channel-State", c.state)
	e.add("Channel-Call-State", c.callState)
	e.add("Channel-State-Number", stateNumbers[c.state])
	e.add("Channel-Name", c.profile.channelName)
	e.add("Unique-ID", c.uuid)
	e.add("Call-Direction", direction)
	e.add("Presence-Call-Direction", direction)
	e.add("Channel-HIT-Dialplan", fmt.Sprint(c.dialplan))
	if id, ok := c.vars.get("presence_id"); ok {
		e.add("Channel-Presence-ID", id)
	}
	call, ok := c.vars.get("call_uuid")
	if !ok {
		call = c.uuid
	}
	e.add("Channel-Call-UUID", call)
	e.add("Answer-State", c.answerState())
	e.addIf("Hangup-Cause", c.cause)
	for _, way := range []string{"Read", "Write"} {
		if c.outbound && !c.answered && !c.early {
			break // no codec yet
		}
		e.add("Channel-"+way+"-Codec-Name", "PCMU")
		e.add("Channel-"+way+"-Codec-Rate", cmp.Or(c.codecRate, "8000"))
		e.add("Channel-"+way+"-Codec-Bit-Rate", "64000")
	}
	c.profile.write(e, "Caller")
	if c.other != nil {
		e.add("Other-Type", c.otherType)
		c.other.write(e, "Other-Leg")
	}
}

func (c *Channel) answerState() string {
	switch {
	case c.down:
		return "hangup"
	case c.answered:
		return "answered"
	case c.early:
		return "early"
	}
	return "ringing"
}

var stateNumbers = map[string]string{
	"CS_NEW": "0", "CS_INIT": "1", "CS_ROUTING": "2", "CS_SOFT_EXECUTE": "3", "CS_EXECUTE": "4",
	"CS_EXCHANGE_MEDIA": "5", "CS_PARK": "6", "CS_CONSUME_MEDIA": "7", "CS_HANGUP": "10", "CS_REPORTING": "11",
	"CS_DESTROY": "12",
}
