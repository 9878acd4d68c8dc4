package faults

import (
	"slices"
	"time"
)

// inRoom is the state of the calls of one conference room by docs/design.md, section
// 12, rule 12.
type inRoom struct {
	room   *room
	of     map[*call]*ruled
	inside []*call
}

// stand is the state of the room's calls at a time.
func (r *room) stand(until time.Time, known []sidecar) *inRoom {
	at := &inRoom{room: r, of: map[*call]*ruled{}}
	events, _ := r.history()
	for _, e := range events {
		if e.at.After(until) {
			break
		}
		c := e.call
		switch e.what {
		case "begins":
			at.begins(c)
		case "comes":
			at.of[c].answered, at.of[c].inRoom = true, true
			at.inside = append(at.inside, c)
			at.assemble(nil)
		case "goes":
			at.inside = slices.DeleteFunc(at.inside, func(other *call) bool { return other == c })
			at.of[c].inRoom = false
			at.assemble(c)
		case "presses":
			at.takePress(c, e.press, known)
		}
		if e.what == "unsure" || e.what != "presses" && r.s.unseen(e.at) {
			at.unsure()
		}
	}
	return at
}

// unseen reports whether something was broken at a time, so that Tapedeck may have seen
// only later what happened then, or only what came of it.
func (s *stage) unseen(at time.Time) bool {
	return slices.ContainsFunc(s.plan.faults, func(f *fault) bool {
		return !f.struck.IsZero() && at.After(f.struck.Add(-reaction)) && (s.linked.IsZero() || at.Before(s.linked))
	})
}

// begins is a call that has reached the socket and is not in the room yet.
func (at *inRoom) begins(c *call) {
	is := &ruled{policy: c.s.plan.policy, direction: c.kind, anchor: c.anchor}
	if c.kind == inbound {
		is.enters("number/"+c.number, nil)
	} else {
		is.passed = []passed{{"user/" + users[c.ext], c.anchor}}
	}
	at.of[c] = is
}

func (at *inRoom) unsure() {
	for _, c := range at.inside {
		at.of[c].unsure = true
	}
}

// followed are the calls in the room that a Tapedeck follows.
func (at *inRoom) followed() []*call {
	return slices.DeleteFunc(slices.Clone(at.inside), func(c *call) bool { return !c.followed })
}

// recordings are those of them that may have a file.
func (at *inRoom) recordings() []*call {
	return slices.DeleteFunc(at.followed(), func(c *call) bool { return at.of[c].guest })
}

// assemble takes a change of who is in the room. left is who has left it, if anybody.
func (at *inRoom) assemble(left *call) {
	all := at.followed()
	if left != nil && left.followed {
		all = append(all, left)
	}
	var paused *ruled
	wanted := map[*call]bool{}
	for _, c := range all {
		if paused == nil && at.of[c].person < 0 {
			paused = at.of[c]
		}
		wanted[c] = at.of[c].wanted()
	}
	for _, c := range at.followed() {
		at.seat(c)
	}
	for _, c := range all {
		is := at.of[c]
		if on, _ := is.chain(); paused != nil && is.person >= 0 && !is.guest && (wanted[c] || on) && is.permits(paused.by, true) {
			is.person, is.by = -1, paused.by
		}
		if is.explicit {
			is.explicit = false
			is.freshInRoom()
		}
	}
}

// seat says who is in the room with a call, and whether that is a guest.
func (at *inRoom) seat(c *call) {
	is, guest := at.of[c], at.mustBeGuest(c)
	if guest && !is.guest {
		is.person = 0
	}
	is.guest = guest
	others := at.inside
	if guest {
		others = nil
	}
	is.passed = slices.DeleteFunc(is.passed, func(e passed) bool {
		return e.leg != nil && e.leg != is.anchor && !slices.ContainsFunc(others, func(other *call) bool { return other.anchor == e.leg })
	})
	for _, other := range others {
		if other.ext == "" || other == c || slices.ContainsFunc(is.passed, func(e passed) bool { return e.leg == other.anchor }) {
			continue
		}
		element := "user/" + users[other.ext]
		is.passed = append(is.passed, passed{element, other.anchor})
		s := is.policy.settings[element][is.direction]
		is.explicit = is.explicit || s != dontCare && s != ""
	}
}

// mustBeGuest: without an outside party the call of the user who came first has the
// file, until he leaves.
func (at *inRoom) mustBeGuest(c *call) bool {
	if c.kind != internal {
		return false
	}
	var host *call
	for _, other := range at.followed() {
		switch {
		case other.kind != internal:
			return true
		case host == nil, at.of[host].guest && !at.of[other].guest:
			host = other
		}
	}
	return host != c
}

// freshInRoom: an element with an explicit setting has come. In a room that ends no
// pause.
func (c *ruled) freshInRoom() {
	switch {
	case c.soft: // nobody knows whether the last press has changed anything
		c.unsure = true
	case c.person > 0:
		c.person = 0
	}
}

// takePress applies a press to every recording in the room.
func (at *inRoom) takePress(c *call, p *press, known []sidecar) {
	all := at.recordings()
	answer, result := at.room.answer(c, p, known)
	any, sure, permitted := false, true, true
	for _, one := range all {
		is := at.of[one]
		any, sure = any || is.wanted(), sure && is.sure()
		permitted = permitted && is.permits(users[c.ext], true)
	}
	switch {
	case answer == "recorded":
		at.turn(all, -1, users[c.ext])
	case answer == "is-being-recorded":
		at.turn(all, 1, users[c.ext])
	case answer == "not-permitted", result != "" && result != "ok":
	case result == "ok" && sure && !at.room.s.unseen(p.at):
		way := -1
		if p.ask > 0 || p.ask == 0 && !any {
			way = 1
		}
		at.turn(all, way, users[c.ext])
	case permitted || !sure:
		at.unsure()
	}
}

// turn turns all recordings on or off.
func (at *inRoom) turn(all []*call, way int, user string) {
	for _, c := range all {
		is := at.of[c]
		before, sure := is.wanted(), is.sure()
		if !sure || before != (way > 0) {
			is.person, is.by = way, user
		}
		is.soft = !sure
		is.unsure = false
	}
}

// answer is the prompt that a phone in the room heard after a press, and what the traces
// of the room's calls say. While something was broken, a prompt that says that the
// recording goes on may be about something else.
func (r *room) answer(c *call, p *press, known []sidecar) (heard, result string) {
	heard, result = c.answer(p, known)
	if heard == "is-being-recorded" && r.s.unseen(p.at) {
		heard = ""
	}
	return heard, result
}
