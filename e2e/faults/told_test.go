package faults

import (
	"strings"
	"sync"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/internal/testkit"
)

// toldWithin is how long it may take, besides the time in which this machine stands
// still, until the legs are told what FreeSWITCH itself has changed, and until the prompt
// after a resume.
const toldWithin = time.Second

// watchTold lets the switch check, after every event and every command, what the legs are
// told (docs/design.md, section 12, rule 13). Of two instances it checks only what each
// must know of its own doing.
func (s *stage) watchTold() {
	s.sw.CheckTold(esltest.Told{Ignore: isMarker, Within: toldWithin, Stall: noise.Between, Links: s.plan.instances, Several: s.plan.instances > 1})
}

// deafness counts the faults because of which the instances may not hear what happens.
type deafness struct {
	mu      sync.Mutex // not the stage's: the switch waits for that
	faults  int
	healing sync.WaitGroup // ends when none is left
}

// silence says that because of a fault, which begins, the instances may not hear what
// happens. With the function that it returns the fault is healed: that ends once each
// instance has its link, and each call an owner.
func (s *stage) silence(f *fault) (healed func()) {
	if !f.silences() {
		return func() {}
	}
	count := func(by int) {
		s.deaf.mu.Lock()
		defer s.deaf.mu.Unlock()
		s.deaf.faults += by
		s.sw.Deafen(s.deaf.faults > 0)
	}
	count(1)
	return func() {
		s.deaf.healing.Go(func() {
			testkit.Happens(patience, func() bool { return s.sw.Links() == len(s.instances) && s.allOwned() })
			count(-1)
		})
	}
}

// silences reports whether, during this fault, an instance may not hear what happens, or
// FreeSWITCH may answer it late.
func (f *fault) silences() bool {
	return !strings.HasPrefix(f.kind, "redis") && f.kind != diskFull && f.kind != fileDeleted
}

// allOwned reports whether each live call that has a snapshot belongs to an instance that
// runs.
func (s *stage) allOwned() bool {
	for _, leg := range s.sw.Channels() {
		if is, ok := readSnapshot(leg.Get("tapedeck_live")); ok && !s.isOwned(is.Call) {
			return false
		}
	}
	return true
}

// judgeTold judges what the legs were told, and are told at rest: every instance is
// linked, each call has an owner, and that had the time to tell.
func (s *stage) judgeTold() {
	s.deaf.healing.Wait()
	s.untilCalm(patience, func() bool { return !s.sw.TellsUntruth() })
	for _, untruth := range s.sw.Untold() {
		s.fails("%s", untruth)
	}
	is := s.sw.Weighed()
	tally.count("legs whose voice a command let into a file: what they were told was judged at once", is.Judged)
	tally.count("legs whose voice a command let into a file: excused", is.Excused)
}
