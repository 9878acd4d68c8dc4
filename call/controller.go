// Package call follows each call from the outbound socket to the closed file. It
// turns the events of FreeSWITCH into facts for toggle, and toggle's commands into
// commands for FreeSWITCH. docs/architecture.md walks through it file by file. In
// its comments, "takes" means: handles this event, fact or reply.
//
// One goroutine, Controller.Run, owns every call. A call is composed of parts, each
// in a file of its own: the route, the presses, the files, the line to FreeSWITCH,
// the announcements, the snapshot for a takeover. Recovery after a restart, a lost
// link or the death of another instance stands apart, in reconnect.go, adopt.go,
// takeover.go, strays.go, relay.go, absence.go and reaper.go.
package call

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"tapedeck/call/keyfile"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// Config is what a Controller needs.
type Config struct {
	Policy     func() *flow.Policy // the policy in force; never nil
	Recordings recording.Dir
	Stereo     bool // channel 1 has the anchor's own voice, channel 2 what it hears
	Rate       int  // samples of one channel in a second; 0: as many as the anchor's codec has
	Prompts    Prompts
	Switches   map[string]Link // by the switch's name
	Calls      Calls
	Index      RecordingIndex
	Archive    Archive
	// SocketSecret is what the dialplan has to set as tapedeck_secret on each leg that it
	// sends to the socket; empty: nothing.
	SocketSecret esl.Secret
	// EntryDeadline is how long a leg stays at the socket at the latest; 0: 250 ms. For a
	// third of it, it waits for FreeSWITCH to confirm that it has the leg.
	EntryDeadline time.Duration
	Drafts        []recording.Sidecar // drafts that an earlier Tapedeck left behind
	// Stranger, if set, is told of each stranger at the socket: his address, which is "" if
	// it is not known any more, and what he is, in constant text. It must not block.
	Stranger Strangers
	Meter    Meter
	Log      *slog.Logger
}

// How long Tapedeck waits. Config.EntryDeadline is entryDeadline if it is not set;
// a command on the watch link gets commandDeadline; RECORD_START is due within
// startDeadline of the answer.
const (
	entryDeadline   = 250 * time.Millisecond
	commandDeadline = 2 * time.Second
	startDeadline   = 2 * time.Second
)

// No event reports the end of a call on a FreeSWITCH without a watch link. Such a call
// is ended after unwatchedLife; Run looks for it every sweepEvery.
const (
	unwatchedLife = 4 * time.Hour
	sweepEvery    = time.Minute
)

// Controller owns the live calls. Only its goroutine, Run, touches their state. It
// takes one piece of work after the other; other goroutines hand it work.
type Controller struct {
	loop
	cfg     Config
	begun   begunLookups
	markers keyfile.Remover
	lost    lostCalls

	// owned by Run
	calls     map[string]*call
	dissolved map[string]*call // calls that are part of another one, until their files are closed
	legs      *legs
	switches  *switches
	lamps     lampBoard
	relays    relays
	takeover  *takeover
	describer *describer
	serials   int64 // the last serial number given to a marker or a relayed leg
	counts    struct{ recording, paused int }
}

// loop hands work to the goroutine that owns the calls.
type loop struct {
	inbox chan func(now time.Time)
	done  chan struct{}   // closed when Run ends
	work  sync.WaitGroup  // goroutines that Run waits for
	ctx   context.Context // of Run
}

// New makes a Controller. It starts nothing; Run does.
func New(cfg Config) *Controller {
	cfg.EntryDeadline = cmp.Or(cfg.EntryDeadline, entryDeadline)
	ctl := &Controller{
		loop:      loop{inbox: make(chan func(time.Time), 1024), done: make(chan struct{})},
		cfg:       cfg,
		begun:     make(begunLookups),
		markers:   keyfile.NewRemover(),
		calls:     map[string]*call{},
		dissolved: map[string]*call{},
		legs:      newLegs(),
		switches:  newSwitches(cfg.Switches),
		lamps:     lampBoard{},
		relays:    relays{},
	}
	ctl.takeover = newTakeover(ctl)
	ctl.describer = newDescriber(ctl)
	return ctl
}

// Run owns the calls until ctx ends. It stops no recording. It returns when every
// command that was sent has its reply.
func (ctl *Controller) Run(ctx context.Context) error {
	ctl.ctx = ctx
	defer ctl.work.Wait()
	defer close(ctl.done)
	sweep, tick := time.NewTicker(sweepEvery), time.NewTicker(time.Second)
	defer sweep.Stop()
	defer tick.Stop()
	ctl.work.Go(func() { watchdog{ctl}.run(ctx, lookEvery) })
	ctl.work.Go(func() { reaper{ctl}.run(ctx) })
	ctl.work.Go(func() { ctl.begun.serve(ctx, ctl.cfg.Recordings) })
	ctl.work.Go(func() { ctl.markers.Serve(ctx, ctl.cfg.Recordings.String(), ctl.cfg.Log) })
	for {
		select {
		case work := <-ctl.inbox:
			ctl.waitForLease(ctx)
			work(time.Now())
		case now := <-sweep.C:
			ctl.forgetUnwatched(now)
			ctl.legs.forgetGone(now)
			ctl.takeover.forgetYielded(now)
		case now := <-tick.C:
			ctl.relays.forget(now)
			ctl.takeover.takeStrays(now)
		case <-ctx.Done():
			for _, calls := range []map[string]*call{ctl.calls, ctl.dissolved} {
				for _, c := range calls {
					c.timers.stop()
				}
			}
			return nil
		}
	}
}

// post hands work to Run. It returns false if Run has ended and the work will not be
// done.
func (l *loop) post(work func(now time.Time)) bool {
	select {
	case l.inbox <- work:
		return true
	case <-l.done:
		return false
	}
}

// ask hands work to Run and waits until it is done. It returns false if ctx or Run
// ends before that; the work may still be done if only ctx has ended.
func (l *loop) ask(ctx context.Context, work func(now time.Time)) bool {
	ready := make(chan struct{})
	if !l.post(func(now time.Time) { work(now); close(ready) }) {
		return false
	}
	select {
	case <-ready:
		return true
	case <-l.done:
		return false
	case <-ctx.Done():
		return false
	}
}

// serial returns a number that this Controller has not returned before.
func (ctl *Controller) serial() int64 {
	ctl.serials++
	return ctl.serials
}

// callOf returns the live call that a leg belongs to; nil if there is none.
func (ctl *Controller) callOf(uuid string) *call {
	if l := ctl.legs.get(uuid); l != nil {
		return ctl.calls[l.call]
	}
	return nil
}

// callAnchored returns the live call whose anchor is this leg; nil if there is none.
func (ctl *Controller) callAnchored(uuid string) *call {
	if c := ctl.callOf(uuid); c != nil && c.route.anchor == uuid {
		return c
	}
	return nil
}

// callOn returns the live call in which a leg talks: the leg is its anchor, or is
// bridged with its anchor, was dialled into its conference room, or listens to it. It
// returns nil if there is none.
func (ctl *Controller) callOn(uuid string) *call {
	if c := ctl.callAnchored(uuid); c != nil {
		return c
	}
	l := ctl.legs.get(uuid)
	if l == nil {
		return nil
	}
	if c := cmp.Or(ctl.callAnchored(l.peer), eavesdropping{ctl}.callOf(uuid)); c != nil || l.at.room == "" {
		return c
	}
	return rooms{ctl}.serving(l)
}

// count updates the numbers of running and paused recordings when one call's file
// changes from one state to another, and reports them to the meter.
func (ctl *Controller) count(from, to toggle.File) {
	add := func(file toggle.File, n int) {
		switch file {
		case toggle.Open, toggle.Recording:
			ctl.counts.recording += n
		case toggle.Masked:
			ctl.counts.paused += n
		}
	}
	add(from, -1)
	add(to, +1)
	ctl.cfg.Meter.Live(len(ctl.calls), ctl.counts.recording, ctl.counts.paused)
}

// forgetUnwatched ends the old calls on switches without a watch link: no event will
// report their hangup.
func (ctl *Controller) forgetUnwatched(now time.Time) {
	for _, c := range ctl.calls {
		if !ctl.switches.watched(c.line.switchName) && now.Sub(c.began) > unwatchedLife {
			c.end(now)
			delete(ctl.legs.all, c.route.first)
		}
	}
}
