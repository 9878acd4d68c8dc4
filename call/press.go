package call

import (
	"fmt"
	"slices"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// press is one toggle of a person, as it arrives.
type press struct {
	method  toggle.Method
	leg     string // the person's phone; a press by the API has "" until it is obeyed
	user    string // id of the user; "" if it is no user of the call's organisation
	account string // of a press by the API: the account that asked in the user's name
	ask     toggle.Ask
	answer  func(toggle.Status, error) // takes the result of a press by the API; nil for other methods
	room    *roomPress                 // the press on all recordings in a conference room that this one is a part of; nil if none
}

// autoResume is the method of the press by which a pause ends by itself.
const autoResume toggle.Method = recording.AutoResume

func (p press) reply(status toggle.Status, err error) {
	if p.answer != nil {
		p.answer(status, err)
	}
}

// presses are the presses of one call.
type presses struct {
	call     *call
	waiting  []press     // obeyed; their result is not known and not announced yet
	last     press       // the last press that was obeyed and changed something
	lastAt   time.Time   // time of last
	undoTo   personState // what counted before the waiting presses
	toClear  string      // leg whose code was taken and must be cleared in FreeSWITCH; "" if none
	clearing string      // leg whose code is being cleared, without a reply yet; "" if none
}

// personState is what people want at one moment, and the press that said so.
type personState struct {
	person toggle.Person
	last   press
	lastAt time.Time
}

// codePressed takes the code that a phone has pressed.
func (ctl *Controller) codePressed(uuid string, now time.Time) {
	if l := ctl.legs.get(uuid); l != nil && l.spelled.due > 0 {
		l.spelled.due--
	}
	if c := ctl.callOn(uuid); c != nil {
		c.presses.toClear = uuid
	}
	ctl.pressedOn(uuid, toggle.DTMF, toggle.Turn, now)
}

// pressedOn takes a press on a leg into the call in which the leg talks.
func (ctl *Controller) pressedOn(uuid string, m toggle.Method, ask toggle.Ask, now time.Time) {
	c := ctl.callOn(uuid)
	if c == nil {
		ctl.cfg.Log.Info("press on a leg of no call", "leg", uuid, "method", string(m))
		return
	}
	p := press{method: m, leg: uuid, user: c.route.userOn(uuid), ask: ask}
	rooms{ctl}.press(c, p, now)
}

// take obeys or refuses a press, counts it and notes it in the trace
// (docs/design.md, section 2, rules 6 and 7).
func (ps *presses) take(p press, now time.Time) {
	c := ps.call
	if refusal := toggle.Permit(c.route.org, p.user, p.method, c.route.effective()); refusal != toggle.Permitted {
		ps.refuse(p, refusal, now)
		return
	}
	c.ctl.cfg.Meter.Toggle(string(p.method), recording.ResultOK)
	ps.note(p, recording.ResultOK, now)
	ps.obey(p, now)
}

// refuse refuses a press.
func (ps *presses) refuse(p press, why toggle.Refusal, now time.Time) {
	ps.call.ctl.cfg.Meter.Toggle(string(p.method), string(why))
	ps.note(p, string(why), now)
	ps.announce(p, notPermitted, now)
	p.reply(ps.call.rec.Status(), why)
}

// note writes a press into the trace and the log.
func (ps *presses) note(p press, result string, now time.Time) {
	c := ps.call
	c.trace.add(recording.Note{What: recording.NotePressed, Method: string(p.method), User: p.user, By: p.account, Result: result}, now)
	c.log.Info("press received", "method", string(p.method), "ask", p.ask.String(), "result", result)
	c.log.Debug("pressed by", "user", p.user, "account", p.account)
}

// obey carries a press out. The result of a press by the API is announced on the
// phone that is in the call.
func (ps *presses) obey(p press, now time.Time) {
	c := ps.call
	if p.method == toggle.API && p.leg == "" {
		p.leg = c.route.userPhone()
	}
	if len(ps.waiting) == 0 || c.rec.Person == toggle.Nobody {
		ps.undoTo = personState{c.rec.Person, ps.last, ps.lastAt}
	}
	ps.waiting = append(ps.waiting, p)
	if c.rec.Wanted() != (p.ask == toggle.TurnOn) || p.ask == toggle.Turn { // it asks for a change
		ps.last, ps.lastAt = p, now
	}
	c.happened(toggle.Fact{What: toggle.Pressed, Ask: p.ask}, now)
}

// announce plays a prompt to the person who pressed. It plays nothing to a leg that
// is no user's of the organisation.
func (ps *presses) announce(p press, prompt string, now time.Time) {
	if p.user != "" || p.method == autoResume {
		ps.call.play(p.leg, prompt, now)
	}
}

// open reports whether the result of a press of this phone is still to come.
func (ps *presses) open(phone string) bool {
	if m := ps.call.ctl.legs.rooms[ps.call.route.room.id]; m != nil && m.presses[phone] != nil && m.presses[phone].open > 0 {
		return true
	}
	return slices.ContainsFunc(ps.waiting, func(p press) bool { return p.leg == phone })
}

// settle announces the result to everybody who pressed, once FreeSWITCH has carried
// the presses out or has failed to.
func (ps *presses) settle(now time.Time) {
	c := ps.call
	if len(ps.waiting) == 0 || !ps.settled() {
		return
	}
	done := ps.waiting
	ps.waiting = nil
	status, prompt := c.rec.Status(), ps.outcome()
	var err error
	if prompt == notPermitted {
		err = fmt.Errorf("call: recording is %s: FreeSWITCH did not carry the press out", status)
	}
	announcedOn := map[string]bool{}
	for i := len(done) - 1; i >= 0; i-- { // the latest press first: one prompt for each phone
		done[i].reply(status, err)
		switch {
		case done[i].room != nil:
			done[i].room.settled(c, prompt, now)
		case !announcedOn[done[i].leg]:
			announcedOn[done[i].leg] = true
			ps.announce(done[i], prompt, now)
		}
	}
	if err != nil && !c.rec.Gone && done[len(done)-1].method != autoResume {
		ps.undo(done[0], now)
	}
	ps.keepResume(now)
}

// settled reports whether the last wish has been carried out or has failed. After a
// file that ended it waits if a further file is about to begin.
func (ps *presses) settled() bool {
	s := ps.call.rec.State
	switch {
	case s.Gone:
		return true
	case s.Pending != toggle.None, ps.call.timers.restartsSoon():
		return false
	case s.Held, s.File == toggle.Closed:
		return true
	case s.Answered && s.File != toggle.NoFile && s.File < toggle.Open:
		return false
	}
	return !s.Wanted() || s.Status() == toggle.On || !s.Answered
}

// outcome is the prompt that tells whether the recording is as wanted. Before the
// answer it judges by what is armed.
func (ps *presses) outcome() string {
	s := ps.call.rec.State
	on, off := s.Status() == toggle.On, s.Status() != toggle.On
	if !s.Answered {
		on = on || s.File == toggle.Armed || s.File == toggle.ArmedMasked && s.Guard
		off = off && s.File != toggle.Armed && s.File != toggle.ArmedUnsure
	}
	switch {
	case !s.Wanted() && off:
		return recorded
	case s.Wanted() && on:
		return isBeingRecorded
	}
	return notPermitted
}

// undo takes back a start or a resume that FreeSWITCH did not carry out. The person
// has heard "Not permitted", so the recording must not begin later by itself. If the
// file is still paused, or was before these presses, it stays paused. A pause that
// failed is not undone: it is tried until it works.
func (ps *presses) undo(first press, now time.Time) {
	c := ps.call
	if c.rec.Person != toggle.TurnedOn {
		return
	}
	c.trace.add(recording.Note{What: recording.NoteUndone, Method: string(ps.last.method), User: ps.last.user, By: ps.last.account}, now)
	c.log.Info("press undone: FreeSWITCH did not carry it out", "method", string(ps.last.method))
	before := toggle.Nobody
	switch {
	case ps.undoTo.person == toggle.TurnedOff:
		before, ps.last, ps.lastAt = toggle.TurnedOff, ps.undoTo.last, ps.undoTo.lastAt
	case c.rec.Status() == toggle.Paused:
		before, ps.last = toggle.TurnedOff, first
	}
	c.happened(toggle.Fact{What: toggle.Stands, Person: before}, now)
}

// reminderBefore is how long before the end of a pause by itself the user hears a
// tone.
const reminderBefore = 10 * time.Second

// keepResume keeps the timer running that ends a person's pause, if the organisation
// has auto_resume. After a takeover the time that has passed already counts.
func (ps *presses) keepResume(now time.Time) {
	c := ps.call
	limit := c.route.org.OnDemand.AutoResume
	paused := c.rec.Person == toggle.TurnedOff && !c.rec.Gone
	left := limit - now.Sub(ps.lastAt)
	timer := &c.timers.resume
	switch {
	case !paused || limit == 0:
		timer.stop()
	case timer.running():
	case left <= reminderBefore:
		timer.start(c.ctl, max(left, 0), ps.resume)
	default:
		timer.start(c.ctl, left-reminderBefore, func(now time.Time) {
			c.play(c.route.userPhone(), pauseEndsSoon, now)
			timer.start(c.ctl, reminderBefore, ps.resume)
		})
	}
}

// resume ends a pause by itself. Against a lock there is no press: then the chain
// decides again.
func (ps *presses) resume(now time.Time) {
	c := ps.call
	if c.route.effective().Locked {
		c.log.Info("pause ends by itself: the lock says what is recorded")
		c.happened(toggle.Fact{What: toggle.Stands}, now)
		return
	}
	c.ctl.cfg.Meter.Toggle(string(autoResume), "ok")
	c.trace.add(recording.Note{What: recording.NotePressed, Method: string(autoResume), Result: recording.ResultOK}, now)
	c.log.Info("pause ends by itself")
	ps.obey(press{method: autoResume, leg: c.route.userPhone(), ask: toggle.TurnOn}, now)
}

// yield answers the API's waiting presses when another instance takes the call over.
func (ps *presses) yield() {
	for _, p := range ps.waiting {
		p.reply(ps.call.rec.Status(), toggle.ErrNoCall)
		if p.room != nil {
			p.room.yield()
		}
	}
	ps.waiting = nil
}

// lastDigits is the channel variable in which FreeSWITCH keeps the code that a phone
// pressed. FreeSWITCH sets it before it makes the event (mod_dptools.c,
// digit_action_callback). Tapedeck clears it in the same write as the commands that
// follow from the press. So a code that was pressed while no Tapedeck listened is
// still there (absence.go).
const lastDigits = "last_matching_digits"

// outcomeNow is outcome for a press whose result was lost: a user whose voice is written into
// another file of the talk, as in a conference room, is not told "Recorded".
func (ps *presses) outcomeNow() string {
	prompt := ps.outcome()
	if prompt == recorded && ps.call.announced.latest().voice == toggle.On {
		return isBeingRecorded
	}
	return prompt
}

// clearCode returns the command that clears the code of the press that was taken,
// and the leg; none if there is no such press.
func (ps *presses) clearCode() (send []esl.Command, leg string) {
	if ps.toClear == "" {
		return nil, ""
	}
	leg = ps.toClear
	ps.toClear, ps.clearing = "", leg
	return []esl.Command{esl.SetVar(leg, lastDigits, "")}, leg
}

// codeCleared notes that FreeSWITCH has cleared the code of a leg.
func (ps *presses) codeCleared(leg string) {
	if ps.clearing == leg {
		ps.clearing = ""
	}
}
