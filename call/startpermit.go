package call

import (
	"time"

	"tapedeck/call/files"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// startPermits let a recording begin with speech although somebody who may answer the
// call does not want to be recorded. The answer then starts the file masked. While
// only phones ring whose users may be recorded, each of them has a start permit, for
// short a permit: a command that FreeSWITCH runs when that phone is answered, and that
// takes the mask out of what the recorded leg runs when it is answered after the phone.
// Whoever takes the call otherwise (an application, a user who picks it up, a phone that
// is dialled later) has no permit, and the file begins silent. A permit that comes too
// late does nothing. So no order of events lets speech into a file that must be silent.
type startPermits struct {
	call  *call
	given map[string]bool // legs that may have a permit; false: one by the owner before
}

// permitVariable is the variable of a dialled leg with its start permit. FreeSWITCH
// runs it before the dialling leg notices the answer (switch_channel.c,
// switch_channel_perform_mark_answered).
const permitVariable = "api_on_answer_tapedeck"

// maskVariable is the variable of the recorded leg that masks the file at the answer.
const maskVariable = "execute_on_answer_tapedeck_2"

// keep gives permits and takes them back, so that exactly those legs have one whose
// answer may start the file with speech.
func (p *startPermits) keep(now time.Time) {
	c := p.call
	if c.route.direction == flow.Outbound || c.rec.Gone || c.rec.Pending != toggle.None {
		return
	}
	switch armed := c.rec.File == toggle.ArmedMasked; {
	case c.rec.Answered:
		clear(p.given)
	case armed && c.rec.Wanted() && c.route.allMayBeRecorded():
		p.give(now)
	case len(p.given) > 0:
		p.takeBack(armed, now)
	}
}

// give gives a permit to each leg that rings. A leg that has had one, was answered
// and rings no more has taken the mask out (a phone that refused the call after its
// answer): the mask is set again.
func (p *startPermits) give(now time.Time) {
	c := p.call
	var send []esl.Command
	for uuid := range p.given {
		if c.route.ringing[uuid] {
			continue
		}
		if l := c.ctl.legs.get(uuid); l == nil || l.answered {
			send = append(send, c.line.maskAgain()...)
		}
		delete(p.given, uuid)
	}
	for uuid := range c.route.ringing {
		if !p.given[uuid] && !c.ctl.legs.get(uuid).answered {
			p.given[uuid] = true
			send = append(send, esl.SetVar(uuid, permitVariable, "uuid_setvar "+c.route.first+" "+maskVariable))
		}
	}
	if len(send) > 0 {
		c.line.send(send, ignored, now)
	}
}

// permitLasts is how long a permit lasts after the answer of its phone. The recorded
// leg is answered some 20 ms after the phone, unless the phone has to confirm that it
// takes the call (group_confirm_key).
const permitLasts = 500 * time.Millisecond

// used notes that a phone was answered. If it had a permit and then does not take the
// call, the permit lapses.
func (p *startPermits) used(uuid string) {
	if c := p.call; p.given[uuid] && !c.rec.Answered {
		c.timers.permit.start(c.ctl, permitLasts, p.lapse)
	}
}

// lapse takes the permits back if the call is still not answered. Phones that only
// ring get new ones.
func (p *startPermits) lapse(now time.Time) {
	c := p.call
	if !c.rec.Answered && !c.rec.Gone && c.rec.Pending == toggle.None {
		p.takeBack(c.rec.File == toggle.ArmedMasked, now)
		c.followUp(now)
	}
}

// takeBack takes all permits back. If the answer is to start the file masked, it sets
// the mask again, because a permit may have been used just now.
func (p *startPermits) takeBack(armed bool, now time.Time) {
	c := p.call
	var send []esl.Command
	for uuid := range p.given {
		if c.ctl.legs.get(uuid) != nil {
			send = append(send, esl.SetVar(uuid, permitVariable, ""))
		}
	}
	clear(p.given)
	if armed {
		send = append(send, c.line.maskAgain()...)
	}
	if len(send) > 0 {
		c.line.send(send, ignored, now)
	}
}

// recall notes that the owner before may have given permits to the legs that ring.
func (p *startPermits) recall() {
	for uuid := range p.call.route.ringing {
		p.given[uuid] = false
	}
}

// maskAgain are the commands that set the mask of the recorded leg's answer again,
// and behind it the event that reports.
func (l *line) maskAgain() []esl.Command {
	values, r := l.armed(toggle.ArmMasked), &l.call.route
	return append(onLink{}.onAnswer(r, onAnswer[1], values[1]), onLink{}.onAnswer(r, onAnswer[2], values[2])...)
}

// allMayBeRecorded reports whether phones ring, and all of them are phones of users
// of the organisation who may be recorded.
func (r *route) allMayBeRecorded() bool {
	for uuid := range r.ringing {
		if !r.legs.get(uuid).is(r.org.ID) {
			return false
		}
	}
	return len(r.ringing) > 0 && !r.effective().CouldEnd(r.org.Precedence, r.coming(true))
}

// assumed is the state of the recording for those who did not see the answer: with a
// permit, it may have started the file with speech.
func (c *call) assumed() toggle.State {
	s := c.rec.State
	if files.Assumed(s) == toggle.ArmedMasked && len(c.permits.given) > 0 {
		s.File, s.Pending = toggle.ArmedUnsure, toggle.None
	}
	return s
}

// masked reports whether the answer of the recorded leg has masked its file, as the
// leg's variables say (an event of the leg, or a survey).
func masked(data channelData) bool { return data.Variable(maskVariable) != "" }
