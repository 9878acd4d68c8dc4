package call

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/call/roomrules"
	"tapedeck/call/survey"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// A conference room is a talk: everybody in it hears everybody else (docs/design.md,
// section 12, rule 11). Each outside party in it keeps its own file. A user's own
// call into the room is then a guest: his voice is in the files of the outside
// parties, and his call has none. Without an outside party the call of the user who
// came first has the file, and those of the others are guests.

// roomSubclass is the subclass of the events that say who is in which room.
const roomSubclass = "conference::maintenance"

// meeting is one conference room with its legs, in the order in which they came.
type meeting struct {
	members []string
	served  []string              // phones on no call of their own that a call tells how the recording stands
	presses map[string]*roomPress // by phone: its last press
}

// gathering is what a conference room means for one call whose anchor is in it. The
// zero value is no room.
type gathering struct {
	id         string        // Conference-Unique-ID
	others     []string      // the other legs in the room
	serves     []string      // of them, the users' phones that are on no call of their own: this call tells them how the recording stands
	bystanders []string      // of them, the legs that no Tapedeck has ever had: this call tells them, too
	guest      bool          // the talk is in the files of other calls. It stays set until the leg talks to somebody outside the room
	told       toggle.Status // the last status of this call that the other calls in the room know
}

// rooms follows who is in which conference room, and what that means for the calls.
type rooms struct{ ctl *Controller }

// event takes an event of mod_conference.
func (r rooms) event(ev *esl.Event, now time.Time) {
	uuid, room := ev.Get("Unique-ID"), ev.Get("Conference-Unique-ID")
	switch ev.Get("Action") {
	case "add-member":
		r.move(uuid, room, now)
	case "del-member":
		if l := r.ctl.legs.get(uuid); l != nil && l.at.room == room {
			if c := r.ctl.callAnchored(uuid); c != nil && hasHungUp(ev) {
				c.fact(toggle.Fact{What: toggle.HungUp}, now)
			}
			r.move(uuid, "", now)
		}
	case "conference-destroy":
		if m := r.ctl.legs.rooms[room]; m != nil {
			for _, uuid := range slices.Clone(m.members) {
				r.move(uuid, "", now)
			}
		}
	}
}

// hungUp takes the end of a leg whose room did not report that it has left.
func (r rooms) hungUp(uuid string, now time.Time) {
	if l := r.ctl.legs.get(uuid); l == nil || l.at.room == "" {
		return
	}
	if c := r.ctl.callAnchored(uuid); c != nil {
		c.fact(toggle.Fact{What: toggle.HungUp}, now)
	}
	r.move(uuid, "", now)
}

// inDialplan notes that a leg reached the dialplan at a time. It has left the room that
// it was in until then: the event that says so comes on another connection, and may
// still be on its way.
func (r rooms) inDialplan(uuid string, came, now time.Time) {
	if l := r.ctl.legs.get(uuid); l != nil && l.at.since.Before(came) {
		r.move(uuid, "", now)
	}
}

// roomOf is the conference room that a leg is in by its channel data; "" if none.
// conference_uuid stays on a leg that has left; conference_call_key does not
// (conference_member.c, conference_member_add and conference_member_del).
func roomOf(data channelData) string {
	if data.Variable("conference_call_key") == "" {
		return ""
	}
	return data.Variable("conference_uuid")
}

// move takes a leg out of the room that it is in, if any, and into another; "" is
// none.
func (r rooms) move(uuid, to string, now time.Time) {
	from, moved := r.ctl.legs.move(uuid, to, now)
	if !moved {
		return
	}
	if from != "" {
		r.assemble(from, []string{uuid}, now)
	}
	if to != "" {
		r.askTaken(uuid, to, now)
		r.assemble(to, nil, now)
	}
}

// byArrival are legs in the order in which they came into their rooms: mod_conference
// counts all members (mod_conference.c, next_member_id).
func byArrival(data map[string]survey.Data) []string {
	came := func(uuid string) int {
		n, _ := strconv.Atoi(data[uuid].Variable("conference_member_id")) // 0: it has been in none
		return n
	}
	return slices.SortedFunc(maps.Keys(data), func(a, b string) int {
		return cmp.Or(cmp.Compare(came(a), came(b)), strings.Compare(a, b))
	})
}

// refresh takes from a survey that was begun at a time who is in which room. What an
// event has said since then is newer.
func (r rooms) refresh(s survey.Survey, begun, now time.Time) {
	left := map[string][]string{} // by room: the legs that have left it
	for _, uuid := range byArrival(s.Data) {
		l := r.ctl.legs.get(uuid)
		if l == nil || l.at.since.After(begun) {
			continue
		}
		to := roomOf(s.Data[uuid])
		if from, moved := r.ctl.legs.move(uuid, to, now); moved {
			left[to] = append(left[to], "")
			left[from] = append(left[from], uuid)
			l.at.untaken = s.Data[uuid].Variable("tapedeck_call") == ""
		}
	}
	delete(left, "")
	for _, room := range slices.Sorted(maps.Keys(left)) {
		r.assemble(room, slices.DeleteFunc(left[room], func(uuid string) bool { return uuid == "" }), now)
		r.assumeTold(room, now)
	}
}

// assumeTold: after a takeover, nobody knows who was told what if somebody has pressed. So
// every user there is told when a recording in the room is not silent, or not any more.
func (r rooms) assumeTold(room string, now time.Time) {
	for _, by := range r.calls(room) {
		if by.rec.Person != toggle.Nobody {
			by.announced.assumeTold(append(slices.Clone(by.route.room.others), by.route.anchor))
		}
	}
	r.tellAgain(room, now)
}

// tellAgain lets each call in the room tell its legs again how it stands.
func (r rooms) tellAgain(room string, now time.Time) {
	for _, c := range r.calls(room) {
		c.announced.again(now)
	}
}

// move notes that a leg is in this room now; "" is none.
func (ls *legs) move(uuid, to string, now time.Time) (from string, moved bool) {
	l := ls.all[uuid]
	if l == nil || l.at.room == to {
		return "", false
	}
	from = l.at.room
	if m := ls.rooms[from]; m != nil {
		m.members = slices.DeleteFunc(m.members, func(member string) bool { return member == uuid })
		delete(m.presses, uuid)
		if len(m.members) == 0 {
			delete(ls.rooms, from)
		}
	}
	l.at.room, l.at.since = to, now
	if to != "" {
		if ls.rooms[to] == nil {
			ls.rooms[to] = &meeting{presses: map[string]*roomPress{}}
		}
		ls.rooms[to].members = append(ls.rooms[to].members, uuid)
	}
	return from, true
}

// left takes a leg that has left a room, and its call, out of it. The room's users
// are no longer on that call. A guest stays without a file until its leg talks to
// somebody: most that leave a room hang up.
func (r rooms) left(uuid string, now time.Time) {
	c := r.ctl.callAnchored(uuid)
	if c == nil {
		r.tellOff(uuid, now)
		return
	}
	if c.ctl.legs.get(uuid).at.room == c.route.room.id { // it is seated in another room already
		return
	}
	c.route.room = gathering{guest: c.route.room.guest}
	c.route.assemble(nil, now)
	c.rethink(now)
}

// calls are the live calls whose anchor is in a room, in the order in which they
// came.
func (r rooms) calls(room string) (calls []*call) {
	m := r.ctl.legs.rooms[room]
	if m == nil {
		return nil
	}
	for _, uuid := range m.members {
		if c := r.ctl.callAnchored(uuid); c != nil && !c.rec.Gone {
			calls = append(calls, c)
		}
	}
	return calls
}

// recordings are the calls of an organisation in a room that have, or may have, a
// file.
func (r rooms) recordings(room, org string) []*call {
	return slices.DeleteFunc(r.calls(room), func(c *call) bool { return c.route.room.guest || c.route.org.ID != org })
}

// assemble brings the calls in a room in line with who is in it. left are the legs
// that have just left it.
func (r rooms) assemble(room string, left []string, now time.Time) {
	calls := r.calls(room)
	all := slices.Clone(calls)
	for _, uuid := range left {
		if c := r.ctl.callAnchored(uuid); c != nil {
			all = append(all, c)
		}
	}
	paused := pausedCalls(all)
	var guests []*call // that have just become guests
	for i, guest := range roomrules.Guests(asInRoom(calls)) {
		if c := calls[i]; r.seat(c, room, guest, now) {
			guests = append(guests, c)
		}
	}
	for _, c := range guests {
		r.nameEachOther(c, r.recordings(room, c.route.org.ID), now)
	}
	r.serve(room, calls, now)
	r.keepPauses(paused, all, now)
	for _, uuid := range left {
		r.left(uuid, now)
	}
	for _, c := range calls {
		c.rethink(now)
	}
}

// asInRoom are the calls in a room as the rules need them.
func asInRoom(calls []*call) []roomrules.Call {
	all := make([]roomrules.Call, len(calls))
	for i, c := range calls {
		all[i] = roomrules.Call{Org: c.route.org.ID, Internal: c.route.direction == flow.Internal, Guest: c.route.room.guest}
	}
	return all
}

// adopted seats a call that was taken over in the room in which its anchor is. Who
// is a guest there is decided a little later (recheck), when the other calls of the
// room are taken over, too.
func (r rooms) adopted(c *call) {
	if l := r.ctl.legs.get(c.route.anchor); l != nil && l.at.room != "" {
		c.route.room.id = l.at.room
		c.route.room.others = r.others(c)
	}
}

// others are the other legs in the room of the call's anchor.
func (r rooms) others(c *call) []string {
	return slices.DeleteFunc(slices.Clone(r.ctl.legs.rooms[c.route.room.id].members), func(uuid string) bool { return uuid == c.route.anchor })
}

// seat notes who is in the room with the call's anchor, and whether the call is a
// guest there. A call that becomes a guest gives its file up: it is closed.
func (r rooms) seat(c *call, room string, guest bool, now time.Time) (became bool) {
	at := &c.route.room
	became = guest && !at.guest
	at.id, at.guest = room, guest
	at.others = r.others(c)
	if guest {
		c.route.assemble(nil, now)
	} else {
		c.route.assemble(at.others, now)
	}
	if became {
		c.log.Info("talk in a conference room is in the file of another call")
		r.giveUpUnstarted(c, now)
		c.happened(toggle.Fact{What: toggle.Broken}, now)
		c.happened(toggle.Fact{What: toggle.Stands}, now)
	}
	return became
}

// giveUpUnstarted notes that the file of a call that becomes a guest should have started
// with its answer and has not: FreeSWITCH may have left an empty one (the disk is full).
func (r rooms) giveUpUnstarted(c *call, now time.Time) {
	if c.rec.Answered && !c.rec.starting && c.rec.File >= toggle.Armed && c.rec.File < toggle.Open {
		c.rec.Problems |= toggle.NotStarted
		c.fault(c.files.Last(), recording.NotStarted, "", now)
	}
}

// nameEachOther lets the traces of a guest and of the calls that have its talk name
// each other.
func (r rooms) nameEachOther(guest *call, others []*call, now time.Time) {
	for _, c := range others {
		guest.trace.add(recording.Note{What: recording.NoteDissolved, Call: c.id}, now)
		c.trace.add(recording.Note{What: recording.NoteJoined, User: c.route.userOn(guest.route.anchor), Call: guest.id}, now)
	}
}

// assemble notes that the anchor talks to these legs at once: their users are on the
// call, and no other users, except the anchor's own.
func (r *route) assemble(others []string, now time.Time) {
	if r.room.id != "" && r.peer != "" {
		r.leave(r.peer, now)
	}
	for _, s := range slices.Clone(r.passed) {
		if s.Element.Kind == flow.User && s.leg != "" && s.leg != r.anchor && s.leg != r.peer && !slices.Contains(others, s.leg) {
			r.leave(s.leg, now)
		}
	}
	for _, uuid := range others {
		l := r.legs.get(uuid)
		if !l.is(r.org.ID) || slices.ContainsFunc(r.passed, func(s step) bool { return s.leg == uuid }) {
			continue
		}
		if !slices.Contains(r.talked, l.user.ID) {
			r.talked = append(r.talked, l.user.ID)
		}
		r.enter(flow.Element{Kind: flow.User, ID: l.user.ID}, uuid, now)
	}
}

// talksOutside notes that the anchor of a guest talks to somebody, or goes on in the
// dialplan: its call has its own file again.
func (g *gathering) talksOutside() {
	if g.id == "" {
		g.guest = false
	}
}

// pausedCalls are the calls that a person has paused.
func pausedCalls(calls []*call) (paused []*call) {
	for _, c := range calls {
		if c.rec.Person == toggle.TurnedOff {
			paused = append(paused, c)
		}
	}
	return paused
}

// keepPauses lets a pause hold for every recording of the organisation in the room,
// also for one that came later or goes on elsewhere: who was told "Recorded" is not
// recorded until somebody ends the pause. If the person who paused has no right to
// pause one of them, it goes on, and announced.tellOtherwise tells him so.
func (r rooms) keepPauses(paused, calls []*call, now time.Time) {
	for _, c := range calls {
		i := slices.IndexFunc(paused, func(by *call) bool { return by.route.org.ID == c.route.org.ID })
		stays := r.ctl.legs.get(c.route.anchor).at.room == c.route.room.id
		switch {
		case i < 0, c.rec.Person == toggle.TurnedOff, c.rec.Gone, c.route.room.guest && stays, !c.rec.Wanted() && !c.route.effective().On:
			continue
		}
		last, at := paused[i].presses.last, paused[i].presses.lastAt
		if toggle.Permit(c.route.org, last.user, last.method, c.route.effective()) == toggle.Permitted {
			c.presses.takeOver(paused[i], last, at, now)
		}
	}
}

// takeOver lets a pause that a person made on another recording of the same talk
// hold for this one.
func (ps *presses) takeOver(from *call, by press, at, now time.Time) {
	ps.call.log.Info("pause of the conference room holds for this recording")
	ps.inherit(from.id, by, at, toggle.TurnedOff, now)
}

// inherit lets what a person wanted of the recording of another call count for this one.
func (ps *presses) inherit(from string, by press, at time.Time, wants toggle.Person, now time.Time) {
	c := ps.call
	ps.last, ps.lastAt = press{method: by.method, user: by.user, account: by.account}, at
	c.trace.add(recording.Note{What: recording.NotePressed, Method: string(by.method), User: by.user, By: by.account, Result: recording.ResultOK, Call: from}, now)
	c.happened(toggle.Fact{What: toggle.Stands, Person: wants}, now)
	ps.keepResume(now)
}
