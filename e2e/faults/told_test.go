package faults

import (
	"strings"
	"time"

	"tapedeck/esl/esltest"
)

// toldWithin is how long it may take, on a busy machine, until the legs are told what
// FreeSWITCH itself has changed, and until the prompt after a resume.
const toldWithin = 3 * time.Second

// watchTold lets the switch check, after every event and every command, what the legs are
// told (docs/design.md, section 12, rule 13). If two instances have calls in one talk, each
// tells what it knows: that is not checked.
func (s *stage) watchTold() {
	if s.plan.instances == 1 {
		s.sw.CheckTold(esltest.Told{Ignore: isMarker, Within: toldWithin})
	}
}

// silences reports whether, during this fault, there may be nobody who could tell the
// legs anything.
func (f *fault) silences() bool { return !strings.HasPrefix(f.kind, "redis") }

// judgeTold judges what the legs were told, and are told at rest: every instance is linked
// and has looked at its calls.
func (s *stage) judgeTold() {
	s.sw.ExcuseTold(false)
	for _, untruth := range s.sw.Untold() {
		s.fails("%s", untruth)
	}
	if s.plan.instances == 1 {
		tally.count("seeds in which each event was checked for what legs are told", 1)
	}
}
