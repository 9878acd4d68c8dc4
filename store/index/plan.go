package index

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// In each organisation a query walks the entries of its leading condition: the one
// that the fewest recordings fulfil. For each entry it looks up the other conditions
// that have few lists. The remaining conditions are checked when the recordings
// themselves have been read.

const (
	listsAtOnce = 1024 // in one pipeline
	checkedMax  = 8    // lists that a condition may have to be looked up
	gatheredMin = 500  // entries of a word that are read although they are not in the order of time
	gatheredMax = 5000
	gathered    = 20_000 // in all organisations together
)

// row is a part of a facet: the recordings of one value, the newest last, or those
// of all values with a prefix, in no order that matters.
type row struct {
	in     facet
	value  string
	prefix bool
}

// condition is fulfilled by the recordings that are in at least one of its lists.
// word says that the lists are of prefixes, and so in no order.
type condition struct {
	lists []row
	word  bool
}

func one(in facet, value string) condition { return condition{lists: []row{{in: in, value: value}}} }

var everything = one(byTime, "")

// conditions are the parts of the Query that the index can answer.
func (q *matcher) conditions() (all []condition) {
	if q.User != "" {
		all = append(all, one(byUser, valueOf(q.User)))
	}
	if q.Only.User != "" && q.Only.User != q.User {
		all = append(all, one(byUser, valueOf(q.Only.User)))
	}
	if q.Group != "" {
		all = append(all, one(byGroup, valueOf(q.Group)))
	}
	if len(q.Only.Groups) > 0 {
		var c condition
		for _, g := range q.Only.Groups {
			if l := (row{in: byGroup, value: valueOf(g)}); !slices.Contains(c.lists, l) {
				c.lists = append(c.lists, l)
			}
		}
		all = append(all, c)
	}
	if q.Number != "" {
		all = append(all, one(byNumber, valueOf(q.number)))
	}
	if q.Trigger != "" {
		all = append(all, one(byTrigger, valueOf(q.Trigger)))
	}
	if q.OnlyProblems {
		all = append(all, one(byProblem, ""))
	}
	for _, w := range q.words {
		all = append(all, w.condition())
	}
	return all
}

func (w *word) condition() condition {
	c := condition{word: true}
	add := func(in facet, text string) {
		c.lists = append(c.lists, row{in: in, value: valueOf(text), prefix: true})
	}
	for _, f := range []facet{byUser, byGroup, byRequester, byID} {
		add(f, w.text)
	}
	if text := valueOf(w.text); len(text) > uuidHead {
		c.lists = append(c.lists, row{in: byID, value: text[:uuidHead]})
	}
	for _, digits := range w.starts {
		add(byNumber, digits)
	}
	for _, digits := range w.ends {
		add(byEnding, backwards(digits))
	}
	return c
}

// plan chooses how each organisation is walked.
func (x *Index) plan(ctx context.Context, w *matcher) (*walk, error) {
	organisations := slices.Compact(slices.Sorted(slices.Values(w.Organisations)))
	if len(organisations) == 0 {
		var err error
		if organisations, err = x.recorders(ctx); err != nil {
			return nil, err
		}
	}
	m := &walk{x: x, w: w, at: first}
	if w.Before != (Cursor{}) {
		m.at = placeAt(w.Before)
	}
	all := w.conditions()
	counts, err := m.count(ctx, organisations, all)
	if err != nil {
		return nil, err
	}
	few := min(max(gathered/max(len(organisations), 1), gatheredMin), gatheredMax)
	for i, o := range organisations {
		if lead, ok := choose(all, counts[i], few); ok {
			m.lanes = append(m.lanes, newLane(o, lead, all, m.at))
		}
	}
	return m, nil
}

// choose chooses the leading condition. It reports false if nothing can be found.
// counts has the number of entries of each condition and, after them, of
// everything.
func choose(all []condition, counts []int64, few int) (lead condition, ok bool) {
	if slices.Contains(counts, 0) {
		return condition{}, false
	}
	lead = everything
	least := int64(-1)
	if len(counts) > len(all) {
		least = counts[len(all)]
	}
	for i, c := range all {
		if (least < 0 || counts[i] < least) && (!c.word || counts[i] <= int64(few)) {
			lead, least = c, counts[i]
		}
	}
	return lead, true
}

// count counts the entries of each condition in each organisation and, if there
// are conditions, all entries.
func (m *walk) count(ctx context.Context, organisations []string, all []condition) ([][]int64, error) {
	counts := make([][]int64, len(organisations))
	if len(all) == 0 {
		return counts, nil
	}
	all = append(slices.Clip(all), everything)
	lists := 0
	for _, c := range all {
		lists += len(c.lists)
	}
	for begin := 0; begin < len(organisations); {
		end := min(begin+max(1, listsAtOnce/lists), len(organisations))
		if err := m.countSome(ctx, organisations[begin:end], all, counts[begin:end]); err != nil {
			return nil, err
		}
		begin = end
	}
	return counts, nil
}

func (m *walk) countSome(ctx context.Context, organisations []string, all []condition, counts [][]int64) error {
	var replies []*redis.IntCmd
	err := m.x.conn.Do(ctx, "recordings_read", m.x.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := m.x.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, o := range organisations {
				for _, c := range all {
					for _, l := range c.lists {
						low, high := m.bounds(l, o, m.at)
						replies = append(replies, pipe.ZLexCount(ctx, facetKey(o, l.in), low, high))
					}
				}
			}
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	for i := range organisations {
		counts[i] = make([]int64, len(all))
		for j, c := range all {
			for range c.lists {
				counts[i][j] += replies[0].Val()
				replies = replies[1:]
			}
		}
	}
	return nil
}

// bounds are the bounds of those entries of a list that are in the period and come
// after a place. For a prefix they are those of all its entries.
func (m *walk) bounds(l row, organisation string, after place) (low, high string) {
	if l.prefix {
		return "[" + l.value, "(" + l.value + "\xff"
	}
	low, high = "["+l.value+"\x00", "("+l.value+"\x01"
	if !m.w.From.IsZero() {
		low += timeKey(m.w.From)
	}
	if !m.w.To.IsZero() {
		high = "(" + l.value + "\x00" + timeKey(m.w.To)
	}
	if after == first || !m.w.To.IsZero() && after.at >= timeKey(m.w.To) {
		return low, high
	}
	if high = l.value + "\x00" + after.at; organisation < after.organisation {
		return low, "[" + high
	}
	return low, "(" + high
}
