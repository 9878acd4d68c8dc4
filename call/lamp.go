package call

import (
	"cmp"
	"maps"
	"strings"

	"tapedeck/esl"
	"tapedeck/toggle"
)

// A phone's lamp key that watches record+<extension> shows how the recording of
// that user's call stands: on, paused (blinking) or off. It is a SIP dialog
// subscription (RFC 4235) that mod_sofia answers from PRESENCE_IN events.

// lamp is a user's, as phones know him.
type lamp struct{ extension, domain string }

// lamps are the users on a call, with what their lamps show of it.
type lamps map[lamp]toggle.Status

// lampsOf is what the lamps of a call's users are to show.
func (d *Desk) lampsOf(c *call) lamps {
	now := lamps{}
	if c.rec.Gone {
		return now
	}
	for _, uuid := range []string{c.anchor, c.peer} {
		l := d.legs[uuid]
		if !l.is(c.org.ID) || !isPlain(l.domain) || c.org.Users[l.user] == nil {
			continue
		}
		now[lamp{cmp.Or(c.org.Users[l.user].Extension, l.user), l.domain}] = c.rec.Status()
	}
	return now
}

// light is what makes the lamps show a call's state: those of its users, and
// those of the users who have left.
func (d *Desk) light(c *call) []esl.Command {
	before, now := c.lit, d.lampsOf(c)
	if maps.Equal(before, now) {
		return nil
	}
	c.lit = now
	var send []esl.Command
	for l := range before {
		if _, stays := now[l]; !stays {
			send = append(send, d.show(c, l, toggle.Off))
		}
	}
	for l, state := range now {
		if state != before[l] {
			send = append(send, d.show(c, l, state))
		}
	}
	return send
}

// show is a user's lamp after a call's state: a user on two calls is shown the
// one that is being recorded.
func (d *Desk) show(c *call, l lamp, state toggle.Status) esl.Command {
	if d.lit[l] == nil {
		d.lit[l] = map[string]toggle.Status{}
	}
	d.lit[l][c.anchor] = state
	if state == toggle.Off {
		delete(d.lit[l], c.anchor)
	}
	if len(d.lit[l]) == 0 {
		delete(d.lit, l)
	}
	return d.presence(l)
}

// unlight forgets what a call's lamps show: from now on another instance says it.
func (d *Desk) unlight(c *call) {
	for l := range c.lit {
		delete(d.lit[l], c.anchor)
		if len(d.lit[l]) == 0 {
			delete(d.lit, l)
		}
	}
	c.lit = nil
}

// presence is the event that makes a lamp show what it should. FreeSWITCH takes
// it for the end of a call unless it is about a live channel, and shows instead
// how any other call of the user stands (sofia_presence.c,
// actual_sofia_presence_event_handler); and an event that is sent about a live
// channel goes to the channel alone (mod_event_socket.c, parse_command,
// "sendevent"). So the recorded leg makes it itself; a dark lamp needs none.
func (d *Desk) presence(l lamp) esl.Command {
	watched := "record+" + l.extension
	event := []esl.Header{
		{Name: "proto", Value: "record"}, {Name: "login", Value: watched}, {Name: "from", Value: watched + "@" + l.domain},
		{Name: "event_type", Value: "presence"}, {Name: "alt_event_type", Value: "dialog"}, {Name: "event_count", Value: "1"},
		{Name: "presence-call-direction", Value: "inbound"},
		{Name: "Caller-Destination-Number", Value: watched}, // not the one that was dialled: watchers would be shown it
	}
	state, anchor := "", ""
	for leg, told := range d.lit[l] {
		if state, anchor = "early", leg; told == toggle.On {
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

// probed answers a phone that has just begun to watch: FreeSWITCH tells it
// nothing by itself.
func (d *Desk) probed(on string, ev *esl.Event) {
	watched, domain, _ := strings.Cut(ev.Get("to"), "@")
	extension, isOurs := strings.CutPrefix(watched, "record+")
	if !isOurs {
		return
	}
	if org, ok := d.cfg.Policy().OrganisationByDomain(domain); !ok || !isPlain(domain) {
		return
	} else if _, _, known := org.FindUser(extension); !known {
		return
	}
	if d.lit[lamp{extension, domain}] == nil && !d.cfg.Store.Alone() { // another instance may know more
		return
	}
	d.sendTo(on, []esl.Command{d.presence(lamp{extension, domain})}, func([]esl.Reply, error) {})
}

// isPlain reports whether a domain is one that FreeSWITCH cannot take for more:
// the port of the one that a phone names is whatever the phone wrote there.
func isPlain(domain string) bool {
	return domain != "" && !strings.ContainsFunc(domain, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-:[]_", r)
	})
}
