package faults

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// judge checks every rule once everything is over.
func (s *stage) judge() {
	for _, path := range s.tap.rewritten {
		s.fails("%s was written over", filepath.Base(path))
	}
	all := s.sidecars(false)
	heard := map[string]*audio{}
	for _, d := range all {
		heard[d.wav()] = s.judgeSidecar(d)
	}
	for _, c := range s.everyCall() {
		s.judgeCall(c, all, heard)
		if c.into != nil {
			s.judgePickUp(c, all, heard)
		}
	}
	s.judgeOwners()
	s.judgeHandovers()
}

// judgeSidecar compares a sidecar with its file.
func (s *stage) judgeSidecar(d sidecar) *audio {
	name := filepath.Base(d.path)
	a, err := listen(d.wav())
	switch {
	case d.File == nil:
		if len(d.Problems) == 0 {
			s.fails("%s has no file and no problem", name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			s.fails("%s says that there is no file, and there is: %v", name, err)
		}
		return nil
	case err != nil:
		if !d.has("file missing", "unreadable", "disk", "short") {
			s.fails("%s: %v, and its problems are %q", name, err, d.Problems)
		}
		return nil
	}
	f := d.File
	if f.Bytes != a.bytes || f.SHA256 != a.sum || f.Name != filepath.Base(d.wav()) || max(f.DurationMS-a.length.Milliseconds(), a.length.Milliseconds()-f.DurationMS) > 1 {
		s.fails("%s describes %s of %d bytes, %d ms, %.8s; it has %d bytes, %v, %.8s", name, f.Name, f.Bytes, f.DurationMS, f.SHA256, a.bytes, a.length, a.sum)
	}
	a.stall = s.stallAt(s.tap.started(d.wav()))
	if !d.Complete && len(d.Problems) == 0 {
		s.fails("%s is not complete, and does not say why", name)
	}
	s.judgeSpans(d, a)
	return a
}

// stallAt is how long this machine stood still about when a recording began: the
// beginning that the tap has noted, and that of RECORD_START, may differ by as much from
// when the file began to be written.
func (s *stage) stallAt(began time.Time) time.Duration {
	if began.IsZero() {
		return 0
	}
	return noise.Between(began.Add(-5*ms), began.Add(250*ms))
}

// judgeSpans compares the spans with the audio.
func (s *stage) judgeSpans(d sidecar, a *audio) {
	name := filepath.Base(d.path)
	var end int64
	for _, span := range d.Spans {
		if span.FromMS != end || span.ToMS <= span.FromMS {
			s.fails("%s: a span from %d to %d follows one that ends at %d", name, span.FromMS, span.ToMS, end)
		}
		end = span.ToMS
	}
	if max(end-a.length.Milliseconds(), a.length.Milliseconds()-end) > 1 && !d.has("state unknown") {
		s.fails("%s: its spans end at %d, the file at %v", name, end, a.length)
	}
	shifted := d.has("disk", "short", "not growing") // samples are missing in the middle: what follows is earlier in the file
	for i := 0; i < len(d.Spans); {
		n := i + 1
		for n < len(d.Spans) && d.Spans[n].State == d.Spans[i].State {
			n++
		}
		from, to := time.Duration(d.Spans[i].FromMS)*ms, time.Duration(d.Spans[n-1].ToMS)*ms
		if n < len(d.Spans) && d.Spans[n].SlackMS > 0 {
			to -= time.Duration(d.Spans[n].SlackMS) * ms
			tally.count("spans with slack", 1)
		}
		paused := d.Spans[i].State == "paused" || d.Spans[i].State == "waiting"
		listen := a.silence
		if paused {
			listen = a.speech
		}
		at, found := listen(from+edge, to-edge)
		switch {
		case !found:
		case paused && d.has("speech in a pause"):
			tally.count("speech in a pause, and said so", 1)
			if !s.struck(killed, frozen, linkCut, linkCutInside, linkStill, linkHalfOpen, switchSlow, switchStill, diskFull) {
				s.fails("%s has speech in a pause at %v, and nothing that was broken explains it", name, at)
			}
		case paused:
			s.fails("%s: the span from %v to %v is paused, and speech is heard at %v", name, from, to, at)
		case shifted, s.held[d.Anchor]: // by a user who has picked up another call before this one had dissolved
		case d.has("unconfirmed"): // what the file holds there is not certain (docs/operate.md)
			tally.count("silence in a recording after a command without a reply", 1)
		case s.cutOff(d):
			tally.count("silence in a recording whose Tapedeck was killed just after a command", 1)
		case d.has("silent"):
			tally.count("silence in a recording, and said so", 1)
		default:
			s.fails("%s: the span from %v to %v is a recording, and nobody is heard at %v", name, from, to, at)
		}
		i = n
	}
}

// cutOff reports whether Tapedeck was killed just after a command for the file, or after a
// while in which the disk was full, and the call ended before another one followed it: then
// nobody may have written down what came of the command (docs/guarantees.md).
func (s *stage) cutOff(d sidecar) bool {
	return d.has("no stop event") && slices.ContainsFunc(s.plan.faults, func(f *fault) bool {
		return f.kind == killed && (s.struck(diskFull) || slices.ContainsFunc(s.tap.commands, func(c recordCommand) bool {
			return c.call == d.Call && f.struck.After(c.at) && f.struck.Before(c.at.Add(50*ms))
		}))
	})
}

// judgeCall compares what was wanted on a call with its files and sidecars.
func (s *stage) judgeCall(c *call, all []sidecar, heard map[string]*audio) {
	var own []sidecar
	broken := false
	for _, d := range all {
		if d.Call == c.id() {
			own = append(own, d)
			broken = broken || len(d.Problems) > 0
		}
	}
	who := c.name + " " + c.id()[:8]
	tally.count("calls", 1)
	if s.owed(c, all) {
		tally.count("calls owed a recording", 1)
		if len(own) == 0 {
			s.fails("%s: a recording was wanted, and there is nothing", who)
		}
	}
	for _, d := range own {
		tally.count("files", 1)
		for _, p := range d.Problems {
			code, _, _ := strings.Cut(p, ":")
			tally.count("problem "+code, 1)
		}
		if len(d.Problems) > 0 && !d.empty() && !c.ended.IsZero() && c.ended.Add(2*time.Second).Before(s.firstFault()) {
			s.fails("%s was described before anything broke, and has the problems %q", who, d.Problems)
		}
	}
	for _, e := range c.entries {
		s.judgeEntry(who, e)
	}
	for _, p := range c.presses {
		s.judgePress(c, p, all)
	}
	s.judgeLength(c, own, heard)
	if !c.agreed.IsZero() {
		s.judgeTime(c, all, heard, c.agreed.Add(200*ms), c.ended.Add(-60*ms), broken, "at the end")
	}
	s.judgeCalm(c, all, heard, broken)
}

// judgeEntry: no call waits at its entry, unless FreeSWITCH does not reply or the
// process that took the connection is frozen.
func (s *stage) judgeEntry(who string, e entering) {
	for _, f := range s.plan.faults {
		slow := slices.Contains([]string{frozen, switchSlow, switchStill, switchRestarts, switchShutdown}, f.kind)
		if slow && !f.struck.IsZero() && f.struck.Before(e.at.Add(e.took)) && e.at.Before(cmp.Or(f.healed, time.Now()).Add(100*ms)) {
			return
		}
	}
	tally.longest("entry", e.took)
	if limit := entryTime + 2*noise.Between(e.at, e.at.Add(e.took)); e.took > limit {
		s.fails("%s waited %v at its entry (of %v)", who, e.took, limit)
	}
}

// judgePress: a press without the right is never obeyed, and a user who stays on the
// call hears the result. Once something has broken, a prompt may tell what a takeover or
// somebody else has done: then only the trace says that a press was obeyed.
func (s *stage) judgePress(c *call, p *press, known []sidecar) {
	heard, result := c.answer(p, known)
	tally.count("presses", 1)
	before, permitted := c.stand(p.at.Add(-time.Microsecond), known), false
	granted := map[string]bool{"dtmf": c.s.plan.policy.dtmf, "record_key": c.s.plan.policy.key}[p.method]
	told := heard == "recorded" || heard == "is-being-recorded"
	obeyed := result == "ok" || told && c.hears(p, p.at).at.Before(s.firstFault())
	if permitted = before.permits(users[p.ext], granted); c.room != nil {
		permitted = granted && c.room.permits(p, known)
	}
	if obeyed && !before.vague && !permitted {
		s.fails("%s %.8s: the %s of %q was obeyed (heard %q, traced %q), and must not be", c.name, c.id(), p.method, p.ext, heard, result)
	}
	if heard == "" && result == "" && p.bound && p.ext != "" {
		tally.count("presses of users without any answer", 1)
		if c.hears(p, p.at).name == "" && c.mustAnswer(p, known) {
			s.fails("%s %.8s: the %s of %q at %v was neither obeyed nor refused", c.name, c.id(), p.method, p.ext, p.at.Sub(s.began).Round(ms))
		}
	}
}

// judgeLength: a file that is called complete is complete.
func (s *stage) judgeLength(c *call, own []sidecar, heard map[string]*audio) {
	for _, d := range own {
		a, began := heard[d.wav()], s.tap.wanted[d.wav()]
		if a == nil || began.IsZero() || c.ended.IsZero() || len(d.Problems) > 0 {
			continue
		}
		end := c.ended
		if stop := s.tap.stopped[d.wav()]; !stop.IsZero() && stop.Before(end) {
			end = stop
		}
		if !s.dead.IsZero() && s.dead.Before(end) {
			continue // FreeSWITCH ended the call earlier
		}
		if lack := end.Sub(began) - a.length; lack > 500*ms+noise.Between(began, end) {
			s.fails("%s %.8s: %s is said to be complete, and %v are missing", c.name, c.id(), filepath.Base(d.wav()), lack)
		}
	}
}

// block is how much sound FreeSWITCH keeps in memory before it writes it (64 KB of
// stereo). What is in memory when the disk is full is lost.
const block = 2100 * time.Millisecond

// calmUntil is when the first fault took something away.
func (s *stage) calmUntil() time.Time {
	until := s.firstFault()
	for _, f := range s.plan.faults {
		if lost := f.struck.Add(-block); f.kind == diskFull && !f.struck.IsZero() && lost.Before(until) {
			until = lost
		}
	}
	return until
}

// judgeCalm checks the audio of the call until the first fault.
func (s *stage) judgeCalm(c *call, known []sidecar, heard map[string]*audio, broken bool) {
	if !c.followed {
		return
	}
	until := s.calmUntil()
	if !c.ended.IsZero() && c.ended.Before(until) {
		until = c.ended
	}
	var edges []time.Time
	for _, m := range c.moments {
		edges = append(edges, m.at)
	}
	if c.room != nil {
		edges = c.room.edges()
	}
	edges = append(edges, until)
	for i := 0; i+1 < len(edges) && edges[i].Before(until); i++ {
		at := c.stand(edges[i], known)
		if at.sure() && (at.peer != nil && !at.ringing || at.inRoom) && at.answered {
			next := slices.MinFunc([]time.Time{edges[i+1], until}, time.Time.Compare)
			s.judgeTime(c, known, heard, edges[i].Add(reaction+2*noise.Between(edges[i], next)), next.Add(-60*ms), broken, "before anything broke")
		}
	}
}

// judgeTime checks the audio of a call for a period.
func (s *stage) judgeTime(c *call, known []sidecar, heard map[string]*audio, from, to time.Time, broken bool, when string) {
	at := c.stand(from, known)
	if !from.Before(to) || !at.sure() {
		return
	}
	var spoken [][2]time.Time
	for path, a := range heard {
		began := s.tap.started(path)
		if a == nil || began.IsZero() || callOf(path) != c.id() && !(at.wanted() && c.mayHold(at, callOf(path))) {
			continue
		}
		for _, h := range a.heard {
			if len(h.Channels[0]) > 0 {
				spoken = append(spoken, [2]time.Time{began.Add(h.From), began.Add(h.To)})
				if n := len(spoken) - 1; at.wanted() {
					spoken[n][1] = spoken[n][1].Add(a.stall)
				}
			}
		}
	}
	slices.SortFunc(spoken, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	if at.wanted() {
		next := from
		for _, t := range spoken {
			if t[0].Before(next.Add(edge)) && t[1].After(next) {
				next = t[1]
			}
		}
		if next.Before(to) && !broken {
			s.fails("%s %.8s: at %v, %s, a recording is wanted, and nobody is heard", c.name, c.id(), next.Sub(s.began).Round(ms), when)
		}
		tally.count("periods that had to be heard", 1)
		return
	}
	tally.count("periods that had to be silent", 1)
	for _, t := range spoken {
		if t[0].Before(to) && from.Before(t[1]) && !s.struck(diskFull) {
			s.fails("%s %.8s: at %v, %s, no recording is wanted, and somebody is heard", c.name, c.id(), t[0].Sub(s.began).Round(ms), when)
			return
		}
	}
}
