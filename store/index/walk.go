package index

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// merge walks the entries of several organisations in one order.
type merge struct {
	x       *Index
	w       *wanted
	streams []*stream
	at      place // up to here everything is decided
	looked  int   // entries
}

// stream is the walk through one organisation.
type stream struct {
	organisation string
	lead         condition
	checks       []condition
	loose        []place // what lead gives, when that has no order: all of it; sorted
	loaded       bool    // loose is there
	buffer       []place // what is to be read
	examined     place   // up to here the lead was looked at
	begun, whole bool    // it was; it has no more
	page         int     // entries of each list of the lead that come next
}

func newStream(organisation string, lead condition, all []condition, after place) *stream {
	p := &stream{organisation: organisation, lead: lead, examined: after}
	for _, c := range all {
		if !c.word && len(c.lists) <= checkedMax && !slices.Equal(c.lists, lead.lists) {
			p.checks = append(p.checks, c)
		}
	}
	return p
}

// done reports whether there is nothing more.
func (m *merge) done() bool {
	return !slices.ContainsFunc(m.streams, func(p *stream) bool { return !p.whole || len(p.buffer) > 0 })
}

// spent reports whether enough was looked at. In each organisation something
// must have been, or the next call would begin at the same place.
func (m *merge) spent() bool {
	return m.looked >= lookMax && !slices.ContainsFunc(m.streams, func(p *stream) bool { return !p.begun })
}

// take takes the next places of all: n, or fewer when there are no more or
// enough was looked at.
func (m *merge) take(ctx context.Context, n int) (taken []place, err error) {
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

// next is the stream whose place comes next, and those of which it is not known
// whether they have one that comes before it.
func (m *merge) next() (head *stream, late []*stream) {
	for _, p := range m.streams {
		if len(p.buffer) > 0 && (head == nil || p.buffer[0].before(head.buffer[0])) {
			head = p
		}
	}
	for _, p := range m.streams {
		if len(p.buffer) == 0 && !p.whole && (head == nil || !p.begun || p.examined.before(head.buffer[0])) {
			late = append(late, p)
		}
	}
	return head, late
}

// stop notes how far everything is decided when late are not looked at.
func (m *merge) stop(late []*stream) {
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

// fill looks at the next entries of streams whose buffers are empty.
func (m *merge) fill(ctx context.Context, late []*stream, n int) error {
	for _, p := range late {
		if p.page = min(2*p.page, max(pageSize/len(p.lead.lists), 8)); !p.begun {
			// So that the first pages of all are few entries together.
			lists := len(p.lead.lists)
			p.page = min(max(lookMax/4/len(m.streams)/lists, 4), max(4*n/lists, 8), n+1, pageSize)
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
func (m *merge) pull(ctx context.Context, late []*stream) error {
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

// ask adds the commands that give the next entries of a stream.
func (m *merge) ask(ctx context.Context, pipe redis.Pipeliner, p *stream) (replies []*redis.StringSliceCmd) {
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

// load keeps what the lists of words have of the period and after the place
// where the query begins.
func (m *merge) load(p *stream, replies []*redis.StringSliceCmd) {
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

// timely reports whether a place is in the period and after the query's place.
func (m *merge) timely(at place) bool {
	return (m.w.From.IsZero() || at.at >= timeKey(m.w.From)) && (m.w.To.IsZero() || at.at < timeKey(m.w.To)) &&
		(m.w.Before == (Cursor{}) || placeAt(m.w.Before).before(at))
}

func (p *stream) takeLoose() {
	n := min(p.page, len(p.loose))
	p.buffer, p.loose = p.loose[:n:n], p.loose[n:]
	if p.whole = len(p.loose) == 0; n > 0 {
		p.examined = p.buffer[n-1]
	}
}

// takeOrdered keeps what lists in the order of time have. Beyond the last entry
// of a list that has more, another one may have been overlooked.
func (m *merge) takeOrdered(p *stream, replies []*redis.StringSliceCmd) {
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

func (p *stream) place(member string) (at place, ok bool) {
	_, text, ok := strings.Cut(member, "\x00")
	return place{text, p.organisation}, ok
}

// sorted sorts places and takes out those that are there twice.
func sorted(places []place) []place {
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(b.at, a.at) })
	return slices.Compact(places)
}

// check takes out of the buffers what does not fulfil the other conditions.
func (m *merge) check(ctx context.Context, late []*stream) error {
	late = slices.DeleteFunc(slices.Clone(late), func(p *stream) bool { return len(p.checks) == 0 || len(p.buffer) == 0 })
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

// members are the entries that the buffer's places would have in a list.
func (p *stream) members(l row) []string {
	members := make([]string, len(p.buffer))
	for i, at := range p.buffer {
		members[i] = l.value + "\x00" + at.at
	}
	return members
}

// sift keeps in the buffer what all verdicts are for.
func (p *stream) sift(verdicts [][]bool) {
	var kept []place
	for i, at := range p.buffer {
		if !slices.ContainsFunc(verdicts, func(fits []bool) bool { return !fits[i] }) {
			kept = append(kept, at)
		}
	}
	p.buffer = kept
}
