package call

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"tapedeck/call/files"
	"tapedeck/call/handover"
	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// ownership is what makes a call ours among several instances, and what is kept for
// a takeover: the snapshot on the recorded leg and in Redis, and the drafts beside the
// files.
type ownership struct {
	call      *call
	token     int64        // grows with each change of owner
	serial    int64        // of the last snapshot that was sent
	sent      sentSnapshot // the last snapshot that was sent to the recorded leg
	saved     savedState   // what was saved last
	shortened bool         // the snapshot was too long once, and the log says so

	// Elements that a leg entered at other instances, or unconfirmed, and noted on itself.
	relayLegs     legSet    // legs whose note was read, and that still have it
	relaysEntered []string  // elements of the note that are entered
	relaysRead    time.Time // when the note was read last, because the event about it may have been lost
}

// sentSnapshot is a snapshot, without what changes by itself, and the leg that it
// was set on.
type sentSnapshot struct{ leg, stable string }

// snapshot is the state of the call for a takeover. Of what FreeSWITCH has confirmed
// it only says whether the file has begun or ended: the new owner asks FreeSWITCH.
func (o *ownership) snapshot() handover.Snapshot {
	c := o.call
	r, p, last := &c.route, c.files.Last(), c.presses.last
	s := handover.Snapshot{
		Version: handover.Version, Owner: c.ctl.cfg.Calls.Instance(), Token: o.token, Serial: o.serial, WishedSince: c.rec.wishedSince,
		Call: c.id, Organisation: r.org.ID, Direction: r.direction, Switch: c.line.switchName, First: r.first, Anchor: r.anchor, Peer: r.peer,
		External: c.external, Began: c.began, Answered: c.rec.answered,
		On: c.rec.On, Guard: c.rec.Guard, Person: c.rec.Person, Method: string(last.method), User: last.user, Account: last.account, Pressed: c.presses.lastAt,
		File: files.Assumed(c.assumed()), Doomed: c.rec.Doomed, Part: p.N, PartBegan: p.Began, PartConfirmed: p.Confirmed,
		Disclaimed: c.disclaimer.begun, Problems: c.rec.Problems,
		Decided: p.Origin.Decided, Trigger: p.Origin.Trigger, By: p.Origin.By, Guest: r.room.guest,
	}
	if s.File > toggle.Open && s.File < toggle.Closed {
		s.File = toggle.Open
	}
	for _, step := range r.passed {
		s.Passed = append(s.Passed, handover.Step{Element: step.Element.String(), Setting: step.Setting, Leg: step.leg})
	}
	if r.lastLeft.ID != "" {
		s.LastLeft = r.lastLeft.String()
	}
	return s
}

// newText is the text of the snapshot for the recorded leg, if it says anything new
// since the last time.
func (o *ownership) newText(now time.Time) (text string, isNew bool) {
	s := o.snapshot()
	latest := sentSnapshot{s.Holder(), s.Stable()}
	if latest == o.sent {
		return "", false
	}
	o.sent = latest
	o.serial++
	s.Serial, s.Changed = o.serial, now
	return o.encode(s), true
}

// forgetSent notes that the recorded leg may not have the last snapshot, so it is
// sent again.
func (o *ownership) forgetSent() { o.sent = sentSnapshot{} }

// encode is the snapshot as text. If the text has to be shortened, the log says so
// once per call.
func (o *ownership) encode(s handover.Snapshot) string {
	text, shortened := s.EncodeShort()
	if shortened && !o.shortened {
		o.shortened = true
		o.call.log.Warn("call has passed very many elements: its snapshot is shortened", "elements", len(s.Passed))
	}
	return text
}

// snapshotCommands set the snapshot, if it says anything new. A call that has
// dissolved must not be taken over.
func (o *ownership) snapshotCommands(w way, now time.Time) []esl.Command {
	if o.call.isDissolved() {
		return nil
	}
	if text, isNew := o.newText(now); isNew {
		return w.snapshot(&o.call.route, text)
	}
	return nil
}

// savedState identifies what was saved of a call last.
type savedState struct {
	snapshot string
	notes    int
	edges    int
	waits    int
	problems int
	began    time.Time
	status   toggle.Status
}

// save writes down what a new owner needs: in Redis, on the recorded leg and in the
// drafts beside the files. It does not delay the call.
func (o *ownership) save(now time.Time) {
	c, s, p := o.call, o.snapshot(), o.call.files.Last()
	kept := savedState{s.Stable(), len(c.trace), len(p.Edges), c.files.Waits(), len(p.Problems), p.Began, c.rec.Status()}
	if kept == o.saved {
		return
	}
	o.saved = kept
	drafts := c.sidecars(now)
	for i, d := range drafts {
		if i == len(drafts)-1 || d.Next != "" && i == len(drafts)-2 {
			c.ctl.cfg.Archive.Draft(d)
		}
	}
	if live, ok := o.liveCall(s, drafts); ok {
		c.ctl.cfg.Calls.Save(live)
	}
	c.line.sendUnsent(now)
}

// liveCall is the call's entry in Redis.
func (o *ownership) liveCall(s handover.Snapshot, drafts []recording.Sidecar) (live calls.Call, ok bool) {
	text, err := json.Marshal(drafts)
	if err != nil {
		o.call.log.Error("call not written down", "error", err)
		return live, false
	}
	c := o.call
	live = s.LiveCall(o.encode(s))
	live.Number, live.Chain, live.Users = c.route.number(), c.route.chain(), c.route.users()
	live.State, live.Since, live.Locked, live.Because = calls.State(c.rec.Status()), c.since(), c.route.effective().Locked, calls.Cause(c.cause())
	live.File, live.Draft = c.files.Last().Path, text
	return live, true
}

// since is when the wish (speech or silence) became what it is; at the earliest the
// answer.
func (c *call) since() time.Time {
	if c.rec.wishedSince.Before(c.rec.answered) {
		return c.rec.answered
	}
	return c.rec.wishedSince
}

// legSet is a few legs, each once.
type legSet []string

func (ls *legSet) add(leg string) {
	if !slices.Contains(*ls, leg) {
		*ls = append(*ls, leg)
	}
}

// clearRelays are the commands that clear the relayed elements on the legs, if they
// have been entered.
func (o *ownership) clearRelays() (send []esl.Command, any bool) {
	for _, leg := range o.relayLegs {
		send = append(send, esl.SetVar(leg, handover.RelayedVariable, ""))
	}
	o.relayLegs = nil
	return send, len(send) > 0
}

// relaysCleared notes that FreeSWITCH has cleared them.
func (o *ownership) relaysCleared() {
	if len(o.relayLegs) == 0 {
		o.relaysEntered = nil
	}
}

// lostCalls are the calls that another instance has taken and that are still live
// here. They have their own lock because Run reads them before any work that waits
// in the inbox.
type lostCalls struct {
	mu    sync.Mutex
	calls []lostCall
}

type lostCall struct{ organisation, id string }

func (l *lostCalls) add(c lostCall) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
}

func (l *lostCalls) take() []lostCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.calls
	l.calls = nil
	return lost
}

// Lost takes the store's report that another instance owns a call.
func (ctl *Controller) Lost(organisation, id string) {
	ctl.lost.add(lostCall{organisation, id})
	ctl.post(func(time.Time) {})
}

// waitForLease waits until it is certain that our calls are still ours, and leaves
// those that are not. Run calls it before each piece of work. It is always certain,
// unless this instance stood still for longer than its lease.
func (ctl *Controller) waitForLease(ctx context.Context) {
	for !ctl.cfg.Calls.Holds() {
		select {
		case <-time.After(holdsRetry):
		case <-ctx.Done():
			return
		}
	}
	for _, id := range ctl.lost.take() {
		if c := (talks{ctl}).followed(id.id); c != nil && c.route.org.ID == id.organisation {
			c.yield()
		}
	}
}

// holdsRetry is how soon the store is asked again.
const holdsRetry = 2 * time.Millisecond

// yield leaves a call to the instance that has taken it over. Nothing more is done
// for the call here, and nothing of it is ended.
func (c *call) yield() {
	c.timers.stop()
	c.line.yielded = true
	c.ctl.takeover.yielded[c.id] = time.Now()
	delete(c.ctl.calls, c.id)
	delete(c.ctl.dissolved, c.id)
	c.presses.yield()
	c.announced.forgetLamps()
	c.count()
	c.ctl.cfg.Meter.Adopted("yielded")
	c.log.Info("call taken over by another instance", "token", c.ownership.token)
}
