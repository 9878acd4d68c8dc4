// Package files knows what the files of one call hold: which stretches are speech
// and which are silence, since when, and why. It is pure: it works on toggle's
// states and on times, and does not touch the disk.
package files

import (
	"time"

	"tapedeck/recording"
	"tapedeck/toggle"
)

// Files are the files of one call. The last one is the one that is written. The zero
// value has none; a call has at least one from its beginning on, even if nothing is
// ever written to it.
type Files struct {
	parts       []*Part
	waiting     time.Time // since when FreeSWITCH writes nothing because the call waits; zero: it writes
	held        time.Time // since when the recorded phone holds the other party; zero: it does not
	unsureSince time.Time // since when it is uncertain what the last file holds; zero: it is certain
	asked       time.Time // when the last command that changes what it holds was sent; zero: never
}

// Add makes path the call's next file.
func (f *Files) Add(path string) *Part {
	p := &Part{N: len(f.parts) + 1, Path: path, rests: rests{Waiting: f.waiting}}
	f.parts = append(f.parts, p)
	return p
}

// All returns the files in order.
func (f *Files) All() []*Part { return f.parts }

// Last returns the file that is written.
func (f *Files) Last() *Part { return f.parts[len(f.parts)-1] }

// Find returns the file with this path; nil if the call has none.
func (f *Files) Find(path string) *Part {
	for _, p := range f.parts {
		if p.Path == path {
			return p
		}
	}
	return nil
}

// Any reports whether the call has a file on the disk.
func (f *Files) Any() bool { return !f.parts[0].Began.IsZero() }

// Wait notes that FreeSWITCH writes nothing from a time on, because the call waits.
func (f *Files) Wait(at time.Time) {
	if !f.waiting.IsZero() {
		return
	}
	p := f.Last()
	if n := len(p.Waits); n > 0 && p.Waits[n-1].To.After(at) { // recalled from a draft: it goes on
		at, p.Waits = minTime(at, p.Waits[n-1].From), p.Waits[:n-1]
	}
	f.waiting, p.Waiting = at, at
}

// Resume notes that FreeSWITCH writes again.
func (f *Files) Resume(at time.Time) {
	f.waiting = time.Time{}
	f.Last().Resume(at)
}

// Waits counts how often the last file began and ceased to wait.
func (f *Files) Waits() int {
	n := 2 * len(f.Last().Waits)
	if f.Waiting() {
		n++
	}
	return n
}

// Hold notes that the recorded phone holds the other party since a time.
func (f *Files) Hold(at time.Time) {
	if f.held.IsZero() {
		f.held = at
	}
}

// Unhold notes that it holds the other party no longer.
func (f *Files) Unhold(at time.Time) {
	if !f.held.IsZero() && at.After(f.held) {
		p := f.Last()
		p.Holds = append(p.Holds, Wait{f.held, at})
	}
	f.held = time.Time{}
}

// End takes RECORD_STOP of a file, as Part.End does.
func (f *Files) End(p *Part, at time.Time, ms int) {
	if !f.held.IsZero() && at.After(f.held) {
		p.Holds = append(p.Holds, Wait{f.held, at})
	}
	p.End(at, ms)
}

// MayRest reports whether the file that is written need not grow: the call waits, or
// the recorded phone holds the other party.
func (f *Files) MayRest() bool { return f.Waiting() || !f.held.IsZero() }

// Waiting reports whether FreeSWITCH writes nothing because the call waits.
func (f *Files) Waiting() bool { return !f.waiting.IsZero() }

// Assumed is the state of the file if the command that is on its way, about what the
// answer starts, has been carried out.
func Assumed(s toggle.State) toggle.File {
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

// MayStart reports whether FreeSWITCH may start the last file without a further
// command.
func MayStart(s toggle.State) bool {
	is := Assumed(s)
	return is >= toggle.Armed && is < toggle.Open
}

// ExpectedSpans are the spans of a file that the answer will start.
func ExpectedSpans(s toggle.State, cause recording.Cause) []recording.Span {
	state := recording.StateRecording
	if Assumed(s) == toggle.ArmedMasked {
		state = silence(s)
	}
	return []recording.Span{{State: state, Cause: cause}}
}

// Follow brings the last file's edges in line with what FreeSWITCH has confirmed.
// why returns the cause of what the file holds afterwards.
func (f *Files) Follow(before, after toggle.State, why func() recording.Cause, now time.Time) {
	p := f.Last()
	asked := f.asked
	if before.Pending != after.Pending && after.Pending > toggle.Disarm {
		f.asked = now
		if f.unsureSince.IsZero() {
			f.unsureSince = now
		}
	}
	p.late.follow(before, after, now)
	if before.File == toggle.Open && after.File == toggle.NoFile { // the file that might have started has not
		p.Began, p.Edges = time.Time{}, nil
	}
	if after.Gone || after.File < toggle.Open || after.File == toggle.Closed {
		return
	}
	if p.Began.IsZero() {
		p.Began = now
	}
	before.File = Assumed(before)
	if before.File == toggle.NoFile && before.Pending == toggle.None && !before.Begun { // the answer came just before it was disarmed
		before.File = toggle.ArmedUnsure
	}
	f.addEdge(before, after, why(), asked, now)
	f.settleDoubt(before, after, now)
	if after.File != toggle.Open {
		p.Unmasked = false
	}
}

// addEdge adds the edge that the new state makes, if it makes one. asked is when the
// command was sent that led to it.
func (f *Files) addEdge(before, after toggle.State, cause recording.Cause, asked, now time.Time) {
	p := f.Last()
	state := p.state(before.File, after)
	ends := after.Wish() == toggle.Speech // a pause that is about to end keeps its cause
	if n := len(p.Edges); n > 0 && p.lastState() == state && (state == recording.StateRecording || ends || p.Edges[n-1].Cause == cause) {
		if state == recording.StateRecording && before.File == toggle.Open && after.File == toggle.Recording && !f.unsureSince.IsZero() && !p.Unmasked {
			p.addUncertainPause(f.unsureSince, asked, now, cause)
		}
		return
	}
	if before.File == toggle.ArmedUnsure || p.late.before(p.Began) { // it may have begun with speech or with silence
		f.unsureSince = LongAgo
	}
	e := Edge{At: now, Since: now, State: state, Cause: cause}
	switch {
	case len(p.Edges) == 0:
		e.At, e.Since = p.Began, p.Began
	case !f.unsureSince.IsZero() && p.lastState() != state:
		e.Since = f.unsureSince
	}
	p.Edges = append(p.Edges, e)
	if n := len(p.Edges); n > 1 && state == recording.StateRecording {
		p.late = lateStart{}
	}
}

// LongAgo is earlier than the beginning of any file.
var LongAgo = time.Unix(1, 0)

// settleDoubt notes that it is certain again what the file holds, until the next
// command is sent.
func (f *Files) settleDoubt(before, after toggle.State, now time.Time) {
	if after.File == toggle.Open || after.File == before.File && after.Pending == before.Pending {
		return
	}
	if f.unsureSince = (time.Time{}); after.Pending != toggle.None {
		f.unsureSince = now
	}
}

// UnsureSince is since when it is uncertain what the last file holds; zero: it is
// certain.
func (f *Files) UnsureSince() time.Time { return f.unsureSince }

// Known is what a snapshot says of the last file.
type Known struct {
	Since     time.Time // when the wish (speech or silence) changed last
	Began     time.Time
	Confirmed bool
	Origin    Origin
}

// Recall restores the files from their drafts, and the last file from the call's
// snapshot, too.
func (f *Files) Recall(drafts []recording.Sidecar, known Known) {
	f.unsureSince = known.Since
	for _, s := range drafts {
		if n := max(1, s.Part); n <= len(f.parts) {
			f.parts[n-1].recall(s)
		}
	}
	p := f.Last()
	if p.Began.IsZero() {
		p.Began = known.Began
	}
	p.Confirmed = known.Confirmed
	if p.Origin.Trigger == "" {
		p.Origin = known.Origin
	}
}

// AssumeCarriedOut adds an edge to the last file if its draft does not hold what was
// wished since a time: the command was on its way and may have been carried out.
func (f *Files) AssumeCarriedOut(s toggle.State, since time.Time, why func() recording.Cause, now time.Time) {
	p, state := f.Last(), silence(s)
	if s.Wish() == toggle.Speech {
		state = recording.StateRecording
	}
	n := len(p.Edges)
	if s.File != toggle.Open || n == 0 || p.lastState() == state || since.Before(p.Edges[n-1].At) {
		return
	}
	p.Edges = append(p.Edges, Edge{now, since, state, why()})
}
