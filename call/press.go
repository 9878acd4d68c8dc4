package call

import (
	"fmt"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// press is one person's toggle during a call.
type press struct {
	method  toggle.Method
	leg     string // the person's phone; "" by the API, until the press is obeyed
	user    string // who; "" is nobody of the call's organisation
	account string // by the API: the account that asked for it, in the user's name
	ask     toggle.Press
	answer  func(toggle.Status, error) // by the API; nil otherwise
}

// autoResume is the method of a pause that ends by itself.
const autoResume toggle.Method = "auto_resume"

func (p press) reply(status toggle.Status, err error) {
	if p.answer != nil {
		p.answer(status, err)
	}
}

// presses are what people have pressed during one call.
type presses struct {
	call    *call
	waiting []press     // obeyed, and the person has not heard yet what came of it
	last    press       // obeyed last
	lastAt  time.Time   // when
	undoTo  personState // before the waiting ones
	code    string      // leg whose code was taken, and FreeSWITCH does not know it yet; "" if none
	unclear string      // the same, of which FreeSWITCH was told and has not confirmed it
}

// personState is what people have switched, who did, and when.
type personState struct {
	person toggle.Person
	last   press
	lastAt time.Time
}

// codePressed takes the code that a phone has pressed.
func (ctl *Controller) codePressed(uuid string, now time.Time) {
	if c := ctl.callOn(uuid); c != nil {
		c.presses.code = uuid
	}
	ctl.pressedOn(uuid, toggle.DTMF, toggle.Turn, now)
}

// pressedOn takes a press from a leg into the call in which the leg talks.
func (ctl *Controller) pressedOn(uuid string, m toggle.Method, ask toggle.Press, now time.Time) {
	c := ctl.callOn(uuid)
	if c == nil {
		ctl.cfg.Log.Info("press on a leg of no call", "leg", uuid, "method", string(m))
		return
	}
	c.presses.take(press{method: m, leg: uuid, user: c.route.userOn(uuid), ask: ask}, now)
}

// take takes a person's press: it is obeyed or refused, and either is counted and
// written down (docs/design.md, section 2, rules 6 and 7).
func (ps *presses) take(p press, now time.Time) {
	c := ps.call
	refusal := toggle.Permit(c.route.org, p.user, p.method, c.route.effective())
	result := string(refusal)
	if refusal == toggle.Permitted {
		result = "ok"
	}
	c.ctl.cfg.Meter.Toggle(string(p.method), result)
	c.trace.add(recording.Note{What: "pressed", Method: string(p.method), User: p.user, By: p.account, Result: result}, now)
	c.log.Info("press received", "method", string(p.method), "ask", p.ask.String(), "result", result)
	c.log.Debug("pressed by", "user", p.user, "account", p.account)
	if refusal != toggle.Permitted {
		ps.announce(p, notPermitted, now)
		p.reply(c.rec.Status(), refusal)
		return
	}
	ps.obey(p, now)
}

// obey carries a press out. A press by the API is announced on the phone that is in
// the call.
func (ps *presses) obey(p press, now time.Time) {
	c := ps.call
	if p.method == toggle.API {
		p.leg = c.route.userPhone()
	}
	if len(ps.waiting) == 0 || c.rec.Person == toggle.Nobody {
		ps.undoTo = personState{c.rec.Person, ps.last, ps.lastAt}
	}
	ps.waiting = append(ps.waiting, p)
	if c.rec.Wanted() != (p.ask == toggle.TurnOn) || p.ask == toggle.Turn { // it changes something
		ps.last, ps.lastAt = p, now
	}
	c.happened(toggle.Fact{What: toggle.Pressed, Press: p.ask}, now)
}

// send plays a prompt to the person who pressed, mixed into the talk. Whoever is
// nobody of the organisation hears nothing.
func (ps *presses) announce(p press, prompt string, now time.Time) {
	if p.user != "" || p.method == autoResume {
		ps.call.play(p.leg, prompt, now)
	}
}

// settleDoubt tells the people who pressed what came of it, once FreeSWITCH has
// confirmed it, or has not.
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
	told := map[string]bool{}
	for i := len(done) - 1; i >= 0; i-- { // once on each phone, however often it pressed
		done[i].reply(status, err)
		if !told[done[i].leg] {
			told[done[i].leg] = true
			ps.announce(done[i], prompt, now)
		}
	}
	if err != nil && !c.rec.Gone && done[len(done)-1].method != autoResume {
		ps.undo(done[0], now)
	}
	ps.keepResume(now)
}

// settled reports whether what was asked for last has been done, or has failed. A
// file that ended is not the last word if a further one begins soon.
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

// outcome is the prompt that says whether what is wanted is what is. Before the
// answer it is what the answer will start that counts.
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

// undo takes a start or a resume back that could not be carried out: whoever
// pressed has been told that it was not, so it must not be later. A pause that
// lasts is one from then on, whatever stood before the first of several presses. A
// pause that could not be carried out is tried again until it is.
func (ps *presses) undo(first press, now time.Time) {
	c := ps.call
	if c.rec.Person != toggle.SwitchedOn {
		return
	}
	c.trace.add(recording.Note{What: "undone", Method: string(ps.last.method), User: ps.last.user, By: ps.last.account}, now)
	c.log.Info("press undone: FreeSWITCH did not carry it out", "method", string(ps.last.method))
	before := toggle.Nobody
	switch {
	case ps.undoTo.person == toggle.SwitchedOff:
		before, ps.last, ps.lastAt = toggle.SwitchedOff, ps.undoTo.last, ps.undoTo.lastAt
	case c.rec.Status() == toggle.Paused:
		before, ps.last = toggle.SwitchedOff, first
	}
	c.happened(toggle.Fact{What: toggle.Stands, Person: before}, now)
}

// reminderBefore is how long before a pause ends by itself the user is told.
const reminderBefore = 10 * time.Second

// keepResume runs a timer while a person's pause lasts, if the organisation wants
// pauses to end by themselves. Of a call that was taken over, a part of the time is
// over already.
func (ps *presses) keepResume(now time.Time) {
	c := ps.call
	limit := c.route.org.OnDemand.AutoResume
	paused := c.rec.Person == toggle.SwitchedOff && !c.rec.Gone
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

// resume ends a pause by itself. Against a lock nobody resumes: then the chain says
// what is so.
func (ps *presses) resume(now time.Time) {
	c := ps.call
	if c.route.effective().Locked {
		c.log.Info("pause ends by itself: the lock says what is recorded")
		c.happened(toggle.Fact{What: toggle.Stands}, now)
		return
	}
	c.ctl.cfg.Meter.Toggle(string(autoResume), "ok")
	c.trace.add(recording.Note{What: "pressed", Method: string(autoResume), Result: "ok"}, now)
	c.log.Info("pause ends by itself")
	ps.obey(press{method: autoResume, leg: c.route.userPhone(), ask: toggle.TurnOn}, now)
}

// yield answers the API for a call that another instance follows from now on.
func (ps *presses) yield() {
	for _, p := range ps.waiting {
		p.reply(ps.call.rec.Status(), toggle.ErrNoCall)
	}
	ps.waiting = nil
}

// lastDigits is the variable of a phone's leg that FreeSWITCH sets to the code when
// it is pressed, before it makes the event (mod_dptools.c, digit_action_callback).
// It is cleared in one write with what follows from the press. So a code that was
// pressed while nobody listened is still there (absence.go).
const lastDigits = "last_matching_digits"

// clearCode clears the code of the press that was taken, if there is one.
func (ps *presses) clearCode() (send []esl.Command, leg string) {
	if ps.code == "" {
		return nil, ""
	}
	leg = ps.code
	ps.code, ps.unclear = "", leg
	return []esl.Command{esl.SetVar(leg, lastDigits, "")}, leg
}

// codeCleared notes that FreeSWITCH has cleared the code of a leg.
func (ps *presses) codeCleared(leg string) {
	if ps.unclear == leg {
		ps.unclear = ""
	}
}
