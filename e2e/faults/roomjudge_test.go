package faults

import (
	"slices"
	"strings"
	"time"

	"tapedeck/esl/esltest"
)

// edges are the times at which something has happened in the room.
func (r *room) edges() (edges []time.Time) {
	events, _ := r.history()
	for _, e := range events {
		edges = append(edges, e.at)
	}
	return edges
}

// permits reports whether a press may be obeyed: its user may press on every recording in
// the room. If it is not known which these are, it may.
func (r *room) permits(p *press, known []sidecar) bool {
	if r.s.unseen(p.at) {
		return true
	}
	at := r.stand(p.at.Add(-time.Microsecond), known)
	return !slices.ContainsFunc(at.recordings(), func(c *call) bool { return !at.of[c].vague && !at.of[c].permits(users[p.ext], true) })
}

// converge waits until what is recorded in the room is what is wanted, and what its people
// have been told is true. Before that, somebody presses once more.
func (r *room) converge() {
	s, inside := r.s, r.members()
	if _, calls := r.history(); s.dead.IsZero() {
		for _, c := range calls {
			if c.over() && c.ended.IsZero() {
				s.fails("%s %.8s was dropped", c.name, c.id())
			}
		}
	}
	if len(inside) == 0 || s.linked.IsZero() {
		return
	}
	s.untilCalm(patience, func() bool { return !slices.ContainsFunc(inside, func(c *call) bool { return !s.owned(c) }) })
	if r.less = r.split(inside); r.less != "" {
		s.note("room %s is not judged at the end: %s", r.name, r.less)
		tally.count("rooms that were not judged at the end: "+r.less, 1)
		return
	}
	if i := slices.IndexFunc(inside, func(c *call) bool { return c.ext != "" }); i >= 0 && s.plan.policy.dtmf {
		r.presses(inside[i], false)
	}
	var why string
	ok := s.untilCalm(patience, func() bool {
		why = r.untrue(inside)
		return why == ""
	})
	switch {
	case !s.dead.IsZero(), ok && slices.ContainsFunc(inside, func(c *call) bool { return c.over() }):
	case !ok && slices.ContainsFunc(inside, s.excused):
	case !ok:
		s.fails("room %s, %v after everything was healed: %s", r.name, time.Since(s.quietFrom).Round(ms), why)
	default:
		tally.count("rooms that were judged at the end", 1)
		at := r.stand(time.Now(), s.sidecars(true))
		for _, c := range inside {
			if at.of[c].sure() {
				c.agreed = time.Now()
				s.note("%s %.8s is as wanted: %t, person %d, guest %t", c.name, c.id(), at.of[c].wanted(), at.of[c].person, at.of[c].guest)
			}
		}
	}
}

// split says why only less is promised of the room; "" if all is.
func (r *room) split(inside []*call) string {
	_, one := r.s.tap.owner(inside[0].id())
	for _, c := range inside {
		switch _, name := r.s.tap.owner(c.id()); {
		case !c.followed:
			return "somebody came while no Tapedeck answered"
		case name != one:
			return "its calls belong to two instances"
		}
	}
	return ""
}

// begunApart reports whether calls of the room began at different instances: then a call that was
// nobody's guest at its own keeps the file of an internal room when one instance has all of them.
func (r *room) begunApart() bool {
	_, calls := r.history()
	return slices.ContainsFunc(calls, func(c *call) bool { return r.s.tap.firstOwner(c.id()) != r.s.tap.firstOwner(calls[0].id()) })
}

// mayHold reports whether what is said in a call at a time may be in the file of the call with
// this id.
func (c *call) mayHold(at *ruled, id string) bool {
	return at.inRoom && c.kind == internal && c.room.has(id) && c.room.begunApart()
}

// untrue says what is not as it must be in the room now; "" if nothing is.
func (r *room) untrue(inside []*call) string {
	at := r.stand(time.Now(), r.s.sidecars(true))
	sure, wanted := true, false
	for _, c := range inside {
		sure, wanted = sure && at.of[c].sure(), wanted || at.of[c].wanted()
	}
	for _, c := range inside {
		files := filesOf(c.first)
		on := c.first.Get("tapedeck_state") == "on"
		last, _ := r.s.tap.heard(c.first.UUID(), time.Time{}, time.Now(), false)
		switch its := slices.ContainsFunc(files, func(path string) bool { return callOf(path) == c.id() }); {
		case on != (len(files) > 0):
			return c.ext + " has been told " + c.first.Get("tapedeck_state") + ", and is written into " + strings.Join(append(files, "no other"), ", ")
		case last.name == "recorded" && len(files) > 0:
			return c.ext + " has heard that nothing is recorded, and is written into " + files[0]
		case sure && on != wanted:
			return c.ext + " has been told " + c.first.Get("tapedeck_state") + ", and that is not wanted"
		case at.of[c].sure() && its != at.of[c].wanted() && !(c.kind == internal && r.begunApart()):
			return "what is written into the file of " + c.name + " " + c.id() + " is not what is wanted"
		}
	}
	return ""
}

// filesOf are the files into which the voice of the leg can be written now.
func filesOf(leg *esltest.Channel) []string {
	return slices.DeleteFunc(leg.WrittenTo(), isMarker)
}
