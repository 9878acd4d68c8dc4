// Package call is a call's way from the outbound socket to the closed file. It
// turns what FreeSWITCH says into facts for toggle, and toggle's commands into
// what FreeSWITCH is told.
//
// Walk through the code in this order: socket.go (a leg reaches the socket),
// entry.go (what its channel data says), call.go (the chain and what it wants),
// watch.go (what happens later), record.go (commands and their replies).
package call

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// Switch is the watch link of one FreeSWITCH. Commands of one call to
// SendAll go out in one write, and its replies match them by place.
type Switch interface {
	SendAll(ctx context.Context, commands []esl.Command) ([]esl.Reply, error)
}

// Meter counts. Its methods are called by several goroutines and must not block.
type Meter interface {
	// Call counts a call that reached the socket: direction is inbound, outbound,
	// internal or unknown; state is on, off, disabled (an organisation without
	// recording) or unknown (nobody's number).
	Call(direction, state string)
	// Live is how many calls are live, how many of them are being recorded, and
	// how many recordings are paused.
	Live(calls, recording, paused int)
	// Decision is the time from the channel data to the last command's reply.
	Decision(time.Duration)
	// Command counts a recording command: result is ok, refused, missing or unanswered.
	Command(command, result string)
	// Toggle counts a person's switch: method is dtmf, record_key, blind_transfer,
	// api or auto_resume; result is ok or why it was refused.
	Toggle(method, result string)
	// Recording counts a file that was described: result is complete or problem.
	Recording(result string)
	// Problem counts a problem of a recording.
	Problem(problem string)
	// Adopted counts a call that another Tapedeck followed before: outcome is
	// adopted, ended (nobody followed it when it did), failed or yielded (to another
	// instance).
	Adopted(outcome string)
	// Missing counts a recording that was wanted and did not start.
	Missing()
	// Event counts an event of the watch link by its name.
	Event(name string)
}

// Store keeps the state of live calls for others to see, and who owns them.
// SaveCall, EndCall and SaveRecording do not block.
type Store interface {
	SaveCall(calls.Call)
	EndCall(organisation, id string)
	SaveRecording(index.Recording)
	Instance() string
	Alone() bool
	Holds() bool // false: another instance may have taken our calls
	Alive(ctx context.Context, instance string) (bool, error)
	Claim(context.Context, calls.Call) (calls.Call, error)
	Calls(context.Context) ([]calls.Call, error)
}

// Config is what a Desk needs.
type Config struct {
	Policy     func() *flow.Policy // the policy in force; never nil
	Recordings recording.Dir
	Stereo     bool // channel 1 the recorded leg's own voice, channel 2 what it hears
	Prompts    Prompts
	Switches   map[string]Switch
	Store      Store
	Archive    Archive
	Past       []recording.Sidecar // drafts that a Tapedeck before this one has left
	Meter      Meter
	Log        *slog.Logger
}

// The times that a call may cost. A leg on the socket waits for entryDeadline
// at the most; a watch link command for commandDeadline; RECORD_START is due
// within startDeadline of the answer.
const (
	entryDeadline   = 250 * time.Millisecond
	commandDeadline = 2 * time.Second
	startDeadline   = 2 * time.Second
)

// A call on a FreeSWITCH that no watch link goes to ends unseen: it is forgotten
// after unwatchedLife, looked for every sweepEvery.
const (
	unwatchedLife = 4 * time.Hour
	sweepEvery    = time.Minute
)

// Desk owns the live calls. One goroutine, Run, has all of their state and takes
// what happens in order; everything else hands it work.
type Desk struct {
	cfg   Config
	inbox chan func()
	done  chan struct{} // closed when Run ends

	lostMu sync.Mutex
	lost   []callID // calls that another instance has taken

	sends  sync.WaitGroup // commands on their way
	claims chan struct{}  // one for each call that is being claimed

	lookups chan lookup // of files that may be there already

	// owned by Run
	calls     map[string]*call
	legs      map[string]*leg
	gone      map[string]time.Time              // legs that hung up a short while ago, and when
	cores     map[string]string                 // Core-UUID to the switch's name
	lit       map[lamp]map[string]toggle.Status // what a user's lamp shows of each call; off is left out
	clocks    map[string]*clock                 // of the switches
	relays    map[string][]relayed              // legs that entered elsewhere, by call
	waifs     map[string]waif                   // calls of others that Redis may not know
	claiming  map[string]bool                   // calls that are being taken over
	finishing map[string]int                    // files that are being described, by call
	serials   int                               // of markers
	now       struct{ recording, paused int }   // how many calls are
	ctx       context.Context
}

// NewDesk makes a Desk. Nothing happens before Run.
func NewDesk(cfg Config) *Desk {
	return &Desk{
		cfg:       cfg,
		inbox:     make(chan func(), 1024),
		done:      make(chan struct{}),
		claims:    make(chan struct{}, claimsAtOnce),
		lookups:   make(chan lookup),
		calls:     map[string]*call{},
		lit:       map[lamp]map[string]toggle.Status{},
		legs:      map[string]*leg{},
		gone:      map[string]time.Time{},
		cores:     map[string]string{},
		clocks:    map[string]*clock{},
		relays:    map[string][]relayed{},
		waifs:     map[string]waif{},
		claiming:  map[string]bool{},
		finishing: map[string]int{},
	}
}

// Run owns the calls until ctx ends. It leaves recordings running and returns
// when no command is on its way any more.
func (d *Desk) Run(ctx context.Context) error {
	d.ctx = ctx
	defer d.sends.Wait()
	defer close(d.done)
	sweep, tick := time.NewTicker(sweepEvery), time.NewTicker(time.Second)
	defer sweep.Stop()
	defer tick.Stop()
	d.sends.Go(func() { d.lookAt(ctx, lookEvery) })
	d.sends.Go(func() { d.reap(ctx) })
	d.sends.Go(func() { d.lookUp(ctx) })
	for {
		select {
		case work := <-d.inbox:
			d.mayAct(ctx)
			work()
		case now := <-sweep.C:
			d.forgetUnwatched(now)
			d.forgetGone(now)
		case now := <-tick.C:
			d.forgetRelays(now)
			d.takeWaifs(now)
		case <-ctx.Done():
			for _, c := range d.calls {
				c.stopTimers()
			}
			return nil
		}
	}
}

// post hands work to Run, and reports whether Run will do it.
func (d *Desk) post(work func()) bool {
	select {
	case d.inbox <- work:
		return true
	case <-d.done:
		return false
	}
}

// ask hands work to Run and waits until it is done. It reports whether it was.
func (d *Desk) ask(ctx context.Context, work func()) bool {
	ready := make(chan struct{})
	if !d.post(func() { work(); close(ready) }) {
		return false
	}
	select {
	case <-ready:
		return true
	case <-d.done:
		return false
	case <-ctx.Done():
		return false
	}
}

// fact takes one fact into a call and returns the command that it calls for,
// toggle.None if there is none.
func (d *Desk) fact(c *call, f toggle.Fact) toggle.Command {
	before := c.rec
	next, commands := toggle.Next(before, f)
	c.rec = next
	for _, problem := range (next.Problems &^ before.Problems).Names() {
		d.fault(c, c.file(), problem, c.why)
	}
	c.why = ""
	if next.Person != toggle.SwitchedOff {
		c.stopResume()
	}
	if next.Wish() != before.Wish() {
		c.wished = time.Now()
	}
	if next.Answered && c.answered.IsZero() {
		c.answered = time.Now()
	}
	if before.File == toggle.Closed && next.File == toggle.NoFile {
		d.nextPart(c)
	}
	d.follow(c, before)
	c.watchStart(d)
	if len(commands) == 0 {
		return toggle.None
	}
	return commands[0]
}

// happened takes a fact that the watch link told, and sends what follows.
func (d *Desk) happened(c *call, f toggle.Fact) {
	d.send(c, d.fact(c, f))
	d.followUp(c)
}

// followUp does what a call's new state asks for besides commands.
func (d *Desk) followUp(c *call) {
	d.keepRecording(c)
	d.settlePresses(c)
	d.keepDisclaimer(c)
	d.keepKeys(c)
	d.keepRetrying(c)
	d.publish(c)
}

// retryAfter is how soon a command that would have kept speech out of a file is
// tried again.
const retryAfter = time.Second

// keepRetrying runs a timer while a file may get speech that must not be in it
// and the command against that has failed.
func (d *Desk) keepRetrying(c *call) {
	exposed := c.rec.Held && !c.rec.Gone && c.rec.Status() == toggle.On && (c.rec.Wish() != toggle.Speech || c.rec.Doomed)
	switch {
	case !exposed && c.retry != nil:
		c.retry.Stop()
		c.retry = nil
	case exposed && c.retry == nil:
		c.retry = time.AfterFunc(retryAfter, func() {
			d.post(func() {
				c.retry = nil
				d.happened(c, toggle.Fact{What: toggle.Reconnected})
			})
		})
	}
}

// rethink takes what the chain now wants.
func (d *Desk) rethink(c *call) {
	d.happened(c, c.chained(d.legs))
}

// watchStart runs a timer from the answer until something has started.
func (c *call) watchStart(d *Desk) {
	waits := c.rec.Answered && !c.rec.Gone && c.rec.File >= toggle.Armed && c.rec.File < toggle.Open
	switch {
	case !waits:
		c.stopWaiting()
	case c.overdue == nil:
		c.overdue = time.AfterFunc(startDeadline, func() {
			d.post(func() { d.startDue(c) })
		})
	}
}

func (c *call) stopWaiting() {
	if c.overdue != nil {
		c.overdue.Stop()
		c.overdue = nil
	}
}

// stopTimers stops every timer of the call.
func (c *call) stopTimers() {
	c.stopWaiting()
	c.stopResume()
	for _, t := range []**time.Timer{&c.retry, &c.again} {
		if *t != nil {
			(*t).Stop()
			*t = nil
		}
	}
}

// publish tells programs and people how the recording stands; of a call that
// has ended nothing more, whatever reply comes late.
func (d *Desk) publish(c *call) {
	if d.calls[c.id] != c {
		return
	}
	d.tell(c)
	d.keep(c)
	d.count(c)
}

// count keeps the number of recordings that run, as one call changes; of a call
// that has ended, none does.
func (d *Desk) count(c *call) {
	is := c.rec.File
	if d.calls[c.id] != c {
		is = toggle.NoFile
	}
	d.add(c.counted, -1)
	d.add(is, +1)
	c.counted = is
	d.cfg.Meter.Live(len(d.calls), d.now.recording, d.now.paused)
}

func (d *Desk) add(file toggle.File, n int) {
	switch file {
	case toggle.Open, toggle.Recording:
		d.now.recording += n
	case toggle.Masked:
		d.now.paused += n
	}
}

// forgetUnwatched ends calls whose hangup nobody will tell.
func (d *Desk) forgetUnwatched(now time.Time) {
	for _, c := range d.calls {
		if d.cfg.Switches[c.on] == nil && now.Sub(c.began) > unwatchedLife {
			d.end(c)
			delete(d.legs, c.first)
		}
	}
}

// forgetGone forgets legs that nothing can be heard of any more.
func (d *Desk) forgetGone(now time.Time) {
	maps.DeleteFunc(d.gone, func(_ string, at time.Time) bool { return now.Sub(at) > sweepEvery })
}

// end forgets a call whose recorded leg is gone.
func (d *Desk) end(c *call) {
	d.fact(c, toggle.Fact{What: toggle.HungUp})
	c.stopTimers()
	d.settlePresses(c)
	delete(d.calls, c.id)
	delete(d.relays, c.id)
	c.ended = time.Now()
	if c.rec.Problems&toggle.NotStarted != 0 && !c.recorded() {
		d.cfg.Meter.Missing()
	}
	d.tellEnd(c)
	d.finish(c)
	c.log.Info("call ended", "file", c.recorded(), "files", len(c.parts), "problems", c.rec.Problems.Names())
	d.count(c)
}
