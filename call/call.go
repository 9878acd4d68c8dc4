package call

import (
	"log/slog"
	"time"

	"tapedeck/call/files"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// call is one call from the socket to the closed file. The controller's goroutine
// owns it. Each part keeps its own state and its own file; what a part wants to be
// said to FreeSWITCH goes out by way of the line.
type call struct {
	identity
	ctl        *Controller
	route      route
	rec        recorder
	files      files.Files
	trace      trace
	presses    presses
	line       line
	lease      lease
	announced  announced
	disclaimer disclaimer
	timers     timers
	absence    absence
}

// identity is what never changes of a call.
type identity struct {
	id       string
	core     string // UUID of its FreeSWITCH; "" if the call was taken over
	external string // the outside party's number; "" of an internal call
	began    time.Time
	log      *slog.Logger
}

// recorder is the recording: what is wanted and what FreeSWITCH has confirmed.
type recorder struct {
	toggle.State
	answered    time.Time   // the anchor was; zero: not yet
	ended       time.Time   // the anchor hung up; zero: not yet, or not known
	wishedSince time.Time   // since when what is to be written is what it is
	starting    bool        // RECORD_START has come, and what the answer runs besides is not done yet
	refusal     string      // FreeSWITCH's word on what it refused last
	countedAs   toggle.File // as what the call is counted among the recordings
}

// newCall makes a call on a switch; it has no file yet.
func newCall(ctl *Controller, id identity, r route, switchName string) *call {
	c := &call{identity: id, ctl: ctl, route: r}
	c.log = ctl.cfg.Log.With("call", c.id, "organisation", r.org.ID)
	c.route.ringing, c.route.legs, c.route.trace = map[string]bool{}, ctl.legs, &c.trace
	c.presses.call, c.line.call, c.lease.call = c, c, c
	c.announced.call, c.disclaimer.call, c.absence.call, c.timers.call = c, c, c, c
	c.line.switchName = switchName
	return c
}

// isLive reports whether the call is followed here and has not ended.
func (c *call) isLive() bool { return c.ctl.calls[c.id] == c }

// fact takes one fact into the call and returns the command that it calls for,
// toggle.None if there is none.
func (c *call) fact(f toggle.Fact, now time.Time) toggle.Command {
	before := c.rec.State
	next, commands := toggle.Next(before, f)
	c.rec.State = next
	for _, problem := range (next.Problems &^ before.Problems).Names() {
		c.fault(c.files.Last(), problem, c.rec.refusal, now)
	}
	c.rec.refusal = ""
	if next.Person != toggle.SwitchedOff {
		c.timers.resume.stop()
	}
	if next.Wish() != before.Wish() {
		c.rec.wishedSince = now
	}
	if next.Answered && c.rec.answered.IsZero() {
		c.rec.answered = now
	}
	if before.File == toggle.Closed && next.File == toggle.NoFile {
		c.nextPart(now)
	}
	c.files.Follow(before, next, c.cause, now)
	c.timers.keepOverdue()
	if len(commands) == 0 {
		return toggle.None
	}
	return commands[0]
}

// happened takes a fact that the watch link told, and sends what follows.
func (c *call) happened(f toggle.Fact, now time.Time) {
	c.line.carryOut(c.fact(f, now), now)
	c.followUp(now)
}

// rethink takes what the chain now wants.
func (c *call) rethink(now time.Time) {
	c.happened(c.route.wish(c.rec.Answered), now)
}

// followUp does what the call's new state asks for besides recording commands.
func (c *call) followUp(now time.Time) {
	c.timers.keepRestart(now)
	c.presses.settle(now)
	c.disclaimer.keep(now)
	c.keepMarkers(now)
	c.timers.keepRetry()
	c.publish(now)
}

// publish tells programs and people how the recording stands; of a call that has
// ended nothing more, whatever reply comes late.
func (c *call) publish(now time.Time) {
	if !c.isLive() {
		return
	}
	c.announced.send(now)
	c.lease.save(now)
	c.count()
}

// count counts the call among the recordings; one that has ended is none.
func (c *call) count() {
	is := c.rec.File
	if !c.isLive() {
		is = toggle.NoFile
	}
	c.ctl.count(c.rec.countedAs, is)
	c.rec.countedAs = is
}

// cause is why the file holds what it holds now.
func (c *call) cause() recording.Cause {
	if c.rec.Person != toggle.Nobody {
		last := c.presses.last
		return recording.Cause{Toggle: string(last.method), User: last.user, By: last.account}
	}
	return c.route.decided(c.rec.On && c.rec.Guard)
}

// fault writes a problem down, once, on the file that it is of.
func (c *call) fault(p *files.Part, problem, detail string, now time.Time) {
	if !p.AddProblem(problem, detail) {
		return
	}
	c.ctl.cfg.Meter.Problem(problem)
	c.trace.add(recording.Note{What: "failed", Result: p.Problems[len(p.Problems)-1]}, now)
	c.log.Warn("recording has a problem", "problem", problem, "detail", detail, "part", p.N)
}

// addPart makes the call's next file the one that is written.
func (c *call) addPart() error {
	path, err := c.ctl.cfg.Recordings.PartPath(c.route.org.ID, c.began, c.id, len(c.files.All())+1)
	if err == nil {
		c.files.Add(path)
	}
	return err
}

// nextPart is addPart, for a recording that has to begin again. The problems of the
// file before stay with that file.
func (c *call) nextPart(now time.Time) {
	if err := c.addPart(); err != nil { // the first one could be named, so can this
		c.log.Error("no file name for a further file", "error", err)
		return
	}
	c.rec.Problems = 0
	p := c.files.Last()
	c.trace.add(recording.Note{What: "file", Result: p.String()}, now)
	c.log.Warn("recording begins again in a further file", "part", p.N)
}

// answered: this leg was. It may be the one that is recorded: of an outgoing call
// that is the leg that the outside party answers.
func (c *call) answered(uuid string, now time.Time) {
	if c.route.anchor == "" && uuid != c.route.first && c.route.ringing[uuid] {
		c.route.anchor = uuid
		c.line.disarmFirst(now)
	}
	if uuid != c.route.anchor || c.rec.Answered {
		return
	}
	delete(c.route.ringing, uuid)
	c.happened(toggle.Fact{What: toggle.Answered}, now)
	c.rethink(now)
}

// joined: the anchor talks to this leg.
func (c *call) joined(uuid string, now time.Time) {
	c.route.join(uuid, now)
	c.rethink(now)
}

// left: this leg is not on the call any more.
func (c *call) left(uuid string, now time.Time) {
	c.route.leave(uuid, now)
	c.rethink(now)
}

// started: RECORD_START of the file that is written. One that begins masked counts
// as started when the mask has run too: an unmask could come before the mask.
func (c *call) started(uuid string, now time.Time) {
	c.route.anchor = uuid
	c.happened(toggle.Fact{What: toggle.Answered}, now)
	if c.rec.File == toggle.ArmedMasked && c.rec.Wish() == toggle.Speech {
		c.rec.starting = true
		return
	}
	c.happened(toggle.Fact{What: toggle.Started}, now)
}

// armedDone: everything that the answer runs has run.
func (c *call) armedDone(now time.Time) {
	if c.rec.starting {
		c.rec.starting = false
		c.happened(toggle.Fact{What: toggle.Started}, now)
	}
}

// end ends a call whose recorded leg is gone.
func (c *call) end(now time.Time) {
	c.fact(toggle.Fact{What: toggle.HungUp}, now)
	c.timers.stop()
	c.presses.settle(now)
	delete(c.ctl.calls, c.id)
	delete(c.ctl.relays, c.id)
	c.rec.ended = now
	if c.rec.Problems&toggle.NotStarted != 0 && !c.files.Any() {
		c.ctl.cfg.Meter.Missing()
	}
	c.announced.sendEnd(now)
	c.ctl.describer.finish(c, now)
	c.log.Info("call ended", "file", c.files.Any(), "files", len(c.files.All()), "problems", c.rec.Problems.Names())
	c.count()
}
