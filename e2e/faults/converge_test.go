package faults

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/esl/esltest"
)

// How long things may take once every fault is healed.
const (
	linkTime    = 8 * time.Second  // until the links are up: redialling has pauses and time limits
	patience    = 10 * time.Second // until what is recorded is what is wanted
	description = 30 * time.Second // until every file has its sidecar
	entryTime   = 300 * time.Millisecond
	answerTime  = 5 * time.Second        // until a missed press is refused
	handover    = time.Second            // while two instances may both send commands for a call
	reaction    = 700 * time.Millisecond // from an event to what is recorded, while nothing is broken
)

// converge waits until what is recorded is what is wanted, on the calls that stay.
func (s *stage) converge() {
	began := time.Now()
	linked := s.untilCalm(linkTime, func() bool { return s.sw.Links() == len(s.instances) })
	s.note("all links are up: %t", linked)
	if linked {
		s.linked = time.Now()
	} else {
		s.fails("%d of %d links are up %v after everything was healed", s.sw.Links(), len(s.instances), linkTime)
	}
	s.untilCalm(answerTime, func() bool { return s.unanswered() == 0 })
	for _, c := range s.everyCall() {
		if !c.stayed || c.room != nil {
			continue
		}
		if c.over() && c.ended.IsZero() {
			if s.dead.IsZero() {
				s.fails("%s %.8s was dropped", c.name, c.id())
			}
			continue
		}
		var at *ruled
		agrees := s.untilCalm(max(time.Second, patience-time.Since(began)), func() bool {
			at = c.stand(time.Now(), s.sidecars(true))
			return !c.followed || !at.sure() || c.over() || s.owned(c) && at.wanted() == (c.anchor.Get("tapedeck_state") == "on") && at.wanted() == c.isWritten() && at.toldAlike() && !c.inOtherFiles(at.peer)
		})
		switch {
		case c.over():
		case !agrees && s.excused(c):
		case !agrees:
			s.fails("%s %.8s is %q (%s), and wanted is %t, %v after everything was healed", c.name, c.id(), c.anchor.Get("tapedeck_state"), at.toldPeer(), at.wanted(),
				time.Since(s.quietFrom).Round(time.Millisecond))
		case c.followed && at.sure():
			c.agreed = time.Now()
			s.note("%s %.8s is as wanted: %t, person %d", c.name, c.id(), at.wanted(), at.person)
		}
	}
	for _, r := range s.rooms {
		r.converge()
	}
	s.settled = time.Since(began)
	time.Sleep(500 * time.Millisecond) // of talk that must be in the file, or not
}

// toldAlike reports whether the phone that talks to the recorded leg has been told the same.
func (c *ruled) toldAlike() bool {
	told := func(leg *esltest.Channel) string { return cmp.Or(leg.Get("tapedeck_state"), "off") }
	return c.peer == nil || told(c.peer) == told(c.anchor)
}

// toldPeer is what the phone that talks to the recorded leg has been told.
func (c *ruled) toldPeer() string {
	if c.peer == nil {
		return "alone"
	}
	return "its peer " + c.peer.Get("tapedeck_state")
}

// isWritten reports whether the outside party's voice is written into a file of the
// call now. What the call's state says may be late: a command is on its way.
func (c *call) isWritten() bool {
	return slices.ContainsFunc(c.anchor.WrittenTo(), func(path string) bool { return callOf(path) == c.id() })
}

// owned reports whether the instance that last claimed a call still runs. What a dead
// instance announced about the call may be old.
func (s *stage) owned(c *call) bool { return s.isOwned(c.id()) }

func (s *stage) isOwned(call string) bool {
	last, name := s.tap.owner(call)
	for _, i := range s.instances {
		if i.name == name {
			return i.livesSince(last)
		}
	}
	return true // no instance has claimed it
}

// unanswered is how many presses have no answer yet, of those that must have one.
func (s *stage) unanswered() (n int) {
	known := s.sidecars(true)
	for _, c := range s.everyCall() {
		for _, p := range c.presses {
			if heard, result := c.answer(p, known); heard == "" && result == "" && c.mustAnswer(p, known) {
				n++
			}
		}
	}
	return n
}

// mustAnswer reports whether the phone must hear the result of a press: the press is a
// user's, FreeSWITCH recognised the code, the user has not pressed again and stays on
// the call. (There is an exception: an outgoing call that was answered, and whose
// phone left, before any Tapedeck knew of the answer.)
func (c *call) mustAnswer(p *press, known []sidecar) bool {
	until := cmp.Or(c.ended, time.Now())
	if c.room != nil && c.room.less != "" {
		return false
	}
	return c.s.dead.IsZero() && p.bound && p.ext != "" && c.stayed && c.followed && p.until.IsZero() && c.stand(until, known).has(p.leg) &&
		(c.kind != outbound || c.anchor.Get("tapedeck_live") != "")
}

// has reports whether a user's leg is on the call.
func (c *ruled) has(leg *esltest.Channel) bool { return c.peer == leg || c.inRoom && c.anchor == leg }

// excused reports whether a wanted recording may be missing: the disk was full or the
// file was deleted, and the sidecar says so.
func (s *stage) excused(c *call) bool {
	return s.struck(diskFull, fileDeleted) && slices.ContainsFunc(s.sidecars(true), func(d sidecar) bool {
		return d.Call == c.id() && len(d.Problems) > 0
	})
}

// awaitSidecars waits until every file, and every call that is owed one, has a sidecar,
// and no marker of a Record key is left.
func (s *stage) awaitSidecars() {
	began := time.Now()
	missing := ""
	ok := s.untilCalm(description, func() bool {
		missing = ""
		live, _ := filepath.Glob(s.spool + "/.live/*.json")
		for _, path := range live {
			missing += " draft " + filepath.Base(path)
		}
		for _, path := range s.files(".wav") {
			if _, err := os.Stat(strings.TrimSuffix(path, ".wav") + ".json"); err != nil {
				missing += " sidecar of " + filepath.Base(path)
			}
		}
		markers, _ := filepath.Glob(s.spool + "/.keys/*")
		for _, path := range markers {
			missing += " marker of a Record key " + filepath.Base(path)
		}
		described := s.sidecars(false)
		for _, c := range s.everyCall() {
			if s.owed(c, nil) && !slices.ContainsFunc(described, func(d sidecar) bool { return d.Call == c.id() }) {
				missing += " anything of " + c.id()
			}
		}
		return missing == ""
	})
	s.finished = time.Since(began)
	if !ok {
		s.fails("%v after the last hangup there is still:%s", description, missing)
	}
	s.note("everything is described: %t", ok)
}

// owed reports whether a call must have a sidecar: a Tapedeck followed it, and a
// recording was wanted when it was answered, or at the end, or a press started one.
func (s *stage) owed(c *call, known []sidecar) bool {
	if !c.followed || s.struck(killed) && slices.Contains(s.deleted, c.id()) {
		return false // nobody can know of a file that was deleted while its Tapedeck was dead
	}
	c.mu.Lock()
	moments := slices.Clone(c.moments)
	c.mu.Unlock()
	for _, m := range moments {
		if m.what != "joins" && m.what != "answers" || c.overBy(m.at.Add(200*ms)) {
			continue
		}
		if c.room != nil && c.kind == internal { // it may be a guest soon, before the file has a packet
			continue
		}
		before, after := c.stand(m.at.Add(-time.Microsecond), known), c.stand(m.at, known)
		if before.sure() && after.sure() && !before.answered && before.wanted() && after.wanted() {
			return true
		}
	}
	if !c.agreed.IsZero() {
		at := c.stand(c.agreed, known)
		return at.answered && at.sure() && at.wanted()
	}
	return c.room == nil && slices.ContainsFunc(c.presses, func(p *press) bool {
		heard, _ := c.answer(p, known)
		return heard == "is-being-recorded" && !c.overBy(c.hears(p, p.at).at.Add(200*ms))
	})
}

// overBy reports whether the call was over at a time.
func (c *call) overBy(at time.Time) bool {
	for _, end := range []time.Time{c.ended, c.s.dead} {
		if !end.IsZero() && end.Before(at) {
			return true
		}
	}
	return false
}
