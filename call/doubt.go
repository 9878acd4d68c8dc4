package call

import (
	"time"

	"tapedeck/call/confirm"
	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// doubt says whether the leg that begins a call is real. If FreeSWITCH has not confirmed it
// in time, its call begins all the same: the leg is sent what it needs for its answer, on
// the socket alone. Nothing goes over the watch link before FreeSWITCH has said, there, that
// the leg has taken what was sent.
type doubt struct {
	call *call
	open bool   // nobody knows yet
	from string // the call that the leg belonged to before; "" if none
	peer string // the leg that it was bridged with before: the end of that bridge may not be known yet
}

// ask asks FreeSWITCH. Without an answer it is asked again; after a lost link the survey of
// the next connection answers (reconnect.go).
func (d *doubt) ask(now time.Time) { d.askWithin(recheckAfter, now) }

// askWithin is ask. If there is no such leg, the events that tell of its end may still be on
// their way: then FreeSWITCH is asked once more, after this time.
func (d *doubt) askWithin(wait time.Duration, now time.Time) {
	c := d.call
	if !d.open || !c.isLive() {
		return
	}
	c.ctl.send(c.line.switchName, []esl.Command{esl.API("uuid_dump", c.route.first)}, func(replies []esl.Reply, err error, now time.Time) {
		switch {
		case !d.open || !c.isLive(), isCut(err):
		case err != nil:
			d.askLater(retryAfter, wait)
		case replies[0].Dump() != nil:
			d.settle(replies[0].Dump(), now)
			d.meet(now)
		case wait > 0:
			d.askLater(wait, 0)
		default:
			d.disown()
			delete(c.ctl.legs.all, c.route.first)
		}
	}, now)
}

func (d *doubt) askLater(after, wait time.Duration) {
	time.AfterFunc(after, func() { d.call.ctl.post(func(now time.Time) { d.askWithin(wait, now) }) })
}

// survey takes what FreeSWITCH says after a lost link. If the leg is gone, the one that it has
// dialled says whether it was real: it has the call's id from its greeting. Whom the call
// meets, it finds when it has caught up with its answer.
func (d *doubt) survey(s survey.Survey, now time.Time) {
	c, ctl := d.call, d.call.ctl
	if data := s.Data[c.route.first]; data != nil {
		d.settle(data, now)
		return
	}
	for _, data := range s.Data {
		if data.Variable("originator") == c.route.first && data.Variable("tapedeck_call") == c.id {
			d.trust(readEntry(ctl.cfg.Policy(), data), now)
			return
		}
	}
}

// settle takes what FreeSWITCH says of the leg. A leg that was at a socket, and has taken
// nothing there, begins its call over the watch link.
func (d *doubt) settle(data channelData, now time.Time) {
	c, ctl := d.call, d.call.ctl
	e := readEntry(ctl.cfg.Policy(), data)
	if c.line.hasGreeted(e) {
		d.trust(e, now)
		return
	}
	d.disown()
	if l := ctl.legs.get(e.leg); l != nil && l.core != "" { // all that is known of it may be forged
		delete(ctl.legs.all, e.leg)
		ctl.created(c.line.switchName, e.leg, data, now)
	}
	if e.call == "" && data.Variable("socket_host") != "" {
		reports{ctl}.begin(e, d.peer, now)
	}
}

// trust takes the proof that the leg is real. Its call has kept out of talks until now.
func (d *doubt) trust(e entry, now time.Time) {
	c := d.call
	d.open = false
	if k, err := handover.Read(e.snapshot); err == nil && k.Call == c.id && k.Owner != c.ctl.cfg.Calls.Instance() { // another instance has begun the call
		c.yield()
		return
	}
	c.log.Info("leg confirmed by FreeSWITCH")
	c.line.release(now)
}

// meet takes the bridge of a call that is confirmed now, and was not before.
func (d *doubt) meet(now time.Time) {
	c := d.call
	if l := c.ctl.legs.get(c.route.holder()); c.isLive() && !d.open && l != nil && l.peer != "" && l.peer != d.peer {
		talks{c.ctl}.meet(l.uuid, l.peer, now)
	}
}

// disown forgets a call that a stranger has begun. Nobody was told anything of it.
func (d *doubt) disown() {
	c, ctl := d.call, d.call.ctl
	ctl.cfg.Log.Warn("call forgotten: FreeSWITCH says that its leg has not entered", "leg", c.route.first)
	ctl.cfg.Stranger.tell("", "its leg has not entered")
	d.open, c.line.yielded = false, true
	c.timers.stop()
	delete(ctl.calls, c.id)
	if l := ctl.legs.get(c.route.first); l != nil && l.call == c.id {
		l.call = d.from
		l.begun--
	}
	c.presses.yield()
	c.announced.forgetLamps()
	c.count()
	for _, p := range c.files.All() {
		ctl.cfg.Archive.Discard(recording.ID(c.id, p.N))
	}
	ctl.cfg.Calls.End(c.route.org.ID, c.id)
}

// A stranger may have visited before the leg itself, and may have answered in its name. So
// what a confirmed leg has is compared with what it was sent.

// hasGreeted reports whether the leg has taken the greeting: no other can set its variable.
func (l *line) hasGreeted(e entry) bool { return e.file == l.call.files.All()[0].Path }

// missed is the greeting, if the leg has not taken it.
func (l *line) missed(e entry) []esl.Command {
	if e.standing != confirm.Confirmed || e.leg != l.call.route.first || l.hasGreeted(e) {
		return nil
	}
	return greetingOf(l.call, e).commands(esl.Execute)
}

// armedAs is the command by which a file got into a state before the answer.
var armedAs = map[toggle.File]toggle.Command{toggle.NoFile: toggle.Disarm, toggle.Armed: toggle.Arm, toggle.ArmedMasked: toggle.ArmMasked}

// armedOtherwise arms the leg as it counts as armed, or is about to, if it is not.
func (l *line) armedOtherwise(e entry) []esl.Command {
	rec := &l.call.rec
	command, known := armedAs[rec.File]
	if rec.Pending != toggle.None {
		command, known = rec.Pending, rec.Pending < toggle.Start
	}
	if !known || rec.Answered || rec.Held || e.standing != confirm.Confirmed || e.leg != l.call.route.first || l.armed(command) == e.armed {
		return nil
	}
	l.call.log.Info("leg is not armed as it should be: it is armed again", "command", command.String())
	return l.recordingCommands(onSocket{}, command)
}
