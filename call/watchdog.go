package call

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"tapedeck/call/files"
	"tapedeck/toggle"
)

// lookEvery is how often the watchdog looks at each file that is being written.
// FreeSWITCH may report a recording although the file is gone or does not grow; only
// the disk shows that.
const lookEvery = 2 * time.Second

// watchdog looks at the files that are being written.
type watchdog struct{ ctl *Controller }

// look is one look at a file of a call: its size in bytes, or the error.
type look struct {
	call  *call
	part  *files.Part
	bytes int64
	err   error
}

// run looks at the files each time that every has passed, until ctx ends. It reads
// the disk in its own goroutine, so a slow disk does not delay calls.
func (w watchdog) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var looks []look
		if !w.ctl.ask(ctx, func(time.Time) { looks = w.files() }) {
			return
		}
		for i, l := range looks {
			looks[i].bytes, looks[i].err = w.ctl.cfg.Archive.Probe(l.part.Path)
		}
		w.ctl.post(func(now time.Time) {
			for _, l := range looks {
				l.call.fileLooked(l, now)
			}
		})
	}
}

// files are the files that should be growing now.
func (w watchdog) files() []look {
	var looks []look
	for _, c := range w.ctl.calls {
		if c.rec.File >= toggle.Open && c.rec.File < toggle.Closed && !c.rec.Gone && !c.rec.Doomed {
			looks = append(looks, look{call: c, part: c.files.Last()})
		}
	}
	return looks
}

// fileLooked takes one look. A file that is gone or does not grow is stopped, so
// that the recording goes on in a further file.
func (c *call) fileLooked(l look, now time.Time) {
	if !c.isLive() || c.files.Last() != l.part || c.rec.Gone || c.rec.File == toggle.Closed || c.rec.Doomed {
		return
	}
	if l.err != nil && !errors.Is(l.err, fs.ErrNotExist) { // the disk fails; that says nothing about the file
		c.log.Warn("recording cannot be looked at", "error", l.err)
	}
	if c.files.MayRest() && l.err == nil {
		l.part.Growth.Rest(l.bytes)
		return
	}
	if problem := l.part.Growth.Look(l.bytes, l.err); problem != "" {
		c.fault(l.part, problem, "stopped, to begin again in a further file", now)
		c.happened(toggle.Fact{What: toggle.Broken}, now)
	}
}
