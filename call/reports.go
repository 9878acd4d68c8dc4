package call

import (
	"strconv"
	"strings"
	"time"

	"tapedeck/call/confirm"
	"tapedeck/call/handover"
	"tapedeck/esl"
)

// A leg reports its entry by an event, which FreeSWITCH alone can send, with what is true of
// the leg. What follows goes over the watch link. A leg does so if another instance owns its
// call (relay.go), and if FreeSWITCH has not confirmed in time that the leg is at the
// socket, and a call has it: whoever says that he is this leg may be a stranger.

// reports are the legs that report their entries.
type reports struct{ ctl *Controller }

// enter takes a leg that FreeSWITCH has not confirmed. It returns false if its call has to
// begin at once (doubt.go), because its answer may be near.
func (r reports) enter(e entry) (turn, bool) {
	ctl := r.ctl
	c := ctl.callOf(e.leg)
	if c == nil {
		c = ctl.calls[e.call]
	}
	if e.standing == confirm.Late && (c == nil || c.route.first == e.leg && !c.route.has(e.leg)) {
		if s, err := snapshotOf(e); err != nil || s.Holder() != e.leg || ctl.takeover.isOver(s) {
			return turn{}, false
		}
	}
	ctl.cfg.Log.Info("leg not confirmed by FreeSWITCH: it reports its entry itself", "leg", e.leg)
	var send []esl.Command
	if e.call == "" { // the mandatory dialplan wants to see that Tapedeck was asked
		send = append(send, esl.Execute("set", "tapedeck_call="+e.leg))
	}
	if c != nil {
		return leave(append(send, r.commands(&c.route, e, r.newID())...)...), true
	}
	return leave(append(send, reportEntry(r.newID()))...), true
}

// commands are those by which a leg of a call with this route reports its entry, and what
// it needs from the socket.
func (r reports) commands(of *route, e entry, id string) []esl.Command {
	send := append(of.onPhones(esl.Execute, e.leg), reportEntry(id))
	if el, err := readElement(r.ctl.cfg.Policy(), of.org, e.hint); e.hint != "" && err == nil {
		if text, ok := handover.AddRelayed(e.relayed, el); ok { // in case the event is lost
			send = append(send, esl.Execute("set", handover.RelayedVariable+"="+text))
		}
	}
	if e.hint != "" {
		send = append(send, esl.Execute("unset", "tapedeck_element"))
	}
	if of.isToggleTransfer(e) {
		send = append(send, failTransfer()...)
	}
	return send
}

// reportEntry makes the event. It has the leg's channel data.
func reportEntry(id string) esl.Command {
	return esl.Execute("event", "Event-Name=CUSTOM,Event-Subclass="+enteredSubclass+","+relayHeader+"="+id)
}

// newID is an id for the event of a leg that has entered here.
func (r reports) newID() string {
	return r.ctl.cfg.Calls.Instance() + "-" + strconv.FormatInt(r.ctl.serial(), 10)
}

// isOurs reports whether the leg of an event with this id has entered here.
func (r reports) isOurs(id string) bool {
	return strings.HasPrefix(id, r.ctl.cfg.Calls.Instance()+"-")
}

// begin begins the call of a leg that has reported its entry. before is the leg that it was
// bridged with until then; "" if none.
func (r reports) begin(e entry, before string, now time.Time) {
	ctl := r.ctl
	if ctl.legs.hasGone(e.leg) {
		return
	}
	ctl.knowEntry(e)
	if e.org == nil || !e.org.Recording {
		ctl.turnAway(e) // the leg has left the socket: this counts and logs it
		return
	}
	ctl.work.Go(func() {
		e.begun = ctl.begun.ask(ctl.ctx, e)
		ctl.post(func(now time.Time) { r.beginOnLink(e, before, now) })
	})
}

// beginOnLink begins a call over the watch link, unless its leg has hung up, has entered
// again, or has a call of another instance. The leg may be bridged by now: then the call meets
// whatever the other leg holds.
func (r reports) beginOnLink(e entry, before string, now time.Time) {
	if c := r.ctl.callOf(e.leg); r.ctl.legs.get(e.leg) == nil || c != nil && c.route.has(e.leg) && !c.rec.Gone {
		return
	}
	c := r.ctl.begin(e, now)
	if c == nil {
		return
	}
	c.line.held = true
	defer c.line.askOwner(now)
	greetingOf(c, e).again(now)
	if e.hint != "" {
		c.enterElement(e.hint, now)
		c.line.send([]esl.Command{esl.SetVar(e.leg, "tapedeck_element", "")}, ignored, now)
	}
	c.log.Info("call begins over the watch link")
	if peer := r.ctl.legs.peerOf(e.leg); peer != "" && peer != before {
		r.ctl.bridged(e.leg, peer, now)
	}
	if c.isLive() {
		c.announced.again(now)
		c.rethink(now)
	}
}
