package call

import (
	"cmp"
	"maps"
	"strings"
	"time"

	"tapedeck/esl"
	"tapedeck/internal/tidy"
	"tapedeck/toggle"
)

// A phone's lamp key that watches record+<extension> shows how the recording of
// that user's call stands: on, paused (blinking) or off. It is a SIP dialog
// subscription (RFC 4235) that mod_sofia answers from PRESENCE_IN events.

// lamp is a user's lamp key, by the address that phones watch.
type lamp struct{ extension, domain string }

// lamps are the lamps of the users on a call, and the status that each shows.
type lamps map[lamp]toggle.Status

// lampsOf is what the lamps of the call's users should show.
func (c *call) lampsOf() lamps {
	show := lamps{}
	if c.rec.Gone {
		return show
	}
	for _, uuid := range append([]string{c.route.anchor, c.route.peer}, c.route.room.others...) {
		l, org := c.ctl.legs.get(uuid), c.route.org
		if !l.is(org.ID) || !tidy.IsWord(l.user.Domain) || org.Users[l.user.ID] == nil {
			continue
		}
		show[lamp{cmp.Or(org.Users[l.user.ID].Extension, l.user.ID), l.user.Domain}] = c.rec.Status()
	}
	return show
}

// lampCommands makes the lamps show the call's state: those of its users, and those
// of users who have left it.
func (a *announced) lampCommands() []esl.Command {
	board, anchor := a.call.ctl.lamps, a.call.route.anchor
	before, now := a.lamps, a.call.lampsOf()
	if maps.Equal(before, now) {
		return nil
	}
	a.lamps = now
	var send []esl.Command
	for l := range before {
		if _, stays := now[l]; !stays {
			send = append(send, board.show(l, anchor, toggle.Off))
		}
	}
	for l, status := range now {
		if status != before[l] {
			send = append(send, board.show(l, anchor, status))
		}
	}
	return send
}

// forgetLamps forgets what the call's lamps show. Another instance sets them from
// now on.
func (a *announced) forgetLamps() {
	for l := range a.lamps {
		a.call.ctl.lamps.forget(l, a.call.route.anchor)
	}
	a.lamps = nil
}

// lampBoard is the status that each lamp shows for each call, by the call's anchor.
// A call that is off has no entry.
type lampBoard map[lamp]map[string]toggle.Status

// show takes a call's new status and returns the command for the user's lamp. For a
// user on two calls the lamp shows the one that is being recorded.
func (b lampBoard) show(l lamp, anchor string, status toggle.Status) esl.Command {
	if status == toggle.Off {
		b.forget(l, anchor)
		return b.presence(l)
	}
	if b[l] == nil {
		b[l] = map[string]toggle.Status{}
	}
	b[l][anchor] = status
	return b.presence(l)
}

func (b lampBoard) forget(l lamp, anchor string) {
	delete(b[l], anchor)
	if len(b[l]) == 0 {
		delete(b, l)
	}
}

// presence is the event that sets a lamp. Unless the event is about a live channel,
// FreeSWITCH takes it for the end of a call and shows the state of any other call of
// the user (sofia_presence.c, actual_sofia_presence_event_handler). An event that is
// sent about a live channel reaches only that channel (mod_event_socket.c,
// parse_command, "sendevent"). So the recorded leg makes the event itself. A dark
// lamp needs no channel.
func (b lampBoard) presence(l lamp) esl.Command {
	watched := "record+" + l.extension
	event := []esl.Header{
		{Name: "proto", Value: "record"}, {Name: "login", Value: watched}, {Name: "from", Value: watched + "@" + l.domain},
		{Name: "event_type", Value: "presence"}, {Name: "alt_event_type", Value: "dialog"}, {Name: "event_count", Value: "1"},
		{Name: "presence-call-direction", Value: "inbound"},
		{Name: "Caller-Destination-Number", Value: watched}, // replaces the dialled number, which the watchers' phones would show
	}
	state, anchor := "", ""
	for leg, status := range b[l] {
		if state, anchor = "early", leg; status == toggle.On {
			state = "confirmed"
			break
		}
	}
	if anchor == "" {
		return esl.SendEvent("PRESENCE_IN", append(event, esl.Header{Name: "channel-state", Value: "CS_HANGUP"},
			esl.Header{Name: "answer-state", Value: "terminated"})...)
	}
	args := "Event-Name=PRESENCE_IN,channel-state=CS_EXECUTE,answer-state=" + state
	for _, h := range event {
		args += "," + h.Name + "=" + h.Value
	}
	return esl.ExecuteOn(anchor, "event", args)
}

// probed answers a phone that has just subscribed to a lamp. FreeSWITCH does not do
// that by itself.
func (ctl *Controller) probed(switchName string, ev *esl.Event, now time.Time) {
	watched, domain, _ := strings.Cut(ev.Get("to"), "@")
	extension, isOurs := strings.CutPrefix(watched, "record+")
	if !isOurs {
		return
	}
	if org, ok := ctl.cfg.Policy().OrganisationByDomain(domain); !ok || !tidy.IsWord(domain) {
		return
	} else if _, _, known := org.FindUser(extension); !known {
		return
	}
	l := lamp{extension, domain}
	if ctl.lamps[l] == nil && !ctl.cfg.Calls.Alone() { // the user may be on a call of another instance
		return
	}
	ctl.send(switchName, []esl.Command{ctl.lamps.presence(l)}, ignored, now)
}
