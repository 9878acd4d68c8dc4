package call

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// part is one file of a call; it has more than one if a recording ended although
// it was still wanted.
type part struct {
	n       int // 1 is the first
	path    string
	began   time.Time // RECORD_START, by our clock; zero: nothing was started
	told    bool      // RECORD_START said so; otherwise it was concluded
	made    time.Time // RECORD_START by FreeSWITCH's clock; zero: not known
	stopped time.Time // RECORD_STOP; zero: it did not come
	edges   []edge
	origin  origin
	faults  []string // problems, as in the sidecar
	watched watched
}

// edge is where the file begins to hold speech, or silence.
type edge struct {
	at    time.Time // since then for certain
	since time.Time // but not before
	state string
	cause recording.Cause
}

// origin is on whose wish a file was begun.
type origin struct {
	trigger, by string
	decided     recording.Cause
}

const (
	automatic = "automatic"
	onDemand  = "on-demand"
)

// file is the call's last file.
func (c *call) file() *part { return c.parts[len(c.parts)-1] }

// recorded reports whether the call has a file.
func (c *call) recorded() bool { return !c.parts[0].began.IsZero() }

// partOf is the call's file with this path; nil if it is none of its files.
func (c *call) partOf(path string) *part {
	for _, p := range c.parts {
		if p.path == path {
			return p
		}
	}
	return nil
}

// addPart makes the call's next file the one that is written.
func (d *Desk) addPart(c *call) error {
	n := len(c.parts) + 1
	path, err := d.cfg.Recordings.PartPath(c.org.ID, c.began, c.id, n)
	if err != nil {
		return err
	}
	c.parts = append(c.parts, &part{n: n, path: path})
	c.path = path
	return nil
}

// nextPart is addPart, for a recording that has to begin again. The problems of
// the file before stay with that file.
func (d *Desk) nextPart(c *call) {
	if err := d.addPart(c); err != nil { // the first one could be named, so can this
		c.log.Error("no file name for a further file", "error", err)
		return
	}
	c.rec.Problems = 0
	c.note(recording.Note{What: "file", Result: "part " + strconv.Itoa(c.file().n)})
	c.log.Warn("recording begins again in a further file", "part", c.file().n)
}

// fault writes a problem down, once, on the file that it is of.
func (d *Desk) fault(c *call, p *part, problem, detail string) {
	text := problem
	if detail != "" {
		text += ": " + tidy.Text(detail, 200)
	}
	if slices.ContainsFunc(p.faults, func(f string) bool { return f == text || strings.HasPrefix(f, problem) && len(p.faults) > maxFaults }) {
		return
	}
	p.faults = append(p.faults, text)
	d.cfg.Meter.Problem(problem)
	c.note(recording.Note{What: "failed", Result: text})
	c.log.Warn("recording has a problem", "problem", problem, "detail", detail, "part", p.n)
}

// maxFaults is how many problems a file has before those of one kind are written
// down once only.
const maxFaults = 20

// follow brings the file's edges in line with what FreeSWITCH has confirmed.
func (d *Desk) follow(c *call, before toggle.State) {
	now, p := time.Now(), c.file()
	if before.Pending != c.rec.Pending && c.rec.Pending > toggle.Disarm && c.touched.IsZero() {
		c.touched = now
	}
	if before.File == toggle.Open && c.rec.File == toggle.NoFile { // what might have started has not
		p.began, p.edges = time.Time{}, nil
	}
	if c.rec.Gone || c.rec.File < toggle.Open || c.rec.File == toggle.Closed {
		return
	}
	if p.began.IsZero() {
		p.began = now
	}
	before.File = armedAs(before)
	state := p.state(before.File, c.rec.File)
	cause := c.cause(d.legs)
	ends := c.rec.Wish() == toggle.Speech // a pause that is about to end is still the one that it was
	if n := len(p.edges); n > 0 && p.edges[n-1].state == state && (state == spanRecording || ends || p.edges[n-1].cause == cause) {
		if state == spanRecording && before.File == toggle.Open && c.rec.File == toggle.Recording && !c.touched.IsZero() {
			p.doubtPause(c.touched, now, cause)
		}
		c.settle(before, now)
		return
	}
	e := edge{at: now, since: now, state: state, cause: cause}
	if before.File == toggle.ArmedUnsure { // it may have begun either way
		c.touched = longAgo
	}
	switch {
	case len(p.edges) == 0:
		e.at, e.since = p.began, p.began
		p.origin = c.origin(cause)
	case !c.touched.IsZero() && p.edges[len(p.edges)-1].state != state:
		e.since = c.touched
	}
	p.edges = append(p.edges, e)
	c.settle(before, now)
}

// armedAs is how the call's file stands, with a command on its way about what the
// answer starts: it may have been carried out.
func armedAs(s toggle.State) toggle.File {
	switch {
	case s.File == toggle.NoFile && s.Pending == toggle.Arm:
		return toggle.Armed
	case s.File == toggle.NoFile && s.Pending == toggle.ArmMasked:
		return toggle.ArmedMasked
	case s.File >= toggle.Armed && s.File < toggle.Open && s.Pending >= toggle.Arm && s.Pending <= toggle.Disarm:
		return toggle.ArmedUnsure
	}
	return s.File
}

// doubtPause notes that the file may have been silent until now, and since when:
// a mask that nobody confirmed. The audio tells.
func (p *part) doubtPause(since, now time.Time, cause recording.Cause) {
	p.edges = append(p.edges, edge{at: now.Add(-time.Millisecond), since: since, state: spanPaused, cause: cause},
		edge{at: now, since: now, state: spanRecording, cause: cause})
}

// longAgo is before any file began.
var longAgo = time.Unix(1, 0)

// settle notes that what the file holds is known again, until the next command.
func (c *call) settle(before toggle.State, now time.Time) {
	if c.rec.File == toggle.Open || c.rec.File == before.File && c.rec.Pending == before.Pending {
		return
	}
	if c.touched = (time.Time{}); c.rec.Pending != toggle.None {
		c.touched = now
	}
}

const (
	spanRecording = "recording"
	spanPaused    = "paused"
)

// state is what the file holds now: of one that is in doubt, what it held before.
func (p *part) state(before, now toggle.File) string {
	switch {
	case now == toggle.Masked:
		return spanPaused
	case now == toggle.Recording:
		return spanRecording
	case len(p.edges) > 0:
		return p.edges[len(p.edges)-1].state
	case before == toggle.ArmedMasked, before == toggle.ArmedUnsure:
		return spanPaused
	}
	return spanRecording
}

// cause is why the file holds what it holds now.
func (c *call) cause(legs map[string]*leg) recording.Cause {
	if c.rec.Person != toggle.Nobody {
		return recording.Cause{Toggle: string(c.switched.method), User: c.switched.user, By: c.switched.by}
	}
	if c.rec.On && c.rec.Guard {
		if step, ok := c.objector(legs); ok {
			return recording.Cause{Element: step.Element.String(), Setting: step.Setting.String()}
		}
		return recording.Cause{Setting: recording.Undecided}
	}
	e := c.effective()
	if e.Setting == flow.DontCare {
		return recording.Cause{}
	}
	return recording.Cause{Element: e.Decider.String(), Setting: e.Setting.String()}
}

// objector is the element that keeps a recording silent that is on: somebody who
// may join and does not want it.
func (c *call) objector(legs map[string]*leg) (flow.Step, bool) {
	for uuid := range c.ringing {
		if l := legs[uuid]; l.is(c.org.ID) {
			step := c.step(flow.Element{Kind: flow.User, ID: l.user})
			var set flow.SettingSet
			set.Add(step.Setting)
			if c.effective().CouldEnd(c.org.Precedence, set) {
				return step, true
			}
		}
	}
	return flow.Step{}, false
}

// origin is on whose wish a file is begun, for this cause.
func (c *call) origin(cause recording.Cause) origin {
	o := origin{trigger: automatic, decided: cause}
	if c.rec.Person == toggle.SwitchedOn {
		o.trigger, o.by = onDemand, c.switched.user
	}
	return o
}

// spans are the file's edges as pieces, up to the end.
func (p *part) spans(end time.Time) []recording.Span {
	spans := make([]recording.Span, 0, len(p.edges))
	for i, e := range p.edges {
		from, until := e.at, cmp.Or(p.stopped, end)
		if i+1 < len(p.edges) {
			until = p.edges[i+1].at
		}
		s := recording.Span{FromMS: p.ms(from), ToMS: max(p.ms(from), p.ms(until)), State: e.state, Cause: e.cause}
		s.SlackMS = p.ms(from) - p.ms(e.since)
		spans = append(spans, s)
	}
	return spans
}

// ms is a time as the file's.
func (p *part) ms(at time.Time) int64 { return max(0, at.Sub(p.began).Milliseconds()) }

// begins takes RECORD_START. What was concluded before it came is corrected.
func (p *part) begins(at time.Time) {
	p.began, p.told = at, true
	if len(p.edges) > 0 {
		p.edges[0].at, p.edges[0].since = at, at
	}
}

// clockSlack is how much longer a file may be than the time between its events.
const clockSlack = 40 * time.Millisecond

// ends takes RECORD_STOP, which also says how long the file is: if nothing told
// when it began, or if that was told late, that does. One that is shorter has
// lost something.
func (p *part) ends(at time.Time, ev headers) {
	p.stopped = at
	ms, err := strconv.Atoi(ev.Variable("record_ms"))
	began := at.Add(-time.Duration(ms) * time.Millisecond)
	if err == nil && ms > 0 && (!p.told || p.began.Sub(began) > clockSlack) {
		p.begins(began)
	}
}
