package call

import (
	"context"
	"errors"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// Handle serves one leg on the outbound socket: it takes what the channel data
// says into the call, tells FreeSWITCH what follows, and leaves. Whatever goes
// wrong, it leaves in time and the dialplan goes on.
func (d *Desk) Handle(ctx context.Context, leg *esl.Call) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, entryDeadline)
	defer cancel()
	defer context.AfterFunc(ctx, leg.Close)() // even if the Desk has no room for work
	e := readEntry(d.cfg.Policy(), leg.Data)
	e.begun = d.begun(ctx, e)
	var t turn
	work := func() { t = d.enter(e) }
	for {
		if !d.ask(ctx, work) {
			d.post(func() { d.replied(t, nil, errLeft) })
			return
		}
		if len(t.send) == 0 {
			return
		}
		now := t
		replies, err := leg.SendAll(ctx, now.send)
		work = func() { t = d.replied(now, replies, err) }
		if now.exits {
			d.cfg.Meter.Decision(time.Since(began))
			d.post(work)
			return
		}
	}
}

var errLeft = errors.New("call: the leg left the socket before it could be told")

// turn is what is to be sent on the socket next: what carries the recording
// command out, and the exit, if there is nothing that would have to wait for the
// command's reply.
type turn struct {
	call    *call
	command toggle.Command
	send    []esl.Command
	from    int // the replies from here on are the command's
	exits   bool
}

// next is the turn for a recording command, after what is to be sent anyway.
func (d *Desk) next(c *call, send []esl.Command, command toggle.Command) turn {
	if text, fresh := d.live(c); fresh {
		send = append(send, esl.Execute("set", liveVariable+"="+text))
		if c.onAnswering() {
			send = append(send, esl.Execute("export", c.onFirst(liveVariable)+"="+text))
		}
	}
	t := turn{call: c, command: command, from: len(send), exits: command < toggle.Start}
	t.send = append(send, d.entryCommands(c, command)...)
	if t.exits {
		t.send = append(t.send, esl.Exit())
	}
	return t
}

// replied takes the replies of a turn and returns the next one. Behind an exit
// the call may have gone on: what follows then goes over the watch link.
func (d *Desk) replied(t turn, replies []esl.Reply, err error) turn {
	if t.call == nil || t.command == toggle.None {
		return turn{}
	}
	if err == nil {
		replies = replies[t.from:]
	}
	fate := d.fate(t.call, t.command, replies, err)
	if err != nil && t.canRepeat() {
		d.send(t.call, t.command)
		return turn{}
	}
	command := d.fact(t.call, fate)
	if t.exits || err != nil {
		d.send(t.call, command)
		d.followUp(t.call)
		return turn{}
	}
	next := d.next(t.call, nil, command)
	d.followUp(t.call)
	return next
}

// canRepeat reports whether a command that failed on the socket may be given over
// the watch link: done twice, it does no harm, but arming does after the answer.
func (t turn) canRepeat() bool {
	rec := t.call.rec
	return rec.Pending == t.command && !(rec.Answered && t.command < toggle.Start)
}

// enter takes a leg that reached the socket: it begins a call, or enters an
// element into the one that the leg is of.
func (d *Desk) enter(e entry) turn {
	if e.bad != "" {
		d.cfg.Log.Warn("channel variable not understood: ignored", "variable", e.bad, "leg", e.leg)
	}
	if _, late := d.gone[e.leg]; late { // the watch link was faster: nothing would end the call
		return turn{exits: true, send: []esl.Command{esl.Exit()}}
	}
	d.knowEntry(e)
	c := d.calls[e.call]
	if c == nil { // its tapedeck_call may not have reached FreeSWITCH
		c = d.callOf(e.leg)
	}
	if c == nil && e.live != "" {
		var t turn
		if c, t = d.stranger(e); c == nil && len(t.send) > 0 {
			return t
		}
	}
	if c != nil {
		d.answeredBefore(c, e)
	}
	if c != nil && e.transferrer != "" && c.refuses(e) {
		return d.refuseTransfer(c, e)
	}
	if c == nil || c.rec.Gone || !c.has(e.leg) {
		if e.org == nil || !e.org.Recording {
			return d.turnAway(e)
		}
		if c = d.begin(e); c == nil {
			return turn{exits: true, send: []esl.Command{esl.Exit()}}
		}
		return d.arm(c, e, d.greeting(c))
	}
	return d.arm(c, e, c.onPhones(e.leg))
}

// answeredBefore takes the answer of an outgoing call from the leg that has
// answered and reaches the socket now: the watch link may tell later, or never.
func (d *Desk) answeredBefore(c *call, e entry) {
	if c.onAnswering() && e.leg != c.first && e.called && e.answered {
		d.legs[e.leg].call = c.id
		c.ringing[e.leg] = true
		d.answered(e.leg)
	}
}

// knowEntry takes the leg's user from the channel data, which is later and says
// more than CHANNEL_CREATE did.
func (d *Desk) knowEntry(e entry) {
	l := d.legs[e.leg]
	if l == nil {
		l = &leg{uuid: e.leg, on: d.switchOf(e), core: e.core}
		d.legs[e.leg] = l
	}
	if !l.dialed && e.user != "" {
		l.org, l.user, l.domain = e.org.ID, e.user, e.domain
	}
}

// turnAway leaves a leg alone that nothing is recorded for. tapedeck_call tells
// the mandatory dialplan that Tapedeck was asked.
func (d *Desk) turnAway(e entry) turn {
	if e.call == "" {
		direction, state := "unknown", "unknown"
		if e.org != nil {
			direction, state = e.direction.String(), "disabled"
		}
		d.cfg.Meter.Call(direction, state)
		d.cfg.Log.Info("call not recorded", "leg", e.leg, "why", state)
	}
	if d.cfg.Switches[d.legs[e.leg].on] == nil { // nobody would tell of its hangup
		delete(d.legs, e.leg)
	}
	return turn{exits: true, send: []esl.Command{
		esl.Execute("set", "tapedeck_call="+e.leg),
		esl.Execute("set", "tapedeck_state=off"),
		esl.Execute("export", "sip_disable_recording=true"),
		esl.Execute("unset", "tapedeck_element"),
		esl.Exit(),
	}}
}

// begin makes the call of a leg that belongs to none; nil if the leg has no UUID
// that a file could be named after, as FreeSWITCH always has.
func (d *Desk) begin(e entry) *call {
	l := d.legs[e.leg]
	l.files = max(l.files, e.begun)
	c := &call{
		id: idOf(e.leg, l.files), on: d.switchOf(e), core: e.core, org: e.org, direction: e.direction, first: e.leg,
		began: time.Now(), ringing: map[string]bool{}, told: told{state: toggle.Off, anchor: e.leg},
		external: e.external, token: 1,
	}
	c.log = d.cfg.Log.With("call", c.id, "organisation", c.org.ID)
	c.rec.Answered = e.answered && e.direction != flow.Outbound
	if e.direction != flow.Outbound {
		c.anchor = e.leg
	}
	if err := d.addPart(c); err != nil {
		c.log.Error("no file name for the call: it is left alone", "error", err)
		return nil
	}
	l.files++
	l.call = c.id
	for _, el := range e.first {
		at := ""
		if el.Kind == flow.User {
			at = e.leg
			c.talked = append(c.talked, el.ID)
		}
		c.passes(el, at)
	}
	d.calls[c.id] = c
	if d.cfg.Switches[c.on] == nil {
		c.log.Warn("call cannot be followed", "error", errNoLink, "core", e.core)
	}
	d.cfg.Meter.Call(e.direction.String(), stateName(c.effective().On))
	return c
}

// greeting is what the legs of a new call are told: the call to which the legs
// to come belong, and how things stand.
func (d *Desk) greeting(c *call) []esl.Command {
	return append(append(c.bind(), c.onPhones(c.first)...),
		esl.Execute("export", "tapedeck_call="+c.id),
		esl.Execute("set", "tapedeck_state=off"),
		esl.Execute("set", "tapedeck_file="+c.path),
	)
}

// arm enters the element, if the dialplan named one, and brings the recording
// in line with the chain.
func (d *Desk) arm(c *call, e entry, send []esl.Command) turn {
	if e.hint != "" {
		d.enterElement(c, e.hint)
		send = append(send, esl.Execute("unset", "tapedeck_element"))
	}
	command := d.fact(c, c.chained(d.legs))
	effective := c.effective()
	c.log.Info("call decided", "direction", c.direction.String(), "on", effective.On, "setting", effective.Setting.String(),
		"kind", string(effective.Decider.Kind), "wish", c.rec.Wish().String())
	c.log.Debug("decided by", "element", effective.Decider.String())
	t := d.next(c, send, command)
	d.followUp(c)
	return t
}

// enterElement adds what the dialplan entered to the chain.
func (d *Desk) enterElement(c *call, hint string) {
	el, err := readElement(d.cfg.Policy(), c.org, hint)
	if err != nil {
		c.log.Warn("tapedeck_element not understood: ignored: write number/, ring_group/, application/ or user/ and an id")
		c.log.Debug("tapedeck_element", "error", err)
		return
	}
	if _, known := c.org.Settings(el); !known {
		c.log.Warn("element is not in the policy: it counts as dont-care", "kind", string(el.Kind))
	}
	c.passes(el, "")
}

// stranger is the call of a leg that another Tapedeck has followed: taken over at
// once if that was one before this; or else the turn that tells its owner.
func (d *Desk) stranger(e entry) (*call, turn) {
	k, err := readControl(e.live)
	if err == nil && k.Anchor == "" && e.leg != k.First && e.called && e.answered { // its owner may not know yet who has answered
		k.Anchor = e.leg
		k.Serial++
	}
	switch {
	case err != nil:
		d.cfg.Log.Warn("call of another Tapedeck not understood", "leg", e.leg, "error", err)
	case k.Owner == d.cfg.Store.Instance(), k.holder() != e.leg: // it is over
	case d.cfg.Store.Alone():
		k.Switch = d.switchOf(e)
		return d.adopt(k, k.Token+1, richer(k.Call, nil, d.cfg.Past), scene{live: liveLegs{e.leg: e.answered}}), turn{}
	default:
		return nil, d.relay(k, e)
	}
	return nil, turn{}
}

func stateName(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
