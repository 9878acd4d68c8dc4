package call

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"tapedeck/recording"
	"tapedeck/toggle"
)

// What FreeSWITCH says of a file, and what there is on the disk, are two things.
// So every file that is being written is looked at: it has to be there, and to
// grow.
const (
	lookEvery  = 2 * time.Second
	stillLooks = 3 // looks at a file that does not grow before that is a fault
)

// watched is what was seen of a file on the disk.
type watched struct {
	bytes int64
	still int // looks since it last grew
}

// look is one file that is to be looked at.
type look struct {
	call *call
	part *part
	path string
	size int64
	err  error
}

// lookAt looks at files in turn, and tells the Desk. The disk may take as long as
// it likes; calls do not wait for it.
func (d *Desk) lookAt(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var looks []look
		if !d.ask(ctx, func() { looks = d.beingWritten() }) {
			return
		}
		for i := range looks {
			looks[i].size, looks[i].err = d.cfg.Archive.Probe(looks[i].path)
		}
		d.post(func() {
			for _, l := range looks {
				d.seen(l)
			}
		})
	}
}

// beingWritten are the files that should grow now.
func (d *Desk) beingWritten() []look {
	var looks []look
	for _, c := range d.calls {
		if p := c.file(); c.rec.File >= toggle.Open && c.rec.File < toggle.Closed && !c.rec.Gone && !c.rec.Doomed {
			looks = append(looks, look{call: c, part: p, path: p.path})
		}
	}
	return looks
}

// seen takes what was seen of a file. One that is gone, or does not grow, is
// stopped, so that the recording can go on in a further file.
func (d *Desk) seen(l look) {
	c, p := l.call, l.part
	if d.calls[c.id] != c || c.file() != p || c.rec.Gone || c.rec.File == toggle.Closed || c.rec.Doomed {
		return
	}
	problem := ""
	switch {
	case errors.Is(l.err, fs.ErrNotExist):
		problem = recording.FileMissing
		p.watched.still++
		if p.watched.still < 2 { // it may be seen before FreeSWITCH has made it
			return
		}
	case l.err != nil: // the disk's matter, not the file's
		c.log.Warn("recording cannot be looked at", "error", l.err)
		return
	case l.size != p.watched.bytes:
		p.watched = watched{bytes: l.size}
		return
	default:
		p.watched.still++
		if p.watched.still < stillLooks {
			return
		}
		problem = recording.NotGrowing
	}
	d.fault(c, p, problem, "stopped, to begin again in a further file")
	d.happened(c, toggle.Fact{What: toggle.Broken})
}

// The pauses before a recording that ended, or could not be started, is begun
// again: soon after one that ran well, later and later while it does not.
const (
	againSoon = 100 * time.Millisecond
	againNext = time.Second
	againLate = 30 * time.Second
	ranWell   = 10 * time.Second
)

// keepRecording runs a timer while a recording is wanted and there is none.
func (d *Desk) keepRecording(c *call) {
	lacks := c.rec.Held && !c.rec.Gone && c.rec.Answered && c.rec.Pending == toggle.None && c.rec.Wish() == toggle.Speech &&
		(c.rec.File == toggle.Closed || c.rec.File == toggle.NoFile)
	switch {
	case !lacks && c.again != nil:
		c.again.Stop()
		c.again = nil
	case lacks && c.again == nil:
		if p := c.file(); !p.began.IsZero() && time.Since(p.began) > ranWell {
			c.wait = 0
		}
		wait := c.wait
		c.wait = min(max(2*c.wait, againNext), againLate)
		c.again = time.AfterFunc(max(wait, againSoon), func() {
			d.post(func() {
				c.again = nil
				d.happened(c, toggle.Fact{What: toggle.Reconnected})
			})
		})
	}
}

// beginsSoon reports whether the first attempt to begin again is about to be made.
func (c *call) beginsSoon() bool { return c.again != nil && c.wait == againNext }
