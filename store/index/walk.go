package index

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// walk goes through the entries of several organisations in the order of the list.
type walk struct {
	x      *Index
	w      *matcher
	lanes  []*lane
	at     place // up to here everything is decided
	looked int   // entries
}

// lane is the part of a walk that goes through one organisation.
type lane struct {
	organisation string
	lead         condition
	checks       []condition
	loose        []place // all that lead gives, sorted, if lead is in no order
	loaded       bool    // loose is filled
	buffer       []place // what is to be read next
	examined     place   // up to here the lead was looked at
	begun, whole bool    // the lead was looked at; it has no more entries
	page         int     // how many entries of each list are read next
}

func newLane(organisation string, lead condition, all []condition, after place) *lane {
	p := &lane{organisation: organisation, lead: lead, examined: after}
	for _, c := range all {
		if !c.word && len(c.lists) <= checkedMax && !slices.Equal(c.lists, lead.lists) {
			p.checks = append(p.checks, c)
		}
	}
	return p
}

// done reports whether there are no more entries.
func (m *walk) done() bool {
	return !slices.ContainsFunc(m.lanes, func(p *lane) bool { return !p.whole || len(p.buffer) > 0 })
}

// spent reports whether the walk has looked at enough entries. It must have looked
// at some in each organisation, or the next call would begin at the same place.
func (m *walk) spent() bool {
	return m.looked >= lookMax && !slices.ContainsFunc(m.lanes, func(p *lane) bool { return !p.begun })
}

// take returns the next n places of all organisations. They are fewer if there are
// no more, or if the walk has looked at enough.
func (m *walk) take(ctx context.Context, n int) (taken []place, err error) {
	for len(taken) < n {
		head, late := m.next()
		switch {
		case len(late) > 0 && m.spent():
			m.stop(late)
			return taken, nil
		case len(late) > 0:
			if err := m.fill(ctx, late, n); err != nil {
				return nil, err
			}
		case head == nil:
			return taken, nil
		default:
			m.at = head.buffer[0]
			head.buffer = head.buffer[1:]
			taken = append(taken, m.at)
		}
	}
	return taken, nil
}

// next returns the lane that has the next place, and the lanes that may have an
// earlier one but have not looked yet.
func (m *walk) next() (head *lane, late []*lane) {
	for _, p := range m.lanes {
		if len(p.buffer) > 0 && (head == nil || p.buffer[0].before(head.buffer[0])) {
			head = p
		}
	}
	for _, p := range m.lanes {
		if len(p.buffer) == 0 && !p.whole && (head == nil || !p.begun || p.examined.before(head.buffer[0])) {
			late = append(late, p)
		}
	}
	return head, late
}

// stop notes up to which place everything is decided if late lanes are not looked
// at any further.
func (m *walk) stop(late []*lane) {
	least := late[0].examined
	for _, p := range late[1:] {
		if p.examined.before(least) {
			least = p.examined
		}
	}
	if m.at.before(least) {
		m.at = least
	}
}

// fill looks at the next entries of lanes whose buffers are empty.
func (m *walk) fill(ctx context.Context, late []*lane, n int) error {
	for _, p := range late {
		if p.page = min(2*p.page, max(pageSize/len(p.lead.lists), 8)); !p.begun {
			// The first pages of all lanes together are few entries.
			lists := len(p.lead.lists)
			p.page = min(max(lookMax/4/len(m.lanes)/lists, 4), max(4*n/lists, 8), n+1, pageSize)
		}
	}
	for some := range slices.Chunk(late, listsAtOnce/16) {
		if err := m.pull(ctx, some); err != nil {
			return err
		}
		if err := m.check(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// pull reads the next entries of the leading conditions into the buffers.
func (m *walk) pull(ctx context.Context, late []*lane) error {
	replies := make([][]*redis.StringSliceCmd, len(late))
	err := m.x.conn.Do(ctx, "recordings_read", m.x.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := m.x.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, p := range late {
				replies[i] = m.ask(ctx, pipe, p)
			}
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	for i, p := range late {
		p.begun = true
		if p.lead.word {
			if !p.loaded {
				m.load(p, replies[i])
			}
			p.takeLoose()
			continue
		}
		m.takeOrdered(p, replies[i])
	}
	return nil
}

// ask adds the commands that read the next entries of a lane.
func (m *walk) ask(ctx context.Context, pipe redis.Pipeliner, p *lane) (replies []*redis.StringSliceCmd) {
	if p.loaded {
		return nil
	}
	for _, l := range p.lead.lists {
		low, high := m.bounds(l, p.organisation, p.examined)
		by := &redis.ZRangeBy{Min: low, Max: high}
		if p.lead.word {
			replies = append(replies, pipe.ZRangeByLex(ctx, facetKey(p.organisation, l.in), by))
			continue
		}
		by.Count = int64(p.page)
		replies = append(replies, pipe.ZRevRangeByLex(ctx, facetKey(p.organisation, l.in), by))
	}
	return replies
}

// load keeps, of the lists of words, the entries that are in the period and come
// after the place where the query begins.
func (m *walk) load(p *lane, replies []*redis.StringSliceCmd) {
	p.loaded = true
	for _, reply := range replies {
		m.looked += len(reply.Val())
		for _, member := range reply.Val() {
			if at, ok := p.place(member); ok && m.timely(at) {
				p.loose = append(p.loose, at)
			}
		}
	}
	p.loose = sorted(p.loose)
}

// timely reports whether a place is in the period and comes after the place where
// the query begins.
func (m *walk) timely(at place) bool {
	return (m.w.From.IsZero() || at.at >= timeKey(m.w.From)) && (m.w.To.IsZero() || at.at < timeKey(m.w.To)) &&
		(m.w.Before == (Cursor{}) || placeAt(m.w.Before).before(at))
}

func (p *lane) takeLoose() {
	n := min(p.page, len(p.loose))
	p.buffer, p.loose = p.loose[:n:n], p.loose[n:]
	if p.whole = len(p.loose) == 0; n > 0 {
		p.examined = p.buffer[n-1]
	}
}

// takeOrdered keeps the entries of lists that are in the order of time. If a list
// has more, only what comes before its last entry is complete.
func (m *walk) takeOrdered(p *lane, replies []*redis.StringSliceCmd) {
	p.whole, p.buffer = true, nil
	var end place
	for _, reply := range replies {
		var last place
		for _, member := range reply.Val() {
			if at, ok := p.place(member); ok {
				p.buffer, last = append(p.buffer, at), at
			}
		}
		m.looked += len(reply.Val())
		if len(reply.Val()) == p.page && (p.whole || last.before(end)) {
			p.whole, end = false, last
		}
	}
	if len(replies) > 1 {
		p.buffer = sorted(p.buffer)
	}
	if !p.whole {
		p.buffer = slices.DeleteFunc(p.buffer, end.before)
		p.examined = end
	}
}

func (p *lane) place(member string) (at place, ok bool) {
	_, text, ok := strings.Cut(member, "\x00")
	return place{text, p.organisation}, ok
}

// sorted sorts places and removes duplicates.
func sorted(places []place) []place {
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(b.at, a.at) })
	return slices.Compact(places)
}

// check removes from the buffers what does not fulfil the other conditions.
func (m *walk) check(ctx context.Context, late []*lane) error {
	late = slices.DeleteFunc(slices.Clone(late), func(p *lane) bool { return len(p.checks) == 0 || len(p.buffer) == 0 })
	if len(late) == 0 {
		return nil
	}
	var replies []*redis.FloatSliceCmd
	err := m.x.conn.Do(ctx, "recordings_read", m.x.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := m.x.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, p := range late {
				for _, c := range p.checks {
					for _, l := range c.lists {
						replies = append(replies, pipe.ZMScore(ctx, facetKey(p.organisation, l.in), p.members(l)...))
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
	for _, p := range late {
		var verdicts [][]bool // by condition
		for _, c := range p.checks {
			fits := make([]bool, len(p.buffer))
			for range c.lists {
				for i, score := range replies[0].Val() {
					fits[i] = fits[i] || score == memberScore
				}
				replies = replies[1:]
			}
			verdicts = append(verdicts, fits)
		}
		p.sift(verdicts)
	}
	return nil
}

// members are the entries that a list would have for the places in the buffer.
func (p *lane) members(l row) []string {
	members := make([]string, len(p.buffer))
	for i, at := range p.buffer {
		members[i] = l.value + "\x00" + at.at
	}
	return members
}

// sift keeps the places of the buffer for which all verdicts are true.
func (p *lane) sift(verdicts [][]bool) {
	var kept []place
	for i, at := range p.buffer {
		if !slices.ContainsFunc(verdicts, func(fits []bool) bool { return !fits[i] }) {
			kept = append(kept, at)
		}
	}
	p.buffer = kept
}
