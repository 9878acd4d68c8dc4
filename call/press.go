package call

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tapedeck/recording"
	"tapedeck/toggle"
)

// press is one person's switch during a call.
type press struct {
	method toggle.Method
	leg    string // the person's phone; "" by the API
	user   string // who; "" is nobody of the call's organisation
	by     string // by the API: the account that asked for it, in the user's name
	ask    toggle.Press
	answer func(toggle.Status, error) // by the API; nil otherwise
}

// autoResume is the method of a pause that ends by itself.
const autoResume toggle.Method = "auto_resume"

// pressed takes a person's switch: it is obeyed or refused, and either is
// counted and written down (design.md section 2, rules 6 and 7).
func (d *Desk) pressed(c *call, p press) {
	refusal := toggle.Permit(c.org, p.user, p.method, c.effective())
	result := string(refusal)
	if refusal == toggle.Permitted {
		result = "ok"
	}
	d.cfg.Meter.Toggle(string(p.method), result)
	c.note(recording.Note{What: "pressed", Method: string(p.method), User: p.user, By: p.by, Result: result})
	c.log.Info("switch pressed", "method", string(p.method), "ask", p.ask.String(), "result", result)
	c.log.Debug("pressed by", "user", p.user, "account", p.by)
	if refusal != toggle.Permitted {
		d.hear(c, p, notPermitted)
		p.reply(c.rec.Status(), refusal)
		return
	}
	d.obey(c, p)
}

// obey carries a switch out. Of one by the API the phone hears that is on the
// call.
func (d *Desk) obey(c *call, p press) {
	if p.method == toggle.API {
		p.leg = c.phone(d.legs)
	}
	if len(c.presses) == 0 || c.rec.Person == toggle.Nobody {
		c.stands = standing{c.rec.Person, c.switched, c.switchedAt}
	}
	c.presses = append(c.presses, p)
	if c.rec.Wanted() != (p.ask == toggle.TurnOn) || p.ask == toggle.Turn { // it changes something
		c.switched, c.switchedAt = p, time.Now()
	}
	d.happened(c, toggle.Fact{What: toggle.Pressed, Press: p.ask})
}

func (p press) reply(told toggle.Status, err error) {
	if p.answer != nil {
		p.answer(told, err)
	}
}

// pressedOn takes a switch from a leg. The call is the one whose recorded leg
// this is, or the one whose recorded leg it talks to.
func (d *Desk) pressedOn(uuid string, m toggle.Method, ask toggle.Press) {
	c := d.callOn(uuid)
	if c == nil {
		d.cfg.Log.Info("switch pressed on a leg of no call", "leg", uuid, "method", string(m))
		return
	}
	d.pressed(c, press{method: m, leg: uuid, user: c.userOn(d.legs[uuid]), ask: ask})
}

// callOn is the live call in which a leg talks: the one whose recorded leg it
// is, or whose recorded leg it is bridged with.
func (d *Desk) callOn(uuid string) *call {
	if c := d.callAnchored(uuid); c != nil {
		return c
	}
	if l := d.legs[uuid]; l != nil {
		return d.callAnchored(l.peer)
	}
	return nil
}

// userOn is the user of the call's organisation whose phone a leg is.
func (c *call) userOn(l *leg) string {
	if l.is(c.org.ID) {
		return l.user
	}
	return ""
}

// settlePresses tells the people who pressed what came of it, once FreeSWITCH
// has confirmed it, or has not.
func (d *Desk) settlePresses(c *call) {
	if len(c.presses) == 0 || !c.settled() {
		return
	}
	done := c.presses
	c.presses = nil
	told, prompt := c.rec.Status(), c.outcome()
	var err error
	if prompt == notPermitted {
		err = fmt.Errorf("call: recording is %s: FreeSWITCH did not carry the switch out", told)
	}
	heard := map[string]bool{}
	for i := len(done) - 1; i >= 0; i-- { // once on each phone, however often it pressed
		done[i].reply(told, err)
		if !heard[done[i].leg] {
			heard[done[i].leg] = true
			d.hear(c, done[i], prompt)
		}
	}
	if err != nil && !c.rec.Gone && done[len(done)-1].method != autoResume {
		d.undo(c, done[0])
	}
	d.keepResume(c)
}

// outcome is the prompt that says whether what is wanted is what is. Before the
// answer it is what the answer will start that counts.
func (c *call) outcome() string {
	s := c.rec
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

// standing is what people have switched, who did, and when.
type standing struct {
	person     toggle.Person
	switched   press
	switchedAt time.Time
}

// undo takes a start or a resume back that could not be carried out: whoever
// pressed has been told that it was not, so it must not be later. A pause that
// lasts is one from then on, whatever stood before the first of several presses. A
// pause that could not be carried out is tried again until it is.
func (d *Desk) undo(c *call, first press) {
	if c.rec.Person != toggle.SwitchedOn {
		return
	}
	c.note(recording.Note{What: "undone", Method: string(c.switched.method), User: c.switched.user, By: c.switched.by})
	c.log.Info("switch taken back: it was not carried out", "method", string(c.switched.method))
	before := toggle.Nobody
	switch {
	case c.stands.person == toggle.SwitchedOff:
		before, c.switched, c.switchedAt = toggle.SwitchedOff, c.stands.switched, c.stands.switchedAt
	case c.rec.Status() == toggle.Paused:
		before, c.switched = toggle.SwitchedOff, first
	}
	d.happened(c, toggle.Fact{What: toggle.Stands, Person: before})
}

// settled reports whether what was asked for last has been done, or has failed.
// A file that ended is not the last word if a further one begins soon.
func (c *call) settled() bool {
	s := c.rec
	switch {
	case s.Gone:
		return true
	case s.Pending != toggle.None, c.beginsSoon():
		return false
	case s.Held, s.File == toggle.Closed:
		return true
	case s.Answered && s.File != toggle.NoFile && s.File < toggle.Open:
		return false
	}
	return !s.Wanted() || s.Status() == toggle.On || !s.Answered
}

// keepResume runs a timer while a person's pause lasts, if the organisation
// wants pauses to end by themselves.
func (d *Desk) keepResume(c *call) {
	limit := c.org.OnDemand.AutoResume
	paused := c.rec.Person == toggle.SwitchedOff && !c.rec.Gone
	left := limit - time.Since(c.switchedAt) // of a call that was taken over
	switch {
	case !paused || limit == 0:
		c.stopResume()
	case c.resume != nil: // it runs already
	case left <= reminderBefore:
		c.resumeIn(d, max(left, 0), func() { d.resumeByItself(c) })
	default:
		c.resumeIn(d, left-reminderBefore, func() {
			d.remind(c)
			c.resumeIn(d, reminderBefore, func() { d.resumeByItself(c) })
		})
	}
}

// reminderBefore is how long before a pause ends by itself the user is told.
const reminderBefore = 10 * time.Second

// resumeIn calls then, in Run, after a while, unless the pause ends before.
func (c *call) resumeIn(d *Desk, after time.Duration, then func()) {
	var t *time.Timer
	t = time.AfterFunc(after, func() {
		d.post(func() {
			if c.resume == t {
				then()
			}
		})
	})
	c.resume = t
}

func (c *call) stopResume() {
	if c.resume != nil {
		c.resume.Stop()
		c.resume = nil
	}
}

// resumeByItself ends a pause. Against a lock nobody resumes: then the chain says
// what is so.
func (d *Desk) resumeByItself(c *call) {
	c.resume = nil
	if e := c.effective(); e.Locked {
		c.log.Info("pause ends by itself: the lock says what is recorded")
		d.happened(c, toggle.Fact{What: toggle.Stands})
		return
	}
	d.cfg.Meter.Toggle(string(autoResume), "ok")
	c.note(recording.Note{What: "pressed", Method: string(autoResume), Result: "ok"})
	c.log.Info("pause ends by itself")
	d.obey(c, press{method: autoResume, leg: c.phone(d.legs), ask: toggle.TurnOn})
}

// phone is the leg of the user on the call, "" if there is none: the one that
// talks to the recorded leg, or an internal call's recorded leg itself.
func (c *call) phone(legs map[string]*leg) string {
	for _, uuid := range []string{c.peer, cmp.Or(c.anchor, c.first)} { // before the answer of an outgoing call: who calls
		if legs[uuid].is(c.org.ID) {
			return uuid
		}
	}
	return ""
}

// Switch is the door for the API: it switches a live call in the name of a user
// on it ("": the one who talks now), asked for by an account, with the same rights
// and the same result as on the phone. It returns the state that FreeSWITCH has
// confirmed. The errors are a toggle.Refusal, toggle.ErrNoCall and toggle.ErrBusy.
func (d *Desk) Switch(ctx context.Context, id, user, account string, ask toggle.Press) (toggle.Status, error) {
	type result struct {
		told toggle.Status
		err  error
	}
	answer := make(chan result, 1)
	work := func() {
		c := d.calls[id]
		if c == nil {
			answer <- result{toggle.Off, toggle.ErrNoCall}
			return
		}
		name, _, _ := c.org.FindUser(user)
		switch {
		case user == "":
			name = c.userOn(d.legs[c.phone(d.legs)])
		case !slices.Contains(c.users(), name):
			name = "" // a user's rights count on the user's own calls
		}
		d.pressed(c, press{method: toggle.API, user: name, by: account, ask: ask,
			answer: func(t toggle.Status, err error) { answer <- result{t, err} }})
	}
	if !d.post(work) {
		return toggle.Off, fmt.Errorf("call: switch: %w", toggle.ErrBusy)
	}
	select {
	case r := <-answer:
		if r.err != nil {
			return r.told, fmt.Errorf("call: switch: %w", r.err)
		}
		return r.told, nil
	case <-ctx.Done():
	case <-d.done:
	}
	return toggle.Off, fmt.Errorf("call: switch: %w", toggle.ErrBusy)
}
