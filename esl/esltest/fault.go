package esltest

import (
	"strings"
	"time"
)

// Fault decides whether a command is answered with reply instead of being
// done. command is an API command (`uuid_record`), or `app/` and an
// application (`app/record_session`), whose reply goes nowhere: FreeSWITCH's
// applications fail in silence. It is called with the switch's lock held, in
// the order of the commands, and must not call the switch.
type Fault func(command, args string) (reply string, intercept bool)

type faults struct {
	fault    Fault
	next     []canned
	delay    time.Duration
	cut      int // cut the next frame after so many bytes; 0: no
	denyAuth bool
	rude     bool
}

type canned struct{ command, reply string }

// Fail makes every command go through f first; nil ends that.
func (s *Switch) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.fault = f
}

// FailNext answers the next command of that name (see Fault) with reply, and
// does not do it. Several calls queue up.
func (s *Switch) FailNext(command, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.next = append(s.faults.next, canned{command, reply})
}

// DelayReplies makes every reply on every connection d late, in real time; 0
// ends that.
func (s *Switch) DelayReplies(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.delay = d
}

// CutFrame ends the connection that writes the next frame, whatever it is,
// after the frame's first n bytes (n > 0).
func (s *Switch) CutFrame(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.cut = n
}

// RefuseAuth makes every password wrong.
func (s *Switch) RefuseAuth(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.denyAuth = on
}

// RejectRudely turns new inbound connections away with text/rude-rejection, as
// apply-inbound-acl does.
func (s *Switch) RejectRudely(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.rude = on
}

// intercepted asks the faults about a command. The lock is held.
func (s *Switch) intercepted(command, args string) (string, bool) {
	for i, c := range s.faults.next {
		if strings.EqualFold(c.command, command) {
			s.faults.next = append(s.faults.next[:i], s.faults.next[i+1:]...)
			return c.reply, true
		}
	}
	if s.faults.fault != nil {
		return s.faults.fault(command, args)
	}
	return "", false
}
