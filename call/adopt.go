package call

import (
	"slices"
	"time"

	"tapedeck/call/files"
	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/call/who"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// adopt takes over a call that another Tapedeck, or this one before a restart, has
// followed. k is the snapshot on the recorded leg, history are the drafts of its
// files. It returns nil if the policy no longer has the organisation.
func (r recovery) adopt(k handover.Snapshot, token int64, history []recording.Sidecar, s survey.Survey, now time.Time) *call {
	ctl := r.ctl
	c := r.recall(k, token, history)
	if c == nil {
		return nil
	}
	presses := c.absence.takeRelays(k.Changed, s, now)
	c.absence.takeSurvey(k, s, now)
	c.permits.recall()
	ctl.calls[c.id] = c
	rooms{ctl}.adopted(c)
	note := recording.Note{What: recording.NoteAdopted}
	if c.rec.Answered && k.Answered.IsZero() {
		note.Result = recording.ResultUnseen
	}
	c.trace.add(note, now)
	c.log.Info("call taken over", "owner", k.Owner, "token", token, "state", c.rec.Status(), "file", c.rec.File.String())
	ctl.cfg.Meter.Adopted("adopted")
	c.absence.announceOwner(now)
	c.files.AssumeCarriedOut(c.rec.State, k.WishedSince, c.cause, now)
	if k.Person != toggle.Nobody { // whoever has resumed may not have been told so
		c.announced.assumeTold(append(c.route.keyPhones(), c.route.room.others...))
	}
	before := c.rec.State
	before.File = k.File
	c.follow(before, now)
	c.absence.catchUp(s, now)
	if c.isDissolved() {
		return c
	}
	for _, e := range presses {
		c.pressedByTransfer(e, now)
	}
	c.presses.keepResume(now)
	time.AfterFunc(recheckAfter, func() { ctl.post(c.absence.recheck) })
	return c
}

// recall makes the call from its snapshot and drafts: the state, the chain and the
// files. It returns nil if that cannot be done.
func (r recovery) recall(k handover.Snapshot, token int64, history []recording.Sidecar) *call {
	ctl := r.ctl
	org := ctl.cfg.Policy().Organisations[k.Organisation]
	if org == nil {
		ctl.cfg.Meter.Adopted("failed")
		ctl.cfg.Log.Warn("call not taken over: the policy does not have its organisation", "call", k.Call)
		return nil
	}
	c := newCall(ctl, identity{id: k.Call, external: k.External, began: k.Began},
		route{org: org, direction: k.Direction, first: k.First, anchor: k.Anchor}, k.Switch)
	c.ownership.token, c.ownership.serial = token, k.Serial
	c.presses.last, c.presses.lastAt = lastPress(k), k.Pressed
	c.disclaimer.recall(k.Disclaimed)
	c.rec = recorder{State: k.State(), answered: k.Answered, wishedSince: k.WishedSince}
	for len(c.files.All()) < k.Part {
		if err := c.addPart(); err != nil {
			ctl.cfg.Meter.Adopted("failed")
			c.log.Warn("call not taken over", "error", err)
			return nil
		}
	}
	c.files.Recall(history, files.Known{Since: k.WishedSince, Began: k.PartBegan, Confirmed: k.PartConfirmed,
		Origin: files.Origin{Trigger: k.Trigger, By: k.By, Decided: k.Decided}})
	c.recallProblems()
	c.absence.recallRoute(k, history)
	return c
}

// recallProblems notes the problems that the snapshot has and no draft: the disk was full.
func (c *call) recallProblems() {
	p := c.files.Last()
	for _, problem := range c.rec.Problems.Names() {
		if !slices.ContainsFunc(p.Problems, func(known string) bool { return recording.ProblemCode(known) == problem }) {
			p.AddProblem(problem, "")
		}
	}
}

// lastPress is the last press that the previous owner obeyed.
func lastPress(k handover.Snapshot) press {
	return press{method: toggle.Method(k.Method), user: k.User, account: k.Account}
}

// recallRoute restores the route and the trace.
func (a *absence) recallRoute(k handover.Snapshot, history []recording.Sidecar) {
	c := a.call
	for _, p := range k.Passed {
		if el, err := flow.ParseElement(p.Element); err == nil {
			c.route.passed = append(c.route.passed, step{flow.Step{Element: el, Setting: p.Setting}, p.Leg})
			a.recallUser(el, p.Leg)
		}
	}
	c.route.lastLeft, _ = flow.ParseElement(k.LastLeft)
	c.route.room.guest = k.Guest
	for _, s := range history {
		if max(1, s.Part) > len(c.files.All()) {
			continue
		}
		if len(s.Trace) > len(c.trace) {
			c.trace = slices.Clone(s.Trace)
		}
		if len(s.Users) > len(c.route.talked) {
			c.route.talked = slices.Clone(s.Users)
		}
	}
}

// recallUser takes whose phone a leg is from the snapshot, if the leg's own data does
// not say: the previous owner had asked FreeSWITCH, and has acted on the answer.
func (a *absence) recallUser(e flow.Element, uuid string) {
	if l := a.call.ctl.legs.get(uuid); l != nil && e.Kind == flow.User && l.user.ID == "" {
		l.user = who.User{Org: a.call.route.org.ID, ID: e.ID}
	}
}

// takeSurvey takes from the survey who is on the call now and whether its file is
// being written.
func (a *absence) takeSurvey(k handover.Snapshot, s survey.Survey, now time.Time) {
	c := a.call
	before, anchor := c.rec.Problems, c.route.anchor
	if c.rec.File < toggle.Open {
		a.hearStart(s)
	}
	c.rec.State = c.rec.Adopted(s.Live[anchor], a.writes(s))
	for _, problem := range (c.rec.Problems &^ before).Names() {
		c.fault(c.files.Last(), problem, "found when the call was taken over", now)
	}
	if c.rec.Answered && c.rec.answered.IsZero() {
		c.rec.answered = now
	}
	for _, uuid := range []string{c.route.first, anchor} {
		if l := c.ctl.legs.get(uuid); l != nil {
			l.call = c.id
		}
	}
	for uuid, l := range c.ctl.legs.all {
		if l.call == c.id && l.dialled && uuid != anchor && s.Live.Has(uuid) && !s.Live[uuid] {
			c.route.ringing[uuid] = true
		}
	}
	c.route.peer = k.Peer
	c.route.meet(s.Peers[anchor], now)
}

// writes reports whether FreeSWITCH is writing the call's file. If the survey does
// not know, the snapshot counts.
func (a *absence) writes(s survey.Survey) bool {
	c := a.call
	yes, known := s.IsRecording(c.route.anchor, c.files.Last().Path)
	return yes || !known && c.rec.File >= toggle.Open && c.rec.File < toggle.Closed
}

// recheckAfter is when the snapshot and the codes on the legs are read again after a
// takeover, and the state is sent again: a previous owner that was only slow may have
// changed them before it yielded, and a code that was pressed just before the takeover
// may have been too late for the survey and too early for its event to find the call.
const recheckAfter = 500 * time.Millisecond

// recheck takes a newer press of the previous owner, refuses a code that nobody has
// taken, and sends the state again as if it were in doubt.
func (a *absence) recheck(now time.Time) {
	c := a.call
	if !c.isLive() || c.rec.Gone {
		return
	}
	if room := c.route.room.id; room != "" {
		rooms{c.ctl}.assemble(room, nil, now)
		rooms{c.ctl}.tellAgain(room, now)
	}
	send, phones := []esl.Command{esl.API("uuid_getvar", c.route.holder(), handover.Variable)}, a.codeLegs()
	for _, uuid := range phones {
		send = append(send, esl.API("uuid_getvar", uuid, lastDigits))
	}
	c.line.send(send, func(replies []esl.Reply, err error, now time.Time) {
		if err == nil {
			a.takeNewerPress(replies[0].Text(), now)
			for i, uuid := range phones {
				a.codeFound(uuid, replies[i+1].Text())
			}
		}
		a.resend(now)
	}, now)
}

// resend sends the state of the call to FreeSWITCH again.
func (a *absence) resend(now time.Time) {
	c := a.call
	if !c.isLive() || c.rec.Gone {
		return
	}
	c.ownership.forgetSent()
	if c.rec.Pending == toggle.None && (c.rec.File == toggle.Recording || c.rec.File == toggle.Masked) {
		c.rec.State = c.rec.Adopted(true, true)
	}
	c.rethink(now)
	c.line.sendUnsent(now)
}

// takeNewerPress takes a press that the previous owner has obeyed since the takeover
// began. That instance was cut off or slow: it has announced the result to the user
// before it learned that the call is no longer its own. So the press counts.
func (a *absence) takeNewerPress(text string, now time.Time) {
	c := a.call
	k, err := handover.Read(text)
	if err != nil || !c.isLive() || k.Call != c.id || k.Token >= c.ownership.token || !k.Pressed.After(c.presses.lastAt) {
		return
	}
	c.presses.last, c.presses.lastAt = lastPress(k), k.Pressed
	c.trace.add(recording.Note{What: recording.NotePressed, Method: k.Method, User: k.User, By: k.Account, Result: recording.ResultOK}, now)
	c.log.Info("press that the previous owner has obeyed", "owner", k.Owner, "method", k.Method)
	c.happened(toggle.Fact{What: toggle.Stands, Person: k.Person}, now)
	c.presses.keepResume(now)
}
