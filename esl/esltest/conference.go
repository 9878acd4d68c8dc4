package esltest

import (
	"fmt"
	"slices"
)

// room is one conference of mod_conference. It exists as long as somebody is in it.
type room struct {
	name, id string
	members  []*Channel
	lastID   int
}

// Conference runs the dialplan's `conference`: it answers the leg, which is in the
// room of that name until LeaveConference or its end. Everybody in a room hears all
// the others (mod_conference.c, conference_function).
func (c *Channel) Conference(name string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	if c.down || c.room != nil {
		return
	}
	if !c.outbound {
		c.markAnswered()
	}
	r := c.sw.rooms[name]
	if r == nil {
		r = &room{name: name, id: newUUID()}
		c.sw.rooms[name] = r
		c.sw.fireRoom(r, nil, "conference-create")
	}
	c.vars.set("conference_name", name)
	r.settle()
	c.settle()
	r.lastID++
	c.room, c.member = r, fmt.Sprint(r.lastID)
	r.members = append(r.members, c)
	c.vars.set("conference_member_id", c.member)
	c.vars.set("conference_uuid", r.id)
	c.vars.set("conference_call_key", "conference_"+name+"_"+c.sw.options.Name+"_"+c.profile.callerNumber)
	c.sw.fireRoom(r, c, "add-member")
}

// LeaveConference takes the leg out of its room, as `conference <name> kick` and a
// transfer do. It goes on in the dialplan.
func (c *Channel) LeaveConference() {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	c.leaveRoom()
}

// leaveRoom is conference_member.c, conference_member_del. conference_uuid stays on
// the leg, conference_call_key does not.
func (c *Channel) leaveRoom() {
	r := c.room
	if r == nil {
		return
	}
	r.settle()
	r.members = slices.DeleteFunc(r.members, func(m *Channel) bool { return m == c })
	c.room = nil
	c.vars.set("conference_call_key", "")
	c.sw.fireRoom(r, c, "del-member")
	if len(r.members) == 0 {
		delete(c.sw.rooms, r.name)
		c.sw.fireRoom(r, nil, "conference-destroy")
	}
}

// settle adds the audio up to now to every recording in the room.
func (r *room) settle() {
	for _, m := range r.members {
		for _, one := range m.recordings {
			one.settle()
		}
	}
}

// heardBy are the tones of the others in the room; alone, a leg hears silence.
func (r *room) heardBy(c *Channel) []int {
	tones := []int{0}
	for _, m := range r.members {
		if hz := m.voice(); m != c && hz != noPackets {
			tones = append(tones, hz)
		}
	}
	return tones
}

// fireRoom fires an event about a room or, if there is one, a member of it
// (conference_member.c, conference_member_add_event_data). It has no channel
// variables.
func (s *Switch) fireRoom(r *room, member *Channel, action string) {
	const subclass = "conference::maintenance"
	if member != nil && member.gone || !s.anyoneWants("CUSTOM", subclass) {
		s.sequence++
		return
	}
	e := s.newEvent("CUSTOM")
	e.subclass = subclass
	e.headers[0] = header{"Event-Subclass", subclass} // it comes first, and the name last
	e.add("Event-Name", "CUSTOM")
	e.add("Conference-Name", r.name)
	e.add("Conference-Domain", s.options.Name)
	e.add("Conference-Size", fmt.Sprint(len(r.members)))
	e.add("Conference-Ghosts", "0")
	e.add("Conference-Profile-Name", "default")
	e.add("Conference-Unique-ID", r.id)
	if member != nil {
		e.add("Floor", "false")
		member.describeBasic(e)
		for _, h := range []header{{"Video", "false"}, {"Hear", "true"}, {"See", "true"}, {"Speak", "true"}, {"Talking", "false"},
			{"Mute-Detect", "false"}, {"Hold", "false"}, {"Member-ID", member.member}, {"Member-Type", "member"},
			{"Member-Ghost", "false"}, {"Energy-Level", "100"}, {"Current-Energy", "0"}} {
			e.add(h.name, h.value)
		}
	}
	e.add("Action", action)
	s.fire(e)
}
