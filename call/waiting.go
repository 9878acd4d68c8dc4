package call

import (
	"time"

	"tapedeck/call/survey"
	"tapedeck/esl"
)

// queueSubclass is the event of FreeSWITCH's queue, mod_fifo.
const queueSubclass = "fifo::info"

// queues follow the calls that wait in a queue.
type queues struct{ ctl *Controller }

// event takes an event of mod_fifo. While a leg waits there, for an agent or for a
// caller, FreeSWITCH pauses all recordings of the leg: they do not grow (mod_fifo.c,
// fifo_function, switch_core_media_bug_pause). The bridge ends that, too.
func (q queues) event(switchName, uuid string, ev *esl.Event, now time.Time) {
	c := q.ctl.callAnchored(uuid)
	if c == nil {
		return
	}
	at := q.ctl.switches.when(switchName, ev, now)
	switch ev.Get("FIFO-Action") {
	case "push", "consumer_start", "bridge-consumer-stop":
		q.begin(c, at, now)
	case "abort", "timeout", "consumer_stop":
		q.end(c, at, now)
	}
}

// bridged takes from a bridge that its legs wait no longer.
func (q queues) bridged(switchName string, ev *esl.Event, now time.Time) {
	at := q.ctl.switches.when(switchName, ev, now)
	for _, uuid := range []string{ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID")} {
		if c := q.ctl.callAnchored(uuid); c != nil {
			q.end(c, at, now)
		}
	}
}

// held takes that a phone holds the other party (on), or holds it no longer. While the
// recorded phone does, it may send nothing, and FreeSWITCH writes nothing then.
func (q queues) held(switchName, uuid string, on bool, ev *esl.Event, now time.Time) {
	c := q.ctl.callAnchored(uuid)
	if c == nil {
		return
	}
	if at := q.ctl.switches.when(switchName, ev, now); on {
		c.files.Hold(at)
	} else {
		c.files.Unhold(at)
	}
}

// begin notes that FreeSWITCH writes nothing since a time.
func (queues) begin(c *call, since, now time.Time) {
	if c.files.Waiting() {
		return
	}
	c.files.Wait(since)
	c.log.Debug("the call waits: FreeSWITCH writes nothing meanwhile")
	c.followUp(now)
}

// end notes that FreeSWITCH writes again since a time.
func (queues) end(c *call, since, now time.Time) {
	if c.files.Waiting() {
		c.files.Resume(since)
		c.followUp(now)
	}
}

// fifoTime is how mod_fifo writes a time, in FreeSWITCH's own zone: fifo_timestamp.
const fifoTime = "2006-01-02 15:04:05"

// catchUpWait finds out whether the call waits, and since when.
func (a *absence) catchUpWait(s survey.Survey, now time.Time) {
	c, anchor := a.call, a.call.route.anchor
	if s.Data[anchor] == nil {
		return
	}
	if s.Variable(anchor, "fifo_status") != "WAITING" || s.Peers[anchor] != "" {
		queues{c.ctl}.end(c, now, now)
		return
	}
	since, err := time.ParseInLocation(fifoTime, s.Variable(anchor, "fifo_timestamp"), time.Local)
	if err != nil || since.Before(c.began) || since.After(now) { // another zone
		since = now
	}
	queues{c.ctl}.begin(c, since, now)
}
