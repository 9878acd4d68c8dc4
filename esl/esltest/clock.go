package esltest

import (
	"time"
)

// Clock is what makes a switch's time pass.
type Clock int

const (
	// RealTime is the machine's clock.
	RealTime Clock = iota
	// Manual time stands still but for Talk, PressDigits and `sleep`.
	Manual
)

// clock is the time of events and of audio. The switch's lock guards it.
type clock struct {
	manual bool
	epoch  time.Time // when the tones began
	at     time.Time // the manual clock
	alarms []*alarm
}

// alarm is something that happens at a time.
type alarm struct {
	at    time.Time
	do    func() // with the switch's lock held
	timer *time.Timer
}

func (s *Switch) now() time.Time {
	if s.clock.manual {
		return s.clock.at
	}
	return time.Now()
}

// tick is the time that FreeSWITCH stamps events and profiles with: it is brought
// up to date every 20 ms, so that an event may be stamped with a time before the
// command that caused it (measured).
func (s *Switch) tick() time.Time {
	if s.clock.manual {
		return s.clock.at
	}
	return time.Now().Truncate(frame)
}

// Now is the switch's time: that of its events, which in RealTime are stamped up
// to 20 ms earlier.
func (s *Switch) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Talk lets d of conversation pass on every channel, and, with a Manual clock and
// without Options.Blocks, brings the files of all running recordings up to it. A
// Manual clock is moved on at once; in
// RealTime it waits, at most until the switch is closed.
func (s *Switch) Talk(d time.Duration) {
	s.pass(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.order {
		c.settle()
	}
}

// pass lets d pass. The lock is not held.
func (s *Switch) pass(d time.Duration) {
	s.mu.Lock()
	if s.clock.manual {
		s.advance(d)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.life.Done():
	}
}

// advance moves a manual clock, ringing the alarms on the way in their order.
func (s *Switch) advance(d time.Duration) {
	end := s.clock.at.Add(d)
	for {
		next := s.clock.next(end)
		if next == nil {
			break
		}
		s.clock.at = next.at
		s.clock.remove(next)
		next.do()
	}
	s.clock.at = end
}

// next is the first alarm up to a time.
func (c *clock) next(end time.Time) *alarm {
	var first *alarm
	for _, a := range c.alarms {
		if !a.at.After(end) && (first == nil || a.at.Before(first.at)) {
			first = a
		}
	}
	return first
}

func (c *clock) remove(a *alarm) {
	for i, other := range c.alarms {
		if other == a {
			c.alarms = append(c.alarms[:i], c.alarms[i+1:]...)
			return
		}
	}
}

// after calls do, with the lock held, when d has passed. The lock is held.
func (s *Switch) after(d time.Duration, do func()) *alarm {
	a := &alarm{at: s.now().Add(d), do: do}
	s.clock.alarms = append(s.clock.alarms, a)
	if !s.clock.manual {
		s.wg.Add(1)
		a.timer = time.AfterFunc(d, func() {
			defer s.wg.Done()
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.closed {
				s.clock.remove(a)
				a.do()
			}
		})
	}
	return a
}

// cancel takes an alarm back; nil and rung ones are none. The lock is held.
func (s *Switch) cancel(a *alarm) {
	if a == nil {
		return
	}
	s.clock.remove(a)
	if a.timer != nil && a.timer.Stop() {
		s.wg.Done()
	}
}

// stopAlarms is for Close: no alarm rings any more.
func (s *Switch) stopAlarms() {
	for len(s.clock.alarms) > 0 {
		s.cancel(s.clock.alarms[0])
	}
}
