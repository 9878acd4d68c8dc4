package faults

import (
	"path/filepath"
	"slices"
	"time"

	"tapedeck/esl/esltest"
)

// pickUp lets a user take the call from the one who talks: from the slot in which that
// one has parked it, or by intercepting it.
func (p *player) pickUp() {
	if p.rand.IntN(2) == 0 {
		p.takes("from a talk")
		return
	}
	stays := p.peer.BlindTransfer("6001")
	p.happens(moment{what: "leaves", leg: p.peer})
	if stays == nil || stays != p.anchor || !p.sleep(1*ms, 50*ms) {
		return
	}
	p.enter(stays, "")
	stays.Park()
	p.takes("from park")
}

// takes lets a user dial a pick-up code: he begins a call of his own, which dissolves
// into this one when he has it. It reports whether he has it.
func (p *player) takes(where string) bool {
	ext := p.pick(extensions...)
	own := p.begins("picker", ext, "6001")
	if p.rand.IntN(2) == 0 { // the dialplan answers him first, and his own call may be recorded
		own.first.Answer()
		own.happens(moment{what: "answers", leg: own.first})
		own.sleep(20*ms, 500*ms)
		if p.rand.IntN(3) == 0 {
			own.press(own.first, ext)
			own.sleep(20*ms, 300*ms)
		}
	}
	before := p.peer
	if where == "from park" {
		own.first.PickUpParked(p.anchor)
	} else {
		own.first.Intercept(p.anchor)
	}
	if own.first.Get("bridge_uuid") != p.anchor.UUID() { // one of the two has hung up
		own.hangUp()
		return false
	}
	own.dissolves(p.call)
	p.has(own.first)
	p.peer, p.ext, p.held = own.first, ext, false
	if where == "from a talk" {
		p.happens(moment{what: "leaves", leg: before})
	}
	p.happens(moment{what: "joins", user: users[ext], leg: own.first})
	tally.count("pick-ups "+where, 1)
	return true
}

// dissolves notes that the call is part of another one from now on: what its user
// presses and hears belongs to that.
func (c *call) dissolves(into *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.into = time.Now(), into
	for _, p := range c.presses {
		if p.until.IsZero() {
			p.until = c.ended
		}
	}
}

// judgePickUp: the call of a user who has picked up another one is part of that from
// then on. Its file ends, and the sidecars of the two name each other.
func (s *stage) judgePickUp(c *call, all []sidecar, heard map[string]*audio) {
	tally.count("pick-ups", 1)
	calm := s.firstFault()
	if !c.into.ended.IsZero() && c.into.ended.Before(calm) {
		calm = c.into.ended
	}
	latest := c.ended.Add(reaction + 2*noise.Between(c.ended, c.ended.Add(reaction)))
	if !latest.Before(calm) {
		if c.into.agreed.IsZero() || c.into.unseen(c.first) || s.killedAfter(c.ended) {
			return
		}
		latest = c.into.agreed.Add(200 * ms)
	}
	var own, others []sidecar
	for _, d := range all {
		switch d.Call {
		case c.id():
			own = append(own, d)
		case c.into.id():
			others = append(others, d)
		}
	}
	for _, d := range own {
		a, began := heard[d.wav()], s.tap.started(d.wav())
		if a == nil || began.IsZero() {
			continue
		}
		if at, found := a.speech(latest.Sub(began), a.length); found {
			s.fails("%s %.8s: its user is in another call since %v, and somebody is heard in %s at %v", c.name, c.id(), c.ended.Sub(s.began).Round(ms),
				filepath.Base(d.wav()), began.Add(at).Sub(s.began).Round(ms))
		}
	}
	if len(own) == 0 || !c.followed {
		return
	}
	tally.count("pick-ups by a user with a file of his own", 1)
	if !names(own, "dissolved", c.into.id()) {
		s.fails("%s %.8s has a sidecar that does not say that it is part of %.8s", c.name, c.id(), c.into.id())
	}
	if len(others) > 0 && !names(others, "joined", c.id()) {
		s.fails("%s %.8s has a sidecar that does not say that %.8s is part of it", c.into.name, c.into.id(), c.id())
	}
}

// inOtherFiles reports whether what is said in the call is being written into the file of
// another one: of a user who has picked it up, or of one who has left.
func (c *call) inOtherFiles(peer *esltest.Channel) bool {
	for _, leg := range []*esltest.Channel{c.anchor, peer} {
		if leg != nil && slices.ContainsFunc(leg.WrittenTo(), func(path string) bool { return !isMarker(path) && callOf(path) != c.id() }) {
			return true
		}
	}
	return false
}

// unseen reports whether a user came to the call on this leg while something was broken,
// and had left before a Tapedeck could see it.
func (c *call) unseen(leg *esltest.Channel) bool {
	for i, m := range c.moments {
		if m.what == "joins" && m.leg == leg {
			return c.transient(m, c.moments[i+1:])
		}
	}
	return false
}

// names reports whether a trace says this of another call.
func names(of []sidecar, what, other string) bool {
	for _, d := range of {
		for _, n := range d.Trace {
			if n.What == what && n.Call == other {
				return true
			}
		}
	}
	return false
}
