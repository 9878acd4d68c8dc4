package esltest

import (
	"slices"
	"time"
)

// Clock says how a switch's time passes.
type Clock int

const (
	// RealTime is the machine's clock.
	RealTime Clock = iota
	// Manual time passes only in Talk, PressDigits and the application `sleep`.
	Manual
)

// clock is the time of events and of audio. The switch's lock guards it.
type clock struct {
	manual bool
	epoch  time.Time // when the tones began
	at     time.Time // the manual clock
	alarms []*alarm
}

// alarm is a function that is called at a time.
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

// tick is the time that FreeSWITCH writes into events and profiles. FreeSWITCH
// updates it every 20 ms, so an event may have a time before the command that
// caused it (measured).
func (s *Switch) tick() time.Time {
	if s.clock.manual {
		return s.clock.at
	}
	return time.Now().Truncate(frame)
}

// Now is the switch's time. In RealTime, events have a time that is up to 20 ms
// earlier.
func (s *Switch) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Talk lets d of conversation pass on every channel. A Manual clock is moved on at
// once, and, without Options.Blocks, the files of all running recordings are written
// up to it. In RealTime Talk waits, at most until the switch is closed.
func (s *Switch) Talk(d time.Duration) {
	s.pass(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.order {
		c.settle()
	}
}

// pass lets d pass. The caller does not hold the lock.
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

// advance moves a manual clock and calls the alarms on the way, in their order.
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

// next returns the first alarm up to a time, or nil.
func (c *clock) next(end time.Time) *alarm {
	var first *alarm
	for _, a := range c.alarms {
		if !a.at.After(end) && (first == nil || a.at.Before(first.at)) {
			first = a
		}
	}
	return first
}

// remove takes an alarm off the list. It reports false if it is not there: it was called,
// or taken back.
func (c *clock) remove(a *alarm) bool {
	i := slices.Index(c.alarms, a)
	if i >= 0 {
		c.alarms = slices.Delete(c.alarms, i, i+1)
	}
	return i >= 0
}

// after arranges that do is called, with the lock held, when d has passed. The
// caller holds the lock.
func (s *Switch) after(d time.Duration, do func()) *alarm {
	a := &alarm{at: s.now().Add(d), do: do}
	s.clock.alarms = append(s.clock.alarms, a)
	if !s.clock.manual {
		s.wg.Add(1)
		a.timer = time.AfterFunc(d, func() {
			defer s.wg.Done()
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.closed && s.clock.remove(a) { // it may have been taken back while it waited for the lock
				a.do()
			}
		})
	}
	return a
}

// cancel takes an alarm back. It does nothing for nil and for an alarm that was
// called already. The caller holds the lock.
func (s *Switch) cancel(a *alarm) {
	if a == nil {
		return
	}
	s.clock.remove(a)
	if a.timer != nil && a.timer.Stop() {
		s.wg.Done()
	}
}

// stopAlarms cancels every alarm.
func (s *Switch) stopAlarms() {
	for len(s.clock.alarms) > 0 {
		s.cancel(s.clock.alarms[0])
	}
}
