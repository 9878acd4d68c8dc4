package recording

import (
	"cmp"
	"slices"

	"tapedeck/recording/sound"
)

// A file does not follow the clock. FreeSWITCH writes a frame (20 ms) more for a
// packet that carries a digit and comes beside the voice (switch_core_media_bug.c,
// switch_core_media_bug_read: the two directions are written one after the other
// instead of together), and none while no packets come. So the place of an edge is
// its time plus all frames that were too many before it, less those that are missing:
// the drift. The clock knows the order of the edges and the drift of the whole file,
// the silences know where an edge can be. align finds the drift at each edge that
// fits both with the fewest frames.
const (
	maxDrift    = 1500 // ms of frames that are too many and missing besides what the length shows
	mostPlaces  = 24   // of one edge that are tried
	mostSkipped = 8    // edges in a row that no silence shows
	sameLength  = 60   // ms by which a pause and its silence may differ to be taken for each other
	most4length = 2000 // ms that the length of a silence counts as evidence
	unseenExact = 200  // ms of drift that are less likely than an edge without a silence: in a file of the right length
	unseenDrift = 1000 // the same, in a file that is longer or shorter than its time
	silentDrift = 300  // like unseenDrift, if both parties are silent there anyway
)

// clocked is what the clock says of a whole file.
type clocked struct {
	wrote     int64 // ms from its beginning to its end without the gaps; -1: not known
	concluded bool  // the beginning was concluded from the end
}

// reaches reports whether the spans were followed until the end of the file.
func (c clocked) reaches(spans []Span) bool {
	n := len(spans)
	return n > 0 && c.wrote >= 0 && spans[n-1].ToMS >= c.wrote-maxTail
}

// drift returns by how much the file is longer than the time of its spans.
func (c clocked) drift(spans []Span, length int64) (ms int64, known bool) {
	if len(spans) == 0 {
		return 0, false
	}
	ms = length - spans[len(spans)-1].ToMS
	return ms, c.reaches(spans) || max(ms, -ms) <= maxTail
}

// edge is where spans change between speech and silence, by the clock.
type edge struct {
	at     int64
	begins bool // silence begins
	unsure bool // it may have been much earlier
}

// knot is an edge at a place in the file.
type knot struct {
	edge     int   // index; -1: the file's beginning, len(edges): its end
	at, pos  int64 // by the clock; in the file
	run      int   // index of the silence; -1: none
	cost     int64
	previous *knot
}

func (k *knot) drift() int64 { return k.pos - k.at }

// path is the way of the drift through a file: knots in order.
type path []*knot

// place returns where in the file a time of the clock is: the nearest knot has its
// drift.
func (p path) place(at int64) int64 {
	if len(p) == 0 {
		return at
	}
	i, _ := slices.BinarySearchFunc(p, at, func(k *knot, at int64) int { return cmp.Compare(k.at, at) })
	if i == len(p) || i > 0 && at-p[i-1].at <= p[i].at-at {
		i--
	}
	return max(0, at+p[i].drift())
}

// align moves the edges of spans to where they are in the file, as far as its
// silences show that, and returns how they moved.
func align(spans []Span, heard sound.Analysis, c clocked) path {
	edges := edgesOf(spans)
	if len(edges) == 0 {
		return nil
	}
	a := aligner{edges: edges, silences: heard.Silences, length: heard.DurationMS, concluded: c.concluded, unseen: unseenExact, silent: unseenExact}
	a.total, a.known = c.drift(spans, heard.DurationMS)
	a.end = spans[len(spans)-1].ToMS
	if a.known && max(a.total, -a.total) > edgeSlack {
		a.unseen, a.silent = unseenDrift, silentDrift
	}
	p := a.best()
	if !slices.ContainsFunc(p, func(k *knot) bool { return max(k.drift(), -k.drift()) > snapWindow }) {
		return nil // snap moves the edges alone
	}
	for i := range spans {
		if spans[i].FromMS = p.place(spans[i].FromMS); i > 0 {
			spans[i-1].ToMS = spans[i].FromMS
		}
	}
	if a.known {
		spans[len(spans)-1].ToMS = heard.DurationMS
	}
	return p
}

func edgesOf(spans []Span) (edges []edge) {
	all := stretches(spans)
	doubted := func(s stretch) bool { return s.to-s.from <= maxDoubt && s.slack > 0 }
	for i := 1; i < len(all); i++ {
		s := all[i]
		edges = append(edges, edge{at: s.from, begins: s.silent, unsure: s.slack > snapWindow || doubted(s) || doubted(all[i-1])})
	}
	return edges
}

// aligner finds the most likely path.
type aligner struct {
	edges     []edge
	silences  []sound.Silence
	length    int64 // of the file
	end       int64 // of the last span, by the clock
	total     int64 // drift of the whole file, if it is known
	known     bool
	concluded bool
	unseen    int64 // cost of an edge that no silence shows
	silent    int64 // the same, where both parties are silent anyway
}

// best returns the path of the least cost. The cost is the drift that comes and goes,
// plus what an edge costs that no silence shows, less what a silence is worth that is
// as long as its pause. It returns nil if there is no path.
func (a *aligner) best() path {
	layers := [][]*knot{{{edge: -1, run: a.silenceAt(0, false)}}}
	for i := range a.edges {
		layers = append(layers, a.reach(a.places(i), layers))
	}
	end := &knot{edge: len(a.edges), at: a.end, pos: a.end + a.total, run: a.silenceAt(a.length, true)}
	last := a.reach([]*knot{end}, layers)
	if len(last) == 0 { // one silence from the file's beginning to its end shows no edge
		return nil
	}
	var p path
	for k := last[0]; k != nil; k = k.previous {
		if k != end { // frames may be missing at the end alone
			p = append(p, k)
		}
	}
	slices.Reverse(p)
	if a.concluded && len(p) > 1 { // only the end of the clock's times is certain
		p = p[1:]
	}
	return p
}

// silenceAt returns the silence that begins (or ends) at a place; -1: there is none.
func (a *aligner) silenceAt(pos int64, ends bool) int {
	i := after(a.silences, pos-1)
	if i < len(a.silences) && (ends && a.silences[i].ToMS == pos || !ends && a.silences[i].FromMS == pos) {
		return i
	}
	return -1
}

// places returns where an edge may be: at the silences that are nearest to where the
// drift can have brought it.
func (a *aligner) places(i int) []*knot {
	e := a.edges[i]
	if e.unsure {
		return nil
	}
	low, high := e.at+min(0, a.total), e.at+max(0, a.total)
	if !a.known {
		low, high = e.at, e.at
	}
	var all []*knot
	for r := after(a.silences, low-maxDrift-1); r < len(a.silences) && a.silences[r].FromMS <= high+maxDrift; r++ {
		pos := a.silences[r].ToMS
		if e.begins {
			pos = a.silences[r].FromMS
		}
		if pos >= max(1, low-maxDrift) && pos <= min(high+maxDrift, a.length-1) {
			all = append(all, &knot{edge: i, at: e.at, pos: pos, run: r})
		}
	}
	if len(all) > mostPlaces {
		slices.SortFunc(all, func(x, y *knot) int {
			away := func(k *knot) int64 { return max(low-k.pos, k.pos-high, 0) }
			return cmp.Or(cmp.Compare(away(x), away(y)), cmp.Compare(x.pos, y.pos))
		})
		all = all[:mostPlaces]
	}
	return all
}

// reach gives each knot the previous one from which it is reached at the least cost,
// and leaves out those that cannot be reached.
func (a *aligner) reach(knots []*knot, layers [][]*knot) []*knot {
	var reached []*knot
	for _, k := range knots {
		for n := len(layers) - 1; n >= 0; n-- {
			if skipped := len(layers) - 1 - n; skipped > mostSkipped && n > 0 && k.edge < len(a.edges) {
				continue
			}
			for _, from := range layers[n] {
				if cost, ok := a.cost(from, k); ok && (k.previous == nil || cost < k.cost) {
					k.previous, k.cost = from, cost
				}
			}
		}
		if k.previous != nil {
			reached = append(reached, k)
		}
	}
	return reached
}

// cost is what it costs to come from one knot to the next; ok is false if the second
// cannot follow the first.
func (a *aligner) cost(from, to *knot) (cost int64, ok bool) {
	last := to.edge == len(a.edges)
	next := to.edge == from.edge+1
	silent := next && (last || !a.edges[to.edge].begins) && (from.edge < 0 || a.edges[from.edge].begins)
	switch {
	case to.pos < from.pos && !(last && !a.known):
		return 0, false
	case from.run >= 0 && to.run == from.run && !silent:
		return 0, false
	}
	change := to.drift() - from.drift()
	change = max(change, -change)
	free := last && !a.known || from.edge < 0 && a.concluded
	if cost = from.cost; !free {
		cost += change
	}
	switch {
	case !silent || from.run < 0 || to.run < 0:
	case to.run != from.run: // there would be speech in the pause
		cost += a.unseen
	case change <= sameLength:
		r := a.silences[to.run]
		cost -= min(r.ToMS-r.FromMS, most4length)
	}
	for i := from.edge + 1; i < to.edge; i++ {
		cost += a.skip(a.edges[i], from, to)
	}
	return cost, true
}

// skip is the cost of an edge that no silence shows.
func (a *aligner) skip(e edge, from, to *knot) int64 {
	if e.unsure {
		return 0
	}
	for _, drift := range []int64{from.drift(), to.drift()} {
		if pos := e.at + drift; covered(a.silences, pos-1, pos+1) {
			return a.silent
		}
	}
	return a.unseen
}
