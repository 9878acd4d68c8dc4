package recording

import "tapedeck/recording/sound"

const (
	snapWindow = 100 // ms by which the clock's edge of a pause may differ from the sound's
	edgeSlack  = 60  // ms at the edges of a pause in which there may be speech
	maxTail    = 500 // ms by which the last span may end before the file does

	// maxDoubt is the length, in ms, of a pause that may not have happened.
	maxDoubt = 1
)

// stretch is consecutive spans that are all silent, or all speech. Times are in ms.
type stretch struct {
	first, last int // indices of spans
	from, to    int64
	silent      bool
	slack       int64 // it may have begun up to so long before from
	slackAfter  int64 // it may have ended up to so long before to
}

// stretches joins consecutive spans that are alike. There must be no gap among them.
func stretches(spans []Span) []stretch {
	var all []stretch
	for i, s := range spans {
		if n := len(all); n > 0 && all[n-1].silent == s.Silent() {
			all[n-1].last, all[n-1].to = i, s.ToMS
			continue
		} else if n > 0 {
			all[n-1].slackAfter = min(s.SlackMS, all[n-1].to-all[n-1].from)
		}
		all = append(all, stretch{first: i, last: i, from: s.FromMS, to: s.ToMS, silent: s.Silent(), slack: s.SlackMS})
	}
	return all
}

// fit returns spans whose times a clock took, fitted to the sound: the edges of a
// pause move to those of the silence, and the end of the last span to that of the
// file. The spans that it returns have no gaps, begin at 0, and do not go beyond the
// end of the file.
func fit(spans []Span, heard sound.Analysis, c clocked) []Span {
	spans, gaps := solid(spans)
	spans = contiguous(withLength(spans, heard.DurationMS))
	whole := c.reaches(spans)
	moved := align(spans, heard, c)
	snap(spans, heard.Silences)
	spans = withoutMoments(contiguous(spans))
	n := len(spans)
	for n > 0 && spans[n-1].FromMS >= heard.DurationMS {
		n--
	}
	spans = spans[:n]
	if n > 0 {
		if last := &spans[n-1]; whole || last.ToMS >= heard.DurationMS-maxTail {
			last.ToMS = heard.DurationMS
		}
	}
	for i := range gaps {
		gaps[i].FromMS = moved.place(gaps[i].FromMS)
	}
	return withGaps(spans, gaps)
}

// withLength gives the last of spans that have no length the whole of a short file: it
// began and ended within one tick of FreeSWITCH's clock.
func withLength(spans []Span, lengthMS int64) []Span {
	if n := len(spans); n > 0 && spans[n-1].ToMS == 0 && lengthMS <= maxTail {
		spans = spans[n-1:]
		spans[0].ToMS = lengthMS
	}
	return spans
}

// onePacket is the time, in ms, of one packet of sound.
const onePacket = 20

// withoutMoments joins a wait of less than a packet to the span after it: it is not
// worth a span of its own (docs/design.md, section 12, rule 14).
func withoutMoments(spans []Span) []Span {
	for i := range spans[:max(0, len(spans)-1)] {
		if s, next := &spans[i], spans[i+1]; s.State == StateWaiting && s.ToMS-s.FromMS < onePacket {
			s.State, s.Cause = next.State, next.Cause
		}
	}
	return contiguous(spans)
}

// solid separates the spans from the gaps among them, in which nothing was written.
func solid(spans []Span) (rest, gaps []Span) {
	rest = make([]Span, 0, len(spans))
	for _, s := range spans {
		if s.gap() {
			gaps = append(gaps, s)
		} else {
			rest = append(rest, s)
		}
	}
	return rest, gaps
}

// withGaps puts gaps back to where they begin. A span in the middle of which there is
// a gap becomes two.
func withGaps(spans, gaps []Span) []Span {
	out := make([]Span, 0, len(spans)+2*len(gaps))
	for _, s := range spans {
		for len(gaps) > 0 && gaps[0].FromMS < s.ToMS {
			g := gaps[0]
			g.FromMS = max(g.FromMS, s.FromMS)
			g.ToMS, gaps = g.FromMS, gaps[1:]
			if before := s; g.FromMS > s.FromMS {
				before.ToMS, s.FromMS, s.SlackMS = g.FromMS, g.FromMS, 0
				out = append(out, before)
			}
			out = append(out, g)
		}
		out = append(out, s)
	}
	for _, g := range gaps {
		if g.FromMS = 0; len(spans) > 0 {
			g.FromMS = spans[len(spans)-1].ToMS
		}
		g.ToMS = g.FromMS
		out = append(out, g)
	}
	return out
}

// contiguous returns spans of which each begins where the one before ends, the first
// at 0. It leaves out spans without length, and joins neighbours of one state and
// one cause.
func contiguous(spans []Span) []Span {
	var out []Span
	var end int64
	for _, s := range spans {
		s.FromMS, s.ToMS, s.SlackMS = end, max(end, s.ToMS), max(0, s.SlackMS)
		if n := len(out); n > 0 && out[n-1].State == s.State && out[n-1].Cause == s.Cause {
			out[n-1].ToMS = s.ToMS
		} else if s.ToMS > end {
			out = append(out, s)
		}
		end = s.ToMS
	}
	return out
}

// snap moves the edges of pauses to those of silences.
func snap(spans []Span, silences []sound.Silence) {
	for _, s := range stretches(spans) {
		if !s.silent {
			continue
		}
		if s.to-s.from <= maxDoubt && s.slack > 0 && s.first > 0 && s.last+1 < len(spans) {
			settleDoubt(spans, s, silences)
			continue
		}
		if s.first > 0 {
			if at, ok := beginning(silences, s); ok {
				moveEdge(spans, s.first, at)
			}
		}
		if next := s.last + 1; next < len(spans) {
			at, ok := ending(silences, s)
			if s.slackAfter > snapWindow && s.slackAfter >= s.to-s.from {
				at, ok = doubtfulEnd(silences, s), true
			}
			if ok {
				moveEdge(spans, next, at)
			}
		}
	}
}

// moveEdge moves the beginning of a span to a place that is certain. Edges between
// spans that are alike, all silent or all speech, and are in the way move too.
func moveEdge(spans []Span, i int, at int64) {
	for j := i; j > 0 && (j == i || spans[j].Silent() == spans[i-1].Silent() && spans[j].FromMS > at); j-- {
		spans[j].FromMS, spans[j-1].ToMS = at, at
	}
	for j := i + 1; j < len(spans) && spans[j].Silent() == spans[i].Silent() && spans[j].FromMS < at; j++ {
		spans[j].FromMS, spans[j-1].ToMS = at, at
	}
	spans[i].SlackMS = 0
}

// beginning returns where the silence of a pause begins. Of several silences that
// begin near its edge it chooses the one that fills most of the pause, and of equal
// ones the nearest.
func beginning(silences []sound.Silence, p stretch) (at int64, ok bool) {
	return nearest(silences, p, func(r sound.Silence) int64 { return r.FromMS }, p.from-p.slack, p.from)
}

// ending returns where the silence of a pause ends.
func ending(silences []sound.Silence, p stretch) (at int64, ok bool) {
	return nearest(silences, p, func(r sound.Silence) int64 { return r.ToMS }, p.to-p.slackAfter, p.to)
}

// settleDoubt moves a pause of maxDoubt to the silence that it was, or removes it if
// there is none. Of several silences that may have been it, it chooses the longest.
func settleDoubt(spans []Span, p stretch, silences []sound.Silence) {
	var it sound.Silence
	for _, r := range silences[after(silences, p.to-spans[p.last+1].SlackMS-snapWindow):] {
		if r.FromMS > p.to {
			break
		}
		if r.ToMS <= p.to+snapWindow && r.ToMS-r.FromMS > it.ToMS-it.FromMS {
			it = r
		}
	}
	if it.ToMS == 0 {
		moveEdge(spans, p.last+1, p.from)
		return
	}
	moveEdge(spans, p.first, max(it.FromMS, p.from-p.slack))
	moveEdge(spans, p.last+1, it.ToMS)
}

// doubtfulEnd returns the end of a pause that may not have happened: the end of the
// silence that begins at the beginning of the pause.
func doubtfulEnd(silences []sound.Silence, p stretch) int64 {
	i := after(silences, p.from)
	if i == len(silences) || silences[i].FromMS > p.from+edgeSlack {
		return p.to - p.slackAfter
	}
	return min(max(silences[i].ToMS, p.to-p.slackAfter), p.to+snapWindow)
}

// nearest returns the edge of a silence that is within snapWindow of low..high. Of
// several it chooses as beginning says.
func nearest(silences []sound.Silence, p stretch, edge func(sound.Silence) int64, low, high int64) (at int64, ok bool) {
	var best, bestAway int64
	for _, r := range silences[max(0, after(silences, low-snapWindow)-1):] {
		if r.FromMS > high+snapWindow {
			break
		}
		e := edge(r)
		if away := max(low-e, e-high, 0); away <= snapWindow {
			fills := max(0, min(r.ToMS, p.to-p.slackAfter)-max(r.FromMS, p.from))
			if !ok || fills > best || fills == best && away < bestAway {
				at, best, bestAway, ok = e, fills, away, true
			}
		}
	}
	return at, ok
}
