package esltest

import "strings"

// Answer answers the channel. On an incoming leg it is the application `answer`. On
// a dialled leg the phone is picked up: the leg answers, the other legs that were
// dialled with it are hung up, the dialling leg answers if it has not yet, and the
// two are bridged.
//
// On every leg that is answered, execute_on_answer* and then api_on_answer* run
// before any audio flows (switch_channel.c,
// switch_channel_perform_mark_answered).
func (c *Channel) Answer() { c.AnswerAgainst() }

// AnswerAgainst is Answer when rivals, which were dialled with it, are picked up at
// the same moment and lose the race.
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
		c.winDial()
	}
}

// pickUp answers a dialled leg.
func (c *Channel) pickUp() {
	c.state = "CS_CONSUME_MEDIA"
	c.markAnswered()
}

// winDial ends the dialling: the other legs are hung up, the dialling leg answers,
// the two are bridged.
func (c *Channel) winDial() {
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
		// user/ takes over the dialling leg's data later than sofia/ does
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

// preAnswer gives an unanswered leg media (183), as the start of a recording does.
// It reports false if the leg has hung up.
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

// executeOn runs the applications in all variables whose names begin with prefix, in
// the order of the variables (switch_channel.c, switch_channel_execute_on). The
// application's name ends at a space or a single colon; `app::args` works too.
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

// apiOn runs the API commands in all variables whose names begin with prefix.
func (c *Channel) apiOn(prefix string) {
	for _, v := range c.vars.withPrefix(prefix) {
		command, args := cutWord(v.value)
		reply := c.sw.api(command, c.expand(args))
		c.sw.log.Debug("esltest: api_on", "variable", v.name, "reply", reply)
	}
}
