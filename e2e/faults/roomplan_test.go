package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tapedeck/esl/esltest"
)

// roomPlan is one conference room of a plan.
type roomPlan struct {
	seed     uint64
	after    time.Duration
	lasts    time.Duration
	internal bool // no outside party comes
	stays    bool // its last members stay until all faults are healed
}

// room is one conference room as its people know it. Each of them has a call.
type room struct {
	s      *stage
	name   string
	rand   *rand.Rand
	plan   roomPlan
	socket int    // the instance to which all of its legs connect first
	less   string // why only less is promised of it at the end; "" if all is

	mu     sync.Mutex
	calls  []*call
	events []roomEvent
	inside []*call
}

// roomEvent is an event that matters to the rules of a room.
type roomEvent struct {
	at    time.Time
	what  string // begins, comes, goes, presses, unsure
	call  *call
	press *press
}

func newRoomOf(s *stage, n int, plan roomPlan) *room {
	r := &room{s: s, name: fmt.Sprint(3000 + n), plan: plan, rand: rand.New(rand.NewPCG(plan.seed, 9))}
	r.socket = r.rand.IntN(2)
	return r
}

func (r *room) happens(what string, c *call, p *press) {
	e := roomEvent{time.Now(), what, c, p}
	if p != nil {
		e.at = p.at
	}
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	if what == "comes" {
		c.mu.Lock()
		c.moments = append(c.moments, moment{at: e.at, what: "answers", leg: c.first})
		c.mu.Unlock()
	}
	r.s.note("room %s: %s %s %.8s", r.name, c.name, what, c.id())
}

// history is what has happened until now, and the calls that there have been.
func (r *room) history() ([]roomEvent, []*call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events), slices.Clone(r.calls)
}

// has reports whether a call with this id has been in the room.
func (r *room) has(id string) bool {
	_, calls := r.history()
	return slices.ContainsFunc(calls, func(c *call) bool { return c.id() == id })
}

// play lets people come, press and leave.
func (r *room) play() {
	tally.count("rooms", 1)
	time.Sleep(r.plan.after)
	end := time.Now().Add(r.plan.lasts)
	for range 2 + r.rand.IntN(2) {
		r.comes()
	}
	for time.Now().Before(end) && r.s.alive() {
		time.Sleep(between(r.rand, 100*ms, 600*ms))
		r.step()
	}
	for _, c := range r.members() {
		if !r.plan.stays {
			r.goes(c)
			continue
		}
		c.mu.Lock()
		c.stayed = true
		c.mu.Unlock()
	}
}

// members are the calls in the room whose legs are still there.
func (r *room) members() []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside = slices.DeleteFunc(r.inside, func(c *call) bool { return c.over() })
	return slices.Clone(r.inside)
}

func (r *room) step() {
	inside := r.members()
	users := slices.DeleteFunc(slices.Clone(inside), func(c *call) bool { return c.ext == "" })
	switch n := r.rand.IntN(16); {
	case n < 4 && len(inside) < 6:
		r.comes()
	case n < 10 && len(users) > 0:
		r.presses(users[r.rand.IntN(len(users))], r.rand.IntN(4) == 0)
	case n < 11 && len(inside) > len(users):
		outside := inside[slices.IndexFunc(inside, func(c *call) bool { return c.ext == "" })]
		outside.first.PressDigits("*1") // it may not
	case n < 13 && len(inside) > 2:
		r.goes(inside[r.rand.IntN(len(inside))])
	}
}

// comes lets somebody come into the room: an outside party if there are fewer than two,
// or a user who is not there.
func (r *room) comes() {
	inside := r.members()
	outside := slices.IndexFunc(inside, func(c *call) bool { return c.ext == "" }) >= 0
	two := len(slices.DeleteFunc(slices.Clone(inside), func(c *call) bool { return c.ext != "" })) > 1
	var free []string
	for _, ext := range extensions {
		if !slices.ContainsFunc(inside, func(c *call) bool { return c.ext == ext }) {
			free = append(free, ext)
		}
	}
	c := &call{s: r.s, callOfRoom: callOfRoom{room: r}, name: "room " + r.name, way: r.rand}
	if !r.plan.internal && !two && (!outside || r.rand.IntN(2) == 0 || len(free) == 0) {
		c.kind, c.number = inbound, []string{"+442079460001", "+442079460002"}[r.rand.IntN(2)]
		c.first = r.s.sw.Incoming(esltest.Leg{Number: "+447700900123", Destination: c.number, ToneHz: outsideTone})
	} else if len(free) > 0 {
		c.kind, c.ext = internal, free[r.rand.IntN(len(free))]
		c.first = (&player{call: c}).from(c.ext, r.name, "")
	} else {
		return
	}
	c.anchor = c.first
	c.has(c.first)
	r.s.mu.Lock()
	r.s.calls = append(r.s.calls, c)
	r.s.mu.Unlock()
	r.mu.Lock()
	r.calls = append(r.calls, c)
	r.mu.Unlock()
	r.happens("begins", c, nil)
	followed := c.enter(c.first, "")
	c.mu.Lock()
	c.followed = followed
	c.mu.Unlock()
	if c.over() { // FreeSWITCH has ended it at the socket
		return
	}
	c.first.Conference(r.name)
	r.mu.Lock()
	r.inside = append(r.inside, c)
	r.mu.Unlock()
	r.happens("comes", c, nil)
}

// goes lets somebody leave: he is transferred out of the room and hangs up there, or
// hangs up in it.
func (r *room) goes(c *call) {
	if r.rand.IntN(2) == 0 {
		c.first.LeaveConference()
	}
	r.mu.Lock()
	r.inside = slices.DeleteFunc(r.inside, func(other *call) bool { return other == c })
	r.mu.Unlock()
	for _, p := range c.presses {
		p.gone = time.Now()
	}
	r.happens("goes", c, nil)
	c.hangUp()
}

// presses lets a user press the code or the Record key.
func (r *room) presses(c *call, key bool) {
	p := &player{call: c, rand: r.rand, ext: c.ext, peer: c.first}
	if key {
		p.key()
	} else {
		p.press(c.first, c.ext)
	}
	last := c.presses[len(c.presses)-1]
	if last.bound || key {
		r.happens("presses", c, last)
		tally.count("presses in rooms", 1)
		if in := r.members(); len(slices.DeleteFunc(in, func(c *call) bool { return c.ext != "" })) > 1 {
			tally.count("presses in rooms with two outside parties", 1)
		}
	}
}

// alive reports whether FreeSWITCH has not ended all calls.
func (s *stage) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead.IsZero()
}
