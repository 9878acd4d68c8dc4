package call

import (
	"context"
	"errors"
	"time"

	"tapedeck/call/confirm"
	"tapedeck/call/handover"
	"tapedeck/call/survey"
	"tapedeck/call/who"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// Handle serves one leg on the outbound socket: it takes the channel data into the
// call, sends the commands that follow, and leaves. Whatever fails, it leaves in
// time and the dialplan goes on.
func (ctl *Controller) Handle(ctx context.Context, leg *esl.Call) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, ctl.cfg.EntryDeadline)
	defer cancel()
	defer context.AfterFunc(ctx, leg.Close)() // in time, even if the Controller's inbox is full
	e, ok := reception{ctl}.receive(ctx, leg)
	if !ok {
		return
	}
	var t turn
	work := func(now time.Time) {
		if e.standing == confirm.Confirmed || e.standing == confirm.Unlinked {
			rooms{ctl}.inDialplan(e.leg, began, now)
			eavesdropping{ctl}.end(e.leg, now)
		}
		t = ctl.enter(e, now)
	}
	for {
		if !ctl.ask(ctx, work) {
			ctl.post(func(now time.Time) { t.replied(nil, errLeft, now) })
			return
		}
		if len(t.commands) == 0 {
			return
		}
		sent := t
		sent.awaitRest(ctx)
		replies, err := leg.SendAll(ctx, sent.commands)
		work = func(now time.Time) { t = sent.replied(replies, err, now) }
		if sent.exits {
			ctl.cfg.Meter.Decision(time.Since(began))
			ctl.post(work)
			return
		}
	}
}

var errLeft = errors.New("call: the leg left the socket before its commands were sent")

// turn is what goes out next on the socket: a batch, and the exit if nothing has to
// wait for the batch's replies.
type turn struct {
	batch
	call   *call // the call of the batch; nil if the batch has no recording command
	exits  bool
	begins bool      // it begins the call
	greets *greeting // the greeting that is in the batch; nil if none is

	// What goes over the watch link (recordcommand.go).
	onLink toggle.Command  // follows when the batch has its replies; toggle.None: nothing does
	rest   <-chan struct{} // the batch goes out when this is closed; nil: at once
}

// leave is the turn that sends these commands and then leaves the socket.
func leave(send ...esl.Command) turn {
	return turn{batch: batch{commands: append(send, esl.Exit())}, exits: true}
}

// turn is the turn for a recording command. The commands in send go before it.
func (c *call) turn(is confirm.Standing, send []esl.Command, command toggle.Command, now time.Time) turn {
	if command >= toggle.Start && is == confirm.Confirmed && c.ctl.switches.watched(c.line.switchName) {
		t := turn{batch: c.line.onSocket(send, toggle.None, now), call: c, onLink: command}
		if len(t.commands) == 0 {
			return t.goOnLink(now)
		}
		return t
	}
	t := turn{batch: c.line.onSocket(send, command, now), call: c, exits: command < toggle.Start}
	if t.exits {
		t.commands = append(t.commands, esl.Exit())
	}
	return t
}

// replied takes the replies to a turn and returns the next turn. After an exit the
// leg may have left the dialplan, so what follows goes over the watch link.
func (t turn) replied(replies []esl.Reply, err error, now time.Time) turn {
	c := t.call
	if t.greets != nil && err != nil {
		t.greets.again(now)
		t.greets.call.announced.again(now)
	}
	switch {
	case t.begins && c.line.doubt.open:
		c.line.doubt.ask(now)
	case t.begins && err != nil:
		c.line.askOwner(now)
	case t.begins:
		c.line.release(now)
	}
	if t.onLink != toggle.None {
		next := t.goOnLink(now)
		c.followUp(now)
		if err != nil {
			return turn{}
		}
		return next
	}
	if c == nil || t.command == toggle.None {
		return turn{}
	}
	fate := c.line.read(t.batch, replies, err)
	if err != nil && t.canRepeat() {
		c.rec.armedTwice = t.command < toggle.Start
		c.line.carryOut(t.command, now)
		return turn{}
	}
	command := c.fact(fate, now)
	if t.exits || err != nil {
		c.line.carryOut(command, now)
		c.followUp(now)
		return turn{}
	}
	next := c.turn(confirm.Unlinked, nil, command, now)
	c.followUp(now)
	return next
}

// canRepeat reports whether a command that failed on the socket may be sent again
// over the watch link. Doing it twice does no harm, except that arming must not be
// repeated after the answer.
func (t turn) canRepeat() bool {
	rec := t.call.rec
	return rec.Pending == t.command && !(rec.Answered && t.command < toggle.Start)
}

// enter takes a leg that reached the socket. The leg begins a call, or enters an
// element into its call.
func (ctl *Controller) enter(e entry, now time.Time) turn {
	if e.unreadable != "" {
		ctl.cfg.Log.Warn("channel variable not understood: ignored", "variable", e.unreadable, "leg", e.leg)
	}
	if ctl.legs.hasGone(e.leg) { // its hangup has passed already: nothing would end a new call
		return leave()
	}
	if e.standing == confirm.Late || e.standing == confirm.Elsewhere {
		if t, done := (reports{ctl}).enter(e); done {
			return t
		}
	}
	if c := ctl.callOf(e.leg); c != nil && c.line.doubt.open && e.standing == confirm.Confirmed && !c.line.hasGreeted(e) {
		c.line.doubt.disown()
	}
	ctl.knowEntry(e)
	c := ctl.calls[e.call]
	if c == nil { // the variable tapedeck_call may not be set yet
		c = ctl.callOf(e.leg)
	}
	if c == nil && e.snapshot != "" {
		var t turn
		if c, t = ctl.enterOwnedElsewhere(e, now); c == nil && len(t.commands) > 0 {
			return t
		}
	}
	if c != nil {
		c.answeredBefore(e, now)
	}
	if c != nil && !c.rec.Gone && c.route.isToggleTransfer(e) {
		return c.refuseTransfer(e, now)
	}
	if c == nil || c.rec.Gone || !c.route.has(e.leg) {
		if e.org == nil || !e.org.Recording {
			return ctl.turnAway(e)
		}
		l := *ctl.legs.get(e.leg) // as it is before the call
		if c = ctl.begin(e, now); c == nil {
			return leave()
		}
		c.line.held, c.line.doubt = true, doubt{call: c, open: e.standing == confirm.Late, from: l.call, peer: l.peer}
		g := greetingOf(c, e)
		t := c.arm(e, append(g.commands(esl.Execute), esl.Execute("set", "tapedeck_state=off")), now)
		t.greets, t.begins = &g, true
		return t
	}
	return c.arm(e, append(c.line.missed(e), c.route.onPhones(esl.Execute, e.leg)...), now)
}

// answeredBefore takes the answer of an outgoing call from the leg that answered,
// when that leg reaches the socket before its CHANNEL_ANSWER has come.
func (c *call) answeredBefore(e entry, now time.Time) {
	l := c.ctl.legs.get(e.leg) // nil: it entered at another instance, and is gone
	if l != nil && c.route.awaitsAnchor() && e.leg != c.route.first && e.dialledLeg && e.answered {
		l.call = c.id
		c.route.ringing[e.leg] = true
		c.answered(e.leg, now)
	}
}

// knowEntry takes the leg's user from the channel data, which is newer and has more
// than CHANNEL_CREATE.
func (ctl *Controller) knowEntry(e entry) {
	l := ctl.legs.get(e.leg)
	isNew := l == nil
	if isNew {
		l = ctl.legs.add(&leg{uuid: e.leg, switchName: ctl.switches.nameOf(e.core), core: e.core})
	}
	if !l.dialled && e.user != "" && (isNew || e.standing != confirm.Late) {
		l.user = who.User{Org: e.org.ID, ID: e.user, Domain: e.domain}
	}
}

// turnAway lets a leg go on that is not recorded. The variable tapedeck_call tells
// the mandatory dialplan that Tapedeck was asked.
func (ctl *Controller) turnAway(e entry) turn {
	if e.call == "" {
		direction, state := "unknown", "unknown"
		if e.org != nil {
			direction, state = e.direction.String(), "disabled"
		}
		ctl.cfg.Meter.Call(direction, state)
		if e.org == nil && !e.dialledLeg { // a dialled leg that was transferred has no domain of its own
			ctl.legs.unowned.tell(ctl.cfg.Log, e.leg, e.unowned)
		} else {
			ctl.cfg.Log.Info("call not recorded", "leg", e.leg, "why", state)
		}
	}
	if !ctl.switches.watched(ctl.legs.get(e.leg).switchName) { // no event will report its hangup
		delete(ctl.legs.all, e.leg)
	}
	return leave(
		esl.Execute("set", "tapedeck_call="+e.leg),
		esl.Execute("set", "tapedeck_state=off"),
		esl.Execute("export", "sip_disable_recording=true"),
		esl.Execute("unset", "tapedeck_element"),
	)
}

// begin makes a new call for a leg. It returns nil if the leg's UUID cannot name a
// file; FreeSWITCH's own UUIDs can.
func (ctl *Controller) begin(e entry, now time.Time) *call {
	l := ctl.legs.get(e.leg)
	l.begun = max(l.begun, e.begun)
	c := newCall(ctl, identity{id: idOf(e.leg, l.begun), core: e.core, external: e.external, began: now},
		route{org: e.org, direction: e.direction, first: e.leg}, ctl.switches.nameOf(e.core))
	c.ownership.token = 1
	c.announced.last = announcement{status: toggle.Off, anchor: e.leg, voice: toggle.Off}
	c.rec.Answered = e.answered && e.direction != flow.Outbound
	if e.direction != flow.Outbound {
		c.route.anchor = e.leg
	}
	if err := c.addPart(); err != nil {
		c.log.Error("no file name for the call: it is not recorded", "error", err)
		return nil
	}
	l.begun++
	l.call = c.id
	for _, el := range e.firstElements {
		at := ""
		if el.Kind == flow.User {
			at = e.leg
			c.route.talked = append(c.route.talked, el.ID)
		}
		c.route.enter(el, at, now)
	}
	ctl.calls[c.id] = c
	if !ctl.switches.watched(c.line.switchName) {
		c.log.Warn("call cannot be followed", "error", errNoLink, "core", e.core)
	}
	ctl.cfg.Meter.Call(e.direction.String(), stateName(c.route.effective().On))
	return c
}

// arm enters the element that the dialplan named, if there is one, and brings the
// recording in line with the chain.
func (c *call) arm(e entry, send []esl.Command, now time.Time) turn {
	c.route.room.talksOutside()
	if e.hint != "" {
		c.enterElement(e.hint, now)
		send = append(send, esl.Execute("unset", "tapedeck_element"))
	}
	command := c.fact(c.route.wish(c.rec.Answered), now)
	effective := c.route.effective()
	c.log.Info("call decided", "direction", c.route.direction.String(), "on", effective.On, "setting", effective.Setting.String(),
		"kind", string(effective.Decider.Kind), "wish", c.rec.Wish().String())
	c.log.Debug("decided by", "element", effective.Decider.String())
	if command == toggle.None {
		send = append(send, c.line.armedOtherwise(e)...)
	}
	t := c.turn(e.standing, send, command, now)
	c.followUp(now)
	return t
}

// enterElement adds an element, as the dialplan wrote it, to the chain.
func (c *call) enterElement(hint string, now time.Time) {
	el, err := readElement(c.ctl.cfg.Policy(), c.route.org, hint)
	if err != nil {
		c.log.Warn("tapedeck_element not understood: ignored: write number/, ring_group/, application/ or user/ and an id")
		c.log.Debug("tapedeck_element", "error", err)
		return
	}
	if _, known := c.route.org.Settings(el); !known {
		c.log.Warn("element is not in the policy: it counts as dont-care", "kind", string(el.Kind))
	}
	c.route.enter(el, "", now)
}

// enterOwnedElsewhere takes a leg with the snapshot of a call that is not followed
// here. If no other instance can exist, it takes the call over and returns it;
// otherwise it returns the turn that notifies the owner. If the snapshot is of no
// use, it returns neither. The snapshot may be older than a takeover from us: this
// process stood still while the leg waited at its socket.
func (ctl *Controller) enterOwnedElsewhere(e entry, now time.Time) (*call, turn) {
	s, err := snapshotOf(e)
	switch {
	case err != nil:
		ctl.cfg.Log.Warn("snapshot of another Tapedeck not read", "leg", e.leg, "error", err)
	case ctl.takeover.isOver(s), s.Holder() != e.leg: // that call is over
	case ctl.cfg.Calls.Alone():
		s.Switch = ctl.switches.nameOf(e.core)
		return recovery{ctl}.adopt(s, s.Token+1, handover.Richer(s.Call, nil, ctl.cfg.Drafts), survey.Of(e.leg, e.answered), now), turn{}
	default:
		return nil, ctl.relay(s, e, now)
	}
	return nil, turn{}
}

func stateName(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
