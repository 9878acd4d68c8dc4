package call

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// Archive keeps what is known of files beside them. Draft, Finish and Discard do not
// block.
type Archive interface {
	Draft(recording.Sidecar)
	Finish(s recording.Sidecar, then func(recording.Sidecar, error))
	Discard(stem string)
	// These may wait for the disk.
	Drafts() ([]recording.Sidecar, error)
	Probe(file string) (bytes int64, err error)
	LastWrite(file string) (time.Time, error)
}

// sidecar is what is known of one file of a call, up to now.
func (d *Desk) sidecar(c *call, p *part, now time.Time) recording.Sidecar {
	if p.origin.trigger == "" {
		p.origin = c.origin(c.cause(d.legs))
	}
	s := recording.Sidecar{
		Version: recording.Version, Call: c.id, Organisation: c.org.ID, Direction: c.direction.String(),
		External: c.external, Number: c.number(), Users: c.talked, Switch: c.on, Anchor: c.holder(),
		Started: c.began, Answered: c.answered, Ended: c.ended,
		Trigger: p.origin.trigger, RequestedBy: p.origin.by, Decided: p.origin.decided,
		Spans: p.spans(now), Trace: c.trace, Problems: p.faults,
	}
	if p.n > 1 {
		s.Part, s.Previous = p.n, filepath.Base(c.parts[p.n-2].path)
	}
	if p.n < len(c.parts) && !c.parts[p.n].began.IsZero() {
		s.Next = filepath.Base(c.parts[p.n].path)
	}
	if p.began.IsZero() && c.mayStart() && p == c.file() {
		s.Spans = d.foretold(c)
	}
	if !p.began.IsZero() {
		s.File = &recording.File{Name: filepath.Base(p.path), Began: p.began, Stopped: p.stopped, Concluded: !p.told}
	}
	return s
}

// number is the organisation's number on the call's way, as E.164.
func (c *call) number() string {
	for _, p := range slices.Backward(c.passed) {
		if p.Element.Kind == flow.Number {
			return p.Element.ID
		}
	}
	return ""
}

// counts reports whether there is something to be told of a file: that it is
// there, or why it is not.
func (p *part) counts() bool { return !p.began.IsZero() || len(p.faults) > 0 }

// mayStart reports whether FreeSWITCH may begin the call's last file without a
// further word.
func (c *call) mayStart() bool {
	is := armedAs(c.rec)
	return is >= toggle.Armed && is < toggle.Open
}

// sidecars are those of the call's files, as drafts: of those that are there, or
// should be, and of one that the answer starts.
func (d *Desk) sidecars(c *call, now time.Time) []recording.Sidecar {
	var all []recording.Sidecar
	for _, p := range c.parts {
		if p.counts() || p == c.file() && c.mayStart() {
			all = append(all, d.sidecar(c, p, now))
		}
	}
	return all
}

// foretold is what a file will hold that the answer starts.
func (d *Desk) foretold(c *call) []recording.Span {
	state := spanRecording
	if armedAs(c.rec) == toggle.ArmedMasked {
		state = spanPaused
	}
	return []recording.Span{{State: state, Cause: c.cause(d.legs)}}
}

// finish has each file of a call that is over examined and described.
func (d *Desk) finish(c *call) {
	for _, p := range c.parts {
		if !p.began.IsZero() && p.stopped.IsZero() {
			d.fault(c, p, recording.NoStopEvent, "")
			c.ended = time.Time{} // some time ago: the file tells
		}
		if p.n > 1 && p.began.IsZero() { // the file before says that there was to be another
			last := c.parts[p.n-2]
			last.faults = append(last.faults, p.faults...)
		}
	}
	groups := c.groups()
	for _, p := range c.parts {
		switch unseen := c.lost && c.mayStart() && p == c.file(); {
		case unseen, p.counts() && (p.n == 1 || !p.began.IsZero()):
			s := d.sidecar(c, p, c.ended)
			d.finishing[c.id]++
			d.sends.Go(func() { d.conclude(s, groups) })
		default:
			d.cfg.Archive.Discard(recording.Stem(c.id, p.n))
		}
	}
	if d.finishing[c.id] == 0 {
		d.cfg.Store.EndCall(c.org.ID, c.id)
	}
}

// described: one file of a call is. With the last one the call is over for the
// others too: until then another instance could have had to describe them.
func (d *Desk) described(organisation, id string) {
	if d.finishing[id]--; d.finishing[id] <= 0 {
		delete(d.finishing, id)
		d.cfg.Store.EndCall(organisation, id)
	}
}

// hand hands a description over to the archive, and, once that has looked at the
// file and written it down, puts it into the index. The Desk counts it among
// those that are being finished.
func (d *Desk) hand(known recording.Sidecar, groups []string) {
	d.cfg.Archive.Finish(known, func(s recording.Sidecar, err error) {
		d.post(func() { d.described(known.Organisation, known.Call) })
		if err != nil { // the archive has told
			return
		}
		for _, p := range s.Problems {
			if !slices.Contains(known.Problems, p) {
				d.cfg.Meter.Problem(recording.ProblemCode(p))
				d.cfg.Log.Warn("recording has a problem", "call", s.Call, "organisation", s.Organisation, "problem", p, "part", max(1, s.Part))
			}
		}
		result := "complete"
		if !s.Complete || len(s.Problems) > 0 {
			result = "problem"
		}
		if s.File != nil || !s.HasProblem(recording.NotStarted) { // that is counted as missing
			d.cfg.Meter.Recording(result)
		}
		d.cfg.Store.SaveRecording(Index(d.cfg.Recordings, s, groups))
	})
}

// Index is what the recordings index says of a sidecar.
func Index(dir recording.Dir, s recording.Sidecar, groups []string) index.Recording {
	r := index.Recording{
		ID: s.Stem(), Organisation: s.Organisation, Call: s.Call, Part: s.Part, Direction: s.Direction,
		External: s.External, Number: s.Number, Users: s.Users, Groups: groups, Trigger: s.Trigger, RequestedBy: s.RequestedBy,
		Started: s.Started, Ended: s.Ended, Complete: s.Complete, Problems: s.Problems, Held: s.Hold != nil,
	}
	if groups == nil {
		r.Groups = groupsOf(s.Trace)
	}
	if file, err := dir.PartPath(s.Organisation, s.Started, s.Call, max(1, s.Part)); err == nil {
		r.Path, _ = filepath.Rel(dir.String(), file)
	}
	if s.File != nil {
		r.DurationMS, r.Bytes, r.SHA256 = s.File.DurationMS, s.File.Bytes, s.File.SHA256
	}
	for _, span := range s.Spans {
		if span.State == spanPaused {
			r.PausedMS += span.ToMS - span.FromMS
		}
	}
	return r
}

// groupsOf are the ring groups that a trace names.
func groupsOf(trace []recording.Note) []string {
	var groups []string
	for _, n := range trace {
		if e, err := flow.ParseElement(n.Element); err == nil && e.Kind == flow.RingGroup && !slices.Contains(groups, e.ID) {
			groups = append(groups, e.ID)
		}
	}
	return groups
}

// groups are the ring groups on the call's way.
func (c *call) groups() []string {
	groups := []string{}
	for _, p := range c.passed {
		if p.Element.Kind == flow.RingGroup && !slices.Contains(groups, p.Element.ID) {
			groups = append(groups, p.Element.ID)
		}
	}
	return groups
}

// keep writes down, behind the call's back, what another Tapedeck would need to
// go on with it: into Redis, on the recorded leg, and beside the files.
func (d *Desk) keep(c *call) {
	control := d.control(c)
	kept := kept{control.stable(), len(c.trace), len(c.file().edges), c.file().began, c.rec.Status(), len(c.file().faults)}
	if kept == c.kept {
		return
	}
	c.kept = kept
	now := time.Now()
	drafts := d.sidecars(c, now)
	for i, s := range drafts {
		if i == len(drafts)-1 || s.Next != "" && i == len(drafts)-2 {
			d.cfg.Archive.Draft(s)
		}
	}
	text, err := json.Marshal(drafts)
	if err != nil {
		c.log.Error("call not written down", "error", err)
		return
	}
	d.cfg.Store.SaveCall(calls.Call{
		ID: c.id, Organisation: c.org.ID, Direction: c.direction, Switch: c.on, Leg: c.first, Anchor: c.anchor,
		External: c.external, Number: c.number(), Answered: c.answered, Since: c.since(), Locked: c.effective().Locked,
		Because: calls.Cause(c.cause(d.legs)),
		File:    c.path, State: calls.State(c.rec.Status()), Chain: c.chain(), Users: c.users(), Started: c.began,
		Owner: d.cfg.Store.Instance(), Token: c.token, Snapshot: c.written(control), Draft: text,
	})
	d.remember(c)
}

// since is when what is to be written became what it is.
func (c *call) since() time.Time {
	if c.wished.Before(c.answered) {
		return c.answered
	}
	return c.wished
}

// kept is what of a call was last written down.
type kept struct {
	control string
	notes   int
	edges   int
	began   time.Time
	told    toggle.Status
	faults  int
}
