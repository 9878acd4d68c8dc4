package call

import (
	"time"

	"tapedeck/toggle"
)

// timer does one thing of a call later, on the controller's goroutine. The zero
// value is not running.
type timer struct{ t *time.Timer }

func (t *timer) running() bool { return t.t != nil }

// start calls do after a while, unless the timer is stopped or started anew before.
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

// timers are those of one call.
type timers struct {
	call        *call
	overdue     timer         // from the answer until the recording is under way
	retry       timer         // while speech may be written that must not be
	resume      timer         // from a pause to its end by itself
	restart     timer         // while a recording is wanted and there is none
	restartWait time.Duration // of again, before the next attempt
}

func (t *timers) stop() {
	for _, one := range []*timer{&t.overdue, &t.retry, &t.resume, &t.restart} {
		one.stop()
	}
}

// keepOverdue runs a timer from the answer until something has started.
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

// startDue: RECORD_START should have come by now. If it has and the event after it
// has not, the mask is in doubt, and Started makes toggle see to it.
func (t *timers) startDue(now time.Time) {
	c := t.call
	what := toggle.Overdue
	if c.rec.starting {
		what = toggle.Started
	}
	c.rec.starting = false
	c.happened(toggle.Fact{What: what}, now)
}

// retryAfter is how soon a command that would have kept speech out of a file is
// tried again.
const retryAfter = time.Second

// keepRetry runs a timer while a file may get speech that must not be in it and
// the command against that has failed.
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

// tryAgain lets a command be sent that was held back after a failure.
func (t *timers) tryAgain(now time.Time) { t.call.happened(toggle.Fact{What: toggle.Reconnected}, now) }

// The pauses before a recording that ended, or could not be started, is begun
// again: soon after one that ran well, later and later while it does not.
const (
	restartSoon   = 100 * time.Millisecond
	restartNext   = time.Second
	restartLatest = 30 * time.Second
	ranWell       = 10 * time.Second
)

// keepRestart runs a timer while a recording is wanted and there is none.
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

// restartsSoon reports whether the first attempt to begin again is about to be made.
func (t *timers) restartsSoon() bool { return t.restart.running() && t.restartWait == restartNext }
