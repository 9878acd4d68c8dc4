package call

import (
	"context"
	"log/slog"
	"time"

	"tapedeck/call/files"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// call is one call from the socket to the closed file. The controller's goroutine
// owns it. Each part keeps its own state in its own file. All commands to FreeSWITCH
// go through the line.
type call struct {
	identity
	ctl        *Controller
	route      route
	rec        recorder
	files      files.Files
	trace      trace
	presses    presses
	line       line
	permits    startPermits
	ownership  ownership
	announced  announced
	talk       talk
	disclaimer disclaimer
	timers     timers
	absence    absence
}

// identity is the part of a call that never changes.
type identity struct {
	id       string
	core     string // UUID of its FreeSWITCH (Core-UUID); "" if the call was taken over
	external string // the outside party's number; "" for an internal call
	began    time.Time
	log      *slog.Logger
}

// recorder is the state of the recording: what is wanted, and what FreeSWITCH has
// confirmed.
type recorder struct {
	toggle.State
	answered    time.Time   // when the anchor was answered; zero: not yet
	ended       time.Time   // when the anchor hung up; zero: not yet, or not known
	wishedSince time.Time   // when the wish (speech, silence or nothing) changed last
	armedTwice  bool        // the answer's commands were sent on the socket and again on the link: nobody knows in which order they run
	starting    bool        // RECORD_START has come; the mask that the answer runs after it may not have run yet
	refusal     string      // FreeSWITCH's reply to the command that failed last; "" once it is in a problem
	countedAs   toggle.File // the state under which the controller counts this recording
}

// newCall makes a call on a switch. The call has no file yet.
func newCall(ctl *Controller, id identity, r route, switchName string) *call {
	c := &call{identity: id, ctl: ctl, route: r}
	c.log = ctl.cfg.Log.With("call", c.id, "organisation", r.org.ID)
	c.route.ringing, c.route.legs, c.route.trace = map[string]bool{}, ctl.legs, &c.trace
	c.presses.call, c.line.doubt.call, c.line.call, c.ownership.call = c, c, c, c
	c.permits = startPermits{call: c, given: map[string]bool{}}
	c.announced.call, c.talk.call, c.disclaimer.call, c.absence.call, c.timers.call = c, c, c, c, c
	c.line.switchName = switchName
	return c
}

// isLive reports whether the call is followed here and has not ended.
func (c *call) isLive() bool { return c.ctl.calls[c.id] == c }

// fact takes one fact into the call's state. It returns the recording command that
// follows from it, toggle.None if there is none.
func (c *call) fact(f toggle.Fact, now time.Time) toggle.Command {
	before := c.rec.State
	next, commands := toggle.Next(before, f)
	c.rec.State = next
	for _, problem := range (next.Problems &^ before.Problems).Names() {
		c.fault(c.files.Last(), problem, c.rec.refusal, now)
	}
	c.rec.refusal = ""
	if next.Person != toggle.TurnedOff {
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
	c.follow(before, now)
	c.timers.keepOverdue()
	if len(commands) == 0 {
		return toggle.None
	}
	return commands[0]
}

// follow notes what the file holds now. before is the state until now.
func (c *call) follow(before toggle.State, now time.Time) {
	p := c.files.Last()
	edges := len(p.Edges)
	c.files.Follow(before, c.rec.State, c.cause, now)
	if edges == 0 && len(p.Edges) > 0 {
		p.Origin = c.origin()
	}
}

// happened takes a fact, sends the command that follows from it over the watch link,
// and does what else the new state needs.
func (c *call) happened(f toggle.Fact, now time.Time) {
	c.line.carryOut(c.fact(f, now), now)
	c.followUp(now)
}

// rethink takes into account what the chain wants now.
func (c *call) rethink(now time.Time) {
	c.happened(c.route.wish(c.rec.Answered), now)
}

// followUp does what the new state needs besides recording commands.
func (c *call) followUp(now time.Time) {
	if c.isDissolved() {
		c.talk.conclude(now)
		return
	}
	c.timers.keepRestart(now)
	c.presses.settle(now)
	c.disclaimer.keep(now)
	c.keepMarkers(now)
	c.permits.keep(now)
	c.timers.keepRetry()
	c.publish(now)
}

// publish reports the state of the recording to programs, lamps, the store and the
// meter. A call that has ended reports nothing more, even if a reply comes late.
func (c *call) publish(now time.Time) {
	if !c.isLive() {
		return
	}
	c.announced.send(now)
	c.announced.sendOthers(now)
	rooms{c.ctl}.tell(c, now)
	if other := c.talk.other(); other != nil {
		other.announced.send(now)
	}
	c.ownership.save(now)
	c.count()
}

// count updates the controller's numbers of recordings. An ended call has none.
func (c *call) count() {
	is := c.rec.File
	if !c.isLive() {
		is = toggle.NoFile
	}
	c.ctl.count(c.rec.countedAs, is)
	c.rec.countedAs = is
}

// cause is the reason why the file holds what it holds now.
func (c *call) cause() recording.Cause {
	if c.rec.Person != toggle.Nobody {
		last := c.presses.last
		return recording.Cause{Toggle: string(last.method), User: last.user, By: last.account}
	}
	return c.route.decided(c.rec.On && c.rec.Guard)
}

// origin says who wants the file that begins now, or would begin. That it is silent
// until it is known who answers is not who wanted it.
func (c *call) origin() files.Origin {
	if c.rec.Person != toggle.Nobody {
		return files.OriginOf(c.rec.State, c.cause())
	}
	return files.OriginOf(c.rec.State, c.route.decided(false))
}

// fault notes a problem of a file, once: in the sidecar, the trace, the log and the
// metrics.
func (c *call) fault(p *files.Part, problem, detail string, now time.Time) {
	if !p.AddProblem(problem, detail) {
		return
	}
	c.ctl.cfg.Meter.Problem(problem)
	c.trace.add(recording.Note{What: recording.NoteFailed, Result: p.Problems[len(p.Problems)-1]}, now)
	c.log.Warn("recording has a problem", "problem", problem, "detail", detail, "part", p.N)
}

// addPart adds a further file to the call. From now on that file is written.
func (c *call) addPart() error {
	path, err := c.ctl.cfg.Recordings.PartPath(c.route.org.ID, c.began, c.id, len(c.files.All())+1)
	if err == nil {
		c.files.Add(path)
	}
	return err
}

// nextPart adds a file for a recording that has to begin again. The problems so far
// stay with the previous file.
func (c *call) nextPart(now time.Time) {
	if err := c.addPart(); err != nil { // cannot happen: the first file has a valid path, too
		c.log.Error("no file name for a further file", "error", err)
		return
	}
	c.rec.Problems = 0
	p := c.files.Last()
	c.trace.add(recording.Note{What: recording.NoteFile, Result: p.String()}, now)
	level := slog.LevelWarn
	if before := c.files.All()[p.N-2]; len(before.Problems) == 0 { // a guest in a conference room had given it up
		level = slog.LevelInfo
	}
	c.log.Log(context.Background(), level, "recording begins again in a further file", "part", p.N)
}

// answered takes the answer of a leg. On an outgoing call, the leg that answers
// becomes the anchor.
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

// joined takes a bridge: the anchor talks to this leg now.
func (c *call) joined(uuid string, now time.Time) {
	queues{c.ctl}.end(c, now, now)
	c.route.room.talksOutside()
	c.route.join(uuid, now)
	c.rethink(now)
}

// left notes that this leg is no longer on the call.
func (c *call) left(uuid string, now time.Time) {
	c.route.leave(uuid, now)
	c.rethink(now)
}

// started takes RECORD_START of the current file. A file that is armed masked but
// should now hold speech counts as started only when its mask has run: otherwise our
// unmask could run before that mask. If the order is not known, the file counts as
// started at once, because it may hold speech, and the state is sent again when the
// mask has certainly run.
func (c *call) started(uuid string, now time.Time) {
	c.route.anchor = uuid
	c.happened(toggle.Fact{What: toggle.Answered}, now)
	if c.rec.File == toggle.ArmedMasked && c.rec.Wish() == toggle.Speech && !c.rec.armedTwice {
		c.rec.starting = true
		return
	}
	c.happened(toggle.Fact{What: toggle.Started}, now)
	if c.rec.armedTwice {
		c.rec.armedTwice = false
		c.timers.confirm.start(c.ctl, recheckAfter, c.absence.resend)
	}
}

// armedDone takes the event that the answer makes last: everything that the answer
// runs has run.
func (c *call) armedDone(now time.Time) {
	if c.rec.starting {
		c.rec.starting = false
		c.happened(toggle.Fact{What: toggle.Started}, now)
	}
}

// end ends a call whose anchor has hung up, and has its files described.
func (c *call) end(now time.Time) {
	c.fact(toggle.Fact{What: toggle.HungUp}, now)
	c.timers.stop()
	c.presses.settle(now)
	delete(c.ctl.calls, c.id)
	delete(c.ctl.dissolved, c.id)
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
