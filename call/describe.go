package call

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"time"

	"tapedeck/call/files"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/index"
	"tapedeck/toggle"
)

// sidecar is what is known of one file of the call at the time now.
func (c *call) sidecar(p *files.Part, now time.Time) recording.Sidecar {
	if p.Origin.Trigger == "" || len(p.Edges) == 0 && c.rec.Wanted() {
		p.Origin = c.origin()
	}
	s := recording.Sidecar{
		Version: recording.Version, Call: c.id, Organisation: c.route.org.ID, Direction: c.route.direction.String(),
		External: c.external, Number: c.route.number(), Users: c.route.talked, Switch: c.line.switchName, Anchor: c.route.holder(),
		Started: c.began, Answered: c.rec.answered, Ended: c.rec.ended,
		Trigger: p.Origin.Trigger, RequestedBy: p.Origin.By, Decided: p.Origin.Decided,
		Spans: p.Spans(now), Trace: c.trace, Problems: p.Problems,
	}
	all := c.files.All()
	if p.N > 1 {
		s.Part, s.Previous = p.N, filepath.Base(all[p.N-2].Path)
	}
	if p.N < len(all) && !all[p.N].Began.IsZero() {
		s.Next = filepath.Base(all[p.N].Path)
	}
	if p.Began.IsZero() && p == c.files.Last() && files.MayStart(c.rec.State) {
		s.Spans = c.expectedSpans()
	}
	if !p.Began.IsZero() {
		s.File = &recording.File{Name: filepath.Base(p.Path), Parties: p.Parties, Began: p.Began, Stopped: p.Stopped, Concluded: !p.Confirmed}
	}
	return s
}

// expectedSpans are the spans of a file that the answer will start. Those that may
// hold speech say so.
func (c *call) expectedSpans() []recording.Span {
	s := c.assumed()
	if files.Assumed(s) == toggle.ArmedUnsure {
		return files.ExpectedSpans(s, c.origin().Decided)
	}
	return files.ExpectedSpans(s, c.cause())
}

// sidecars are the drafts of the call's files: of those that exist or should exist,
// and of a file that the answer will start.
func (c *call) sidecars(now time.Time) []recording.Sidecar {
	var all []recording.Sidecar
	for _, p := range c.files.All() {
		if p.NeedsSidecar() || p == c.files.Last() && files.MayStart(c.rec.State) {
			all = append(all, c.sidecar(p, now))
		}
	}
	return all
}

// describer has the files of ended calls examined and their sidecars written. A call
// ends in the store when its last sidecar is written: until then another instance
// could still have to write them.
type describer struct {
	ctl     *Controller
	working map[string]int // files that are being described, by call; owned by Run
}

func newDescriber(ctl *Controller) *describer {
	return &describer{ctl: ctl, working: map[string]int{}}
}

// busy reports whether a file of the call is still being described.
func (d *describer) busy(call string) bool { return d.working[call] > 0 }

// finish has each file of an ended call described.
func (d *describer) finish(c *call, now time.Time) {
	all := c.files.All()
	for _, p := range all {
		if !p.Began.IsZero() && p.Stopped.IsZero() {
			c.fault(p, recording.NoStopEvent, "", now)
			c.rec.ended = time.Time{} // not known: conclude takes the last write to the file
		}
		if p.N > 1 && p.Began.IsZero() { // no such file came to be: its problems go to the previous file
			before := all[p.N-2]
			before.Problems = append(before.Problems, p.Problems...)
		}
	}
	groups := c.route.groups()
	for _, p := range all {
		unseen := c.absence.endMissed && p == c.files.Last() && files.MayStart(c.rec.State)
		if unseen || p.NeedsSidecar() && (p.N == 1 || !p.Began.IsZero()) {
			d.begin(c.sidecar(p, c.rec.ended), groups)
		} else {
			d.ctl.cfg.Archive.Discard(recording.ID(c.id, p.N))
		}
	}
	d.endIfIdle(c.route.org.ID, c.id)
}

// begin has one file described, in a goroutine of its own.
func (d *describer) begin(s recording.Sidecar, groups []string) {
	d.working[s.Call]++
	d.ctl.work.Go(func() { d.conclude(s, groups) })
}

// endIfIdle ends a call in the store if none of its files is being described.
func (d *describer) endIfIdle(organisation, call string) {
	if !d.busy(call) {
		d.ctl.cfg.Calls.End(organisation, call)
	}
}

// done notes that one file of a call is described, or needs no sidecar.
func (d *describer) done(s recording.Sidecar) {
	d.ctl.post(func(time.Time) {
		if d.working[s.Call]--; !d.busy(s.Call) {
			delete(d.working, s.Call)
		}
		d.endIfIdle(s.Organisation, s.Call)
	})
}

// conclude completes a draft with what the disk says of its file and hands it to the
// archive. It waits for the disk. A call whose answer was missed may have a file all
// the same. A draft with no file and no problem is discarded, unless its answer was seen and
// should have started the file: its follower has ended before it could miss it.
func (d *describer) conclude(s recording.Sidecar, groups []string) {
	archive := d.ctl.cfg.Archive
	if there, better := d.betterSidecar(s); better {
		archive.Discard(s.ID())
		d.ctl.cfg.Index.Save(Index(d.ctl.cfg.Recordings, there, groups)) // its writer may have died before it did so
		d.done(s)
		return
	}
	if s.File == nil && len(s.Problems) == 0 {
		name, err := d.fileOf(s)
		switch {
		case err == nil:
			s.File = &recording.File{Name: name}
			s.Problems = []string{recording.NoStopEvent + ": the call was answered while Tapedeck did not follow it"}
		case !s.Answered.IsZero() && slices.ContainsFunc(s.Spans, func(span recording.Span) bool { return span.State == recording.StateRecording }):
			s.Problems = []string{recording.NotStarted}
			d.ctl.cfg.Meter.Missing()
		default:
			archive.Discard(s.ID())
			d.done(s)
			return
		}
	}
	if s.Ended.IsZero() {
		s.Ended = d.lastWrite(s)
	}
	if s.File != nil && s.File.Stopped.IsZero() {
		s = extended(s)
	}
	archive.Finish(s, func(described recording.Sidecar, err error) { d.described(s, described, groups, err) })
}

// described puts a recording into the index after the archive has examined its file
// and written its sidecar.
func (d *describer) described(draft, s recording.Sidecar, groups []string, err error) {
	d.done(draft)
	cfg := &d.ctl.cfg
	if errors.Is(err, recording.ErrUnwanted) {
		d.removed(draft)
		return
	}
	if err != nil { // the archive has logged it
		return
	}
	for _, p := range s.Problems {
		if !slices.Contains(draft.Problems, p) {
			cfg.Meter.Problem(recording.ProblemCode(p))
			cfg.Log.Warn("recording has a problem", "call", s.Call, "organisation", s.Organisation, "problem", p, "part", max(1, s.Part))
		}
	}
	result := "complete"
	if !s.Complete || len(s.Problems) > 0 {
		result = "problem"
	}
	if s.File != nil || !s.HasProblem(recording.NotStarted) { // a file that did not start is counted as missing already
		cfg.Meter.Recording(result)
	}
	cfg.Index.Save(Index(cfg.Recordings, s, groups))
}

// removed reports that a file was removed because nobody wanted it. The reason is in
// the words of `tapedeck policy explain`.
func (d *describer) removed(s recording.Sidecar) {
	var chain flow.Chain
	cause := s.Spans[len(s.Spans)-1].Cause
	element, _ := flow.ParseElement(cause.Element)
	if setting, err := flow.ParseSetting(cause.Setting); err == nil {
		chain = flow.Chain{{Element: element, Setting: setting}}
	}
	d.ctl.cfg.Meter.Recording("removed")
	log := d.ctl.cfg.Log.With("call", s.Call, "organisation", s.Organisation)
	log.Info("recording removed: nobody wanted it", "kind", string(element.Kind), "setting", cause.Setting)
	log.Debug("removed because", "verdict", flow.Explain(flow.Last, true, chain).Verdict)
}

// path is the path of a sidecar's file.
func (d *describer) path(s recording.Sidecar) (string, error) {
	return d.ctl.cfg.Recordings.PartPath(s.Organisation, s.Started, s.Call, max(1, s.Part))
}

// fileOf is the name of a file that exists although its draft has none.
func (d *describer) fileOf(s recording.Sidecar) (name string, err error) {
	path, err := d.path(s)
	if err != nil {
		return "", err
	}
	_, err = d.ctl.cfg.Archive.Probe(path)
	return filepath.Base(path), err
}

// betterSidecar is the sidecar on the disk, if its writer knew more of the call than
// this draft does. That writer was the owner, which was only cut off from Redis, or
// died just after writing it.
func (d *describer) betterSidecar(s recording.Sidecar) (there recording.Sidecar, better bool) {
	path, err := d.path(s)
	if err != nil {
		return there, false
	}
	there, err = recording.ReadSidecar(recording.SidecarPath(path))
	return there, err == nil && there.ID() == s.ID() && there.Organisation == s.Organisation && len(there.Trace) > len(s.Trace)
}

// extended prolongs the last span of a draft to the end of the file. FreeSWITCH went
// on writing after the draft was made, and nobody sent it another command.
func extended(s recording.Sidecar) recording.Sidecar {
	if !s.HasProblem(recording.NoStopEvent) {
		s.Problems = append(slices.Clone(s.Problems), recording.NoStopEvent)
	}
	if n := len(s.Spans); n > 0 && s.Next == "" {
		s.Spans = slices.Clone(s.Spans)
		s.Spans[n-1].ToMS = math.MaxInt32 // the file's end is nearer
	}
	return s
}

// lastWrite is the time of the last write to a file; its call cannot have ended
// before. It is the present time if the file cannot be examined.
func (d *describer) lastWrite(s recording.Sidecar) time.Time {
	if path, err := d.path(s); err == nil {
		if at, err := d.ctl.cfg.Archive.LastWrite(path); err == nil {
			return at
		}
	}
	return time.Now()
}

// Index is the index entry of a sidecar. groups are the ring groups on the call's
// route; nil means those that the trace names.
func Index(dir recording.Dir, s recording.Sidecar, groups []string) index.Recording {
	r := index.Recording{
		ID: s.ID(), Organisation: s.Organisation, Call: s.Call, Part: s.Part, Direction: s.Direction,
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
		if span.State == recording.StatePaused {
			r.PausedMS += span.ToMS - span.FromMS
		}
	}
	return r
}

// groupsOf are the ids of the ring groups that a trace names.
func groupsOf(trace []recording.Note) []string {
	var groups []string
	for _, n := range trace {
		if e, err := flow.ParseElement(n.Element); err == nil && e.Kind == flow.RingGroup && !slices.Contains(groups, e.ID) {
			groups = append(groups, e.ID)
		}
	}
	return groups
}
