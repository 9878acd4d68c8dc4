package recording

import "tapedeck/recording/sound"

const (
	snapWindow = 100 // ms that a clock's edge may be away from the sound's
	edgeSlack  = 60  // ms at the edge of a pause in which there may be speech
)

// stretch is consecutive spans of one state.
type stretch struct {
	first, last int // indices of spans
	from, to    int64
	state       string
	slack       int64 // the state may hold since so long before from
	slackAfter  int64 // and be over so long before to
}

func stretches(spans []Span) []stretch {
	var all []stretch
	for i, s := range spans {
		if n := len(all); n > 0 && all[n-1].state == s.State {
			all[n-1].last, all[n-1].to = i, s.ToMS
			continue
		} else if n > 0 {
			all[n-1].slackAfter = min(s.SlackMS, all[n-1].to-all[n-1].from)
		}
		all = append(all, stretch{first: i, last: i, from: s.FromMS, to: s.ToMS, state: s.State, slack: s.SlackMS})
	}
	return all
}

// fit brings spans that were taken from a clock in line with what is heard: the
// edges of a pause go to those of the silence, the last span's end to the file's.
// What it returns has no gaps, begins at 0 and ends at the file's end at the latest.
func fit(spans []Span, heard sound.Analysis) []Span {
	spans = contiguous(spans)
	snap(spans, heard.Silences)
	spans = contiguous(spans)
	n := len(spans)
	for n > 0 && spans[n-1].FromMS >= heard.DurationMS {
		n--
	}
	if n == 0 {
		return []Span{}
	}
	spans = spans[:n]
	if last := &spans[n-1]; last.ToMS >= heard.DurationMS-maxTail {
		last.ToMS = heard.DurationMS
	}
	return spans
}

// contiguous has each span begin where the one before ends, the first at 0, and
// leaves out those without length and those that say the same as the one before.
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

// snap moves the edges between pauses and recording to those of a silence.
func snap(spans []Span, silences []sound.Silence) {
	for _, s := range stretches(spans) {
		if s.state != StatePaused {
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

// moveEdge has a span begin at a place, of which there is no doubt any more. Edges
// between spans of one state that are in the way go along.
func moveEdge(spans []Span, i int, at int64) {
	for j := i; j > 0 && (j == i || spans[j].State == spans[i-1].State && spans[j].FromMS > at); j-- {
		spans[j].FromMS, spans[j-1].ToMS = at, at
	}
	for j := i + 1; j < len(spans) && spans[j].State == spans[i].State && spans[j].FromMS < at; j++ {
		spans[j].FromMS, spans[j-1].ToMS = at, at
	}
	spans[i].SlackMS = 0
}

// beginning is where the silence of a pause begins. Of several that begin near its
// edge it is the one that fills most of the pause, and of those the nearest.
func beginning(silences []sound.Silence, p stretch) (at int64, ok bool) {
	return nearest(silences, p, func(r sound.Silence) int64 { return r.FromMS }, p.from-p.slack, p.from)
}

// ending is where the silence of a pause ends.
func ending(silences []sound.Silence, p stretch) (at int64, ok bool) {
	return nearest(silences, p, func(r sound.Silence) int64 { return r.ToMS }, p.to-p.slackAfter, p.to)
}

// maxDoubt is how long a pause is, in ms, of which it is only known that there may
// have been one.
const maxDoubt = 1

// settleDoubt finds the silence that such a pause was, or takes the pause out.
func settleDoubt(spans []Span, p stretch, silences []sound.Silence) {
	i := after(silences, p.to-snapWindow)
	if i == len(silences) || silences[i].FromMS > p.to || silences[i].ToMS > p.to+snapWindow {
		moveEdge(spans, p.last+1, p.from)
		return
	}
	moveEdge(spans, p.first, max(silences[i].FromMS, p.from-p.slack))
	moveEdge(spans, p.last+1, silences[i].ToMS)
}

// doubtfulEnd is where a pause ends of which it is not known whether it was one
// at all: with the silence that it begins with.
func doubtfulEnd(silences []sound.Silence, p stretch) int64 {
	i := after(silences, p.from)
	if i == len(silences) || silences[i].FromMS > p.from+edgeSlack {
		return p.to - p.slackAfter
	}
	return min(max(silences[i].ToMS, p.to-p.slackAfter), p.to+snapWindow)
}

// nearest chooses among the silences whose edge is near low..high.
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
