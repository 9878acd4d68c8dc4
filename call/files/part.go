package files

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// Part is one file of a call. A call has a further part if a recording ended while
// it was still wanted. All times except Made are by our clock.
type Part struct {
	N         int       // 1 is the first
	Path      string    // on FreeSWITCH's disk
	Began     time.Time // time of the file's first packet; zero: it has not started
	Confirmed bool      // Began is from RECORD_START; otherwise it was concluded
	Made      time.Time // time of RECORD_START by FreeSWITCH's clock; zero: not known
	Stopped   time.Time // time of RECORD_STOP; zero: it has not come
	Unmasked  bool      // the answer started it without a mask, and nothing is confirmed since
	Edges     []Edge
	rests
	Origin   Origin
	Parties  []string // who is in each channel, as in the sidecar; nil: not known
	Codec    string   // of the recorded leg when the file began; "": not known
	Problems []string // as in the sidecar
	Growth   Growth
	late     lateStart
}

// rests are the times in which nothing is written, or need not be.
type rests struct {
	Waits   []Wait    // when FreeSWITCH wrote nothing because the call waited, in order
	Waiting time.Time // since when it does so now; zero: it does not
	Holds   []Wait    // when the recorded phone held the other party: nothing need be written then
}

// Edge is where a file changes between speech and silence.
type Edge struct {
	At    time.Time // from here on the file certainly holds State
	Since time.Time // from here on the file may hold State
	State string    // recording.StateRecording, StatePaused or StateWaiting
	Cause recording.Cause
}

// Origin says who wanted the file when it began.
type Origin struct {
	Trigger string // Automatic or OnDemand; "" as long as the file has not begun
	By      string // the user who asked for it
	Decided recording.Cause
}

// The values of Origin.Trigger, as in the sidecar.
const (
	Automatic = recording.TriggerAutomatic
	OnDemand  = recording.TriggerOnDemand
)

// OriginOf is the origin of a file that begins now for this cause.
func OriginOf(s toggle.State, cause recording.Cause) Origin {
	o := Origin{Trigger: Automatic, Decided: cause}
	if s.Person == toggle.TurnedOn {
		o.Trigger, o.By = OnDemand, cause.User
	}
	return o
}

// NeedsSidecar reports whether the part has a file or a problem, so that a sidecar
// has something to say.
func (p *Part) NeedsSidecar() bool { return !p.Began.IsZero() || len(p.Problems) > 0 }

// Begin takes RECORD_START. It corrects a beginning that was concluded before.
func (p *Part) Begin(at time.Time) {
	p.Began, p.Confirmed = at, true
	if len(p.Edges) > 0 {
		concluded := p.Edges[0].At
		p.Edges[0].At, p.Edges[0].Since = at, at
		p.split(concluded)
	}
}

// Wait is a time in which FreeSWITCH wrote nothing because the call waited.
type Wait struct{ From, To time.Time }

// Resume notes that FreeSWITCH writes again.
func (p *Part) Resume(at time.Time) {
	if !p.Waiting.IsZero() && at.After(p.Waiting) {
		p.Waits = append(p.Waits, Wait{p.Waiting, at})
	}
	p.Waiting = time.Time{}
}

// waits are the times in which nothing was written until a time.
func (p *Part) waits(until time.Time) []Wait {
	all := slices.Clone(p.Waits)
	if !p.Waiting.IsZero() && until.After(p.Waiting) {
		all = append(all, Wait{p.Waiting, until})
	}
	return all
}

// clockSlack is how much longer a file may be than the time between its two events.
const clockSlack = 40 * time.Millisecond

// End takes RECORD_STOP, and the file's length in milliseconds from that event (0 if
// it has none). The length corrects the beginning if that was concluded, or if
// FreeSWITCH's time of RECORD_START is not known and the event came late. It corrects
// no beginning that is known: FreeSWITCH writes frames that are too many for digits, and
// none while the call waits.
func (p *Part) End(at time.Time, ms int) {
	p.Resume(at)
	p.Stopped = at
	if ms <= 0 {
		return
	}
	if p.Confirmed {
		p.explain(at.Sub(p.Began) - time.Duration(ms)*time.Millisecond)
	}
	began := at.Add(-time.Duration(ms) * time.Millisecond)
	for _, w := range slices.Backward(p.Waits) {
		if began.Before(w.To) {
			began = began.Add(w.From.Sub(w.To))
		}
	}
	if !p.Confirmed || p.Made.IsZero() && p.Began.Sub(began) > clockSlack {
		p.Begin(began)
	}
}

// leastExplained is what a file may lack without a reason: packets get lost.
const leastExplained = 500 * time.Millisecond

// explain takes what a file lacks as waits in the times in which the recorded phone
// held the other party: many phones send nothing then, and hear nothing.
func (p *Part) explain(missing time.Duration) {
	for _, w := range p.Waits {
		missing -= w.To.Sub(maxTime(w.From, p.Began))
	}
	for _, h := range p.Holds {
		if from := maxTime(h.From, p.Began); missing > leastExplained && p.Stopped.After(from) {
			long := min(missing, minTime(h.To, p.Stopped).Sub(from))
			p.Waits = append(p.Waits, Wait{from, from.Add(long)})
			missing -= long
		}
	}
	slices.SortFunc(p.Waits, func(a, b Wait) int { return a.From.Compare(b.From) })
}

// Empty notes that no packet came and FreeSWITCH has deleted the file. That it has
// ended stays known.
func (p *Part) Empty() { p.Began, p.Edges, p.Waits = time.Time{}, nil, nil }

// maxProblems is how many problems a file may have before each kind is noted only
// once.
const maxProblems = 20

// AddProblem notes a problem, with FreeSWITCH's reply or another detail ("" if there
// is none). It reports whether the problem is new.
func (p *Part) AddProblem(problem, detail string) bool {
	text := problem
	if detail != "" {
		text += ": " + tidy.Text(detail, 200)
	}
	if slices.ContainsFunc(p.Problems, func(known string) bool {
		return known == text || strings.HasPrefix(known, problem) && len(p.Problems) > maxProblems
	}) {
		return false
	}
	p.Problems = append(p.Problems, text)
	return true
}

// packet is the time of one packet of sound. Less is not worth a span of its own.
const packet = 20 * time.Millisecond

// Spans are the spans of the file between its edges. The last one ends when the file
// was stopped, or at end if it was not. A wait that was certainly shorter than a packet
// belongs to the span after it. A time in which nothing was written has a span without length.
func (p *Part) Spans(end time.Time) []recording.Span {
	end = cmp.Or(p.Stopped, end)
	waits, edges := p.waits(end), p.audible()
	spans := make([]recording.Span, 0, len(edges)+2*len(waits))
	for i, e := range edges {
		until := end
		if i+1 < len(edges) {
			until = edges[i+1].At
		}
		from := p.ms(e.At, waits)
		s := recording.Span{FromMS: from, ToMS: max(from, p.ms(until, waits)), State: e.State, Cause: e.Cause, SlackMS: from - p.ms(e.Since, waits)}
		for _, w := range waits {
			if w.From.Before(e.At) && i > 0 || i+1 < len(edges) && !w.From.Before(until) {
				continue
			}
			if at := p.ms(w.From, waits); at > s.FromMS {
				before := s
				before.ToMS, s.FromMS, s.SlackMS = at, at, 0
				spans = append(spans, before)
			}
			if waited := p.waited(w); waited > 0 {
				spans = append(spans, recording.Span{FromMS: s.FromMS, ToMS: s.FromMS, State: recording.StateWaiting, WaitedMS: waited})
			}
		}
		spans = append(spans, s)
	}
	return spans
}

// audible are the edges without the waits that were certainly shorter than a packet.
func (p *Part) audible() []Edge {
	edges := make([]Edge, 0, len(p.Edges))
	for _, e := range p.Edges {
		if n := len(edges); n > 0 && edges[n-1].State == recording.StateWaiting && e.At.Sub(edges[n-1].Since) < packet {
			e.At, e.Since = edges[n-1].At, edges[n-1].Since
			edges = edges[:n-1]
		}
		if n := len(edges); n > 0 && edges[n-1].State == e.State && edges[n-1].Cause == e.Cause {
			continue
		}
		edges = append(edges, e)
	}
	return p.apart(edges)
}

// apart moves edges so that none is at or behind the next one, or the end of the file,
// if it was earlier by a packet perhaps: replies that come late come together, or after
// the end. What is between two edges is then not lost, and the sound shows its length.
func (p *Part) apart(edges []Edge) []Edge {
	next := p.Stopped
	for i := len(edges) - 1; i > 0; i-- {
		e := &edges[i]
		if latest := next.Add(-time.Millisecond); !next.IsZero() && e.At.After(latest) && next.Sub(e.Since) >= packet {
			e.At = latest
		}
		if next.IsZero() || e.At.Before(next) {
			next = e.At
		}
	}
	return edges
}

// ms converts a time to milliseconds since the beginning of the file, less the waits.
func (p *Part) ms(at time.Time, waits []Wait) int64 {
	written := at.Sub(p.Began)
	for _, w := range waits {
		if from, until := maxTime(w.From, p.Began), minTime(at, w.To); until.After(from) {
			written -= until.Sub(from)
		}
	}
	return max(0, written.Milliseconds())
}

// waited is how many milliseconds a wait lasted after the file had begun.
func (p *Part) waited(w Wait) int64 { return w.To.Sub(maxTime(w.From, p.Began)).Milliseconds() }

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func maxTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// state is what the file holds now. A file whose state is uncertain holds what it
// held before. A silence that is about to end stays what it was.
func (p *Part) state(before toggle.File, now toggle.State) string {
	last := p.lastState()
	switch {
	case now.File == toggle.Recording && now.Pending == toggle.Start && last == "" && p.late.before(p.Began): // the unmask behind it has no reply yet
		return p.late.state
	case now.File == toggle.Masked && now.Wish() == toggle.Speech && last != "" && last != recording.StateRecording:
		return last
	case now.File == toggle.Masked:
		return silence(now)
	case now.File == toggle.Recording:
		return recording.StateRecording
	case last != "":
		return last
	case !p.Unmasked && (before == toggle.ArmedMasked || before == toggle.ArmedUnsure):
		return silence(now)
	}
	return recording.StateRecording
}

// silence is the state of a file that is silent: paused by a person or because the
// call is not to be recorded, or waiting until it is known who answers
// (docs/design.md, section 12, rule 14).
func silence(s toggle.State) string {
	if s.Wanted() {
		return recording.StateWaiting
	}
	return recording.StatePaused
}

// lastState is the state of the last edge; "" if there is none.
func (p *Part) lastState() string {
	if n := len(p.Edges); n > 0 {
		return p.Edges[n-1].State
	}
	return ""
}

// addUncertainPause notes that the file may have been silent from since until the unmask
// that was sent when it was asked, and has its reply now: a mask was sent and not
// confirmed. Only the audio can tell.
func (p *Part) addUncertainPause(since, asked, now time.Time, cause recording.Cause) {
	p.Edges = append(p.Edges, Edge{now.Add(-time.Millisecond), since, recording.StatePaused, cause}, Edge{now, maxTime(since, asked), recording.StateRecording, cause})
}

// recall restores the part from a sidecar or a draft.
func (p *Part) recall(s recording.Sidecar) {
	p.Problems = slices.Clone(s.Problems)
	p.Origin = Origin{s.Trigger, s.RequestedBy, s.Decided}
	if s.File == nil {
		return
	}
	p.Began, p.Stopped, p.Confirmed = s.File.Began, s.File.Stopped, !s.File.Concluded
	p.Parties = slices.Clone(s.File.Parties)
	waited := time.Duration(0) // until the span
	for i, span := range s.Spans {
		at := p.Began.Add(waited + time.Duration(span.FromMS)*time.Millisecond)
		switch {
		case span.WaitedMS > 0:
			waited += time.Duration(span.WaitedMS) * time.Millisecond
			p.Waits = append(p.Waits, Wait{at, p.Began.Add(waited + time.Duration(span.FromMS)*time.Millisecond)})
		case i > 1 && s.Spans[i-1].WaitedMS > 0 && p.lastState() == span.State && p.Edges[len(p.Edges)-1].Cause == span.Cause: // one span, around a wait
		default:
			p.Edges = append(p.Edges, Edge{at, at.Add(-time.Duration(span.SlackMS) * time.Millisecond), span.State, span.Cause})
		}
	}
}

// String names the part in log lines.
func (p *Part) String() string { return "part " + strconv.Itoa(p.N) }
