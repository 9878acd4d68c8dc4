package call

import (
	"time"

	"tapedeck/toggle"
)

// timer calls one function later, on the controller's goroutine. The zero value is
// not running.
type timer struct{ t *time.Timer }

func (t *timer) running() bool { return t.t != nil }

// start calls do after a time, unless the timer is stopped or started again before.
func (t *timer) start(ctl *Controller, after time.Duration, do func(now time.Time)) {
	t.stop()
	var mine *time.Timer
	mine = time.AfterFunc(after, func() {
		ctl.post(func(now time.Time) {
			if t.t == mine {
				t.t = nil
				do(now)
			}
		})
	})
	t.t = mine
}

func (t *timer) stop() {
	if t.t != nil {
		t.t.Stop()
		t.t = nil
	}
}

// timers are the timers of one call.
type timers struct {
	call        *call
	overdue     timer         // from the answer until a file has started
	confirm     timer         // after a start whose commands may have run in any order, until the state is sent again
	retry       timer         // while the file may get speech that must not be in it
	resume      timer         // from a person's pause to its end by itself
	permit      timer         // from the answer of a phone with a start permit until the recorded leg's must have come
	restart     timer         // while a recording is wanted and none is running
	stalled     timer         // while too much waits on the link, until what it did not take is sent again
	closing     timer         // of a call that has dissolved: until the end of its file counts as missed
	restartWait time.Duration // how long restart waits before the next attempt
}

func (t *timers) stop() {
	for _, one := range []*timer{&t.overdue, &t.confirm, &t.retry, &t.resume, &t.permit, &t.restart, &t.stalled, &t.closing} {
		one.stop()
	}
}

// keepOverdue keeps the overdue timer running from the answer until a file has
// started.
func (t *timers) keepOverdue() {
	c := t.call
	waits := c.rec.Answered && !c.rec.Gone && c.rec.File >= toggle.Armed && c.rec.File < toggle.Open
	switch {
	case !waits:
		t.overdue.stop()
	case !t.overdue.running():
		t.overdue.start(c.ctl, startDeadline, t.startDue)
	}
}

// startDue acts when startDeadline is over. If RECORD_START has come and only
// the event after it is missing, it is not certain that the mask has run; the fact
// Started makes toggle send it again.
func (t *timers) startDue(now time.Time) {
	c := t.call
	what := toggle.Overdue
	if c.rec.starting {
		what = toggle.Started
	}
	c.rec.starting = false
	c.happened(toggle.Fact{What: what}, now)
}

// retryAfter is how soon a failed command that keeps speech out of a file is sent
// again.
const retryAfter = time.Second

// keepRetry keeps the retry timer running while the command that should keep speech
// out of the file has failed.
func (t *timers) keepRetry() {
	c := t.call
	exposed := c.rec.Held && !c.rec.Gone && c.rec.Status() == toggle.On && (c.rec.Wish() != toggle.Speech || c.rec.Doomed)
	switch {
	case !exposed:
		t.retry.stop()
	case !t.retry.running():
		t.retry.start(c.ctl, retryAfter, t.tryAgain)
	}
}

// tryAgain lets toggle send again the command that it held back after a failure.
func (t *timers) tryAgain(now time.Time) { t.call.happened(toggle.Fact{What: toggle.Reconnected}, now) }

// sendLater sends again, retryAfter later, what the link has not taken because too much
// waits on it: the link is up, and no new one may ever come.
func (t *timers) sendLater() {
	c := t.call
	if t.stalled.running() {
		return
	}
	t.stalled.start(c.ctl, retryAfter, func(now time.Time) {
		if c.isLive() || c.isDissolved() {
			t.tryAgain(now)
			c.line.sendUnsent(now)
		}
	})
}

// The waits before a recording that has ended or could not start begins again. The
// first wait is short after a file that ran for ranWell; each further one is twice
// as long, up to restartLatest.
const (
	restartSoon   = 100 * time.Millisecond
	restartNext   = time.Second
	restartLatest = 30 * time.Second
	ranWell       = 10 * time.Second
)

// keepRestart keeps the restart timer running while a recording is wanted and none
// is running.
func (t *timers) keepRestart(now time.Time) {
	c := t.call
	lacks := c.rec.Held && !c.rec.Gone && c.rec.Answered && c.rec.Pending == toggle.None && c.rec.Wish() == toggle.Speech &&
		(c.rec.File == toggle.Closed || c.rec.File == toggle.NoFile)
	switch {
	case !lacks:
		t.restart.stop()
	case !t.restart.running():
		if p := c.files.Last(); !p.Began.IsZero() && now.Sub(p.Began) > ranWell {
			t.restartWait = 0
		}
		wait := t.restartWait
		t.restartWait = min(max(2*t.restartWait, restartNext), restartLatest)
		t.restart.start(c.ctl, max(wait, restartSoon), t.tryAgain)
	}
}

// restartsSoon reports whether the first attempt to begin again is still to come.
func (t *timers) restartsSoon() bool { return t.restart.running() && t.restartWait == restartNext }
