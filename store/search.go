package store

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	pageSize = 256    // ids or recordings that are asked for at once
	scanMax  = 20_000 // recordings that one Recordings looks at
)

// Recordings is a page of the index, the newest first. next is the Query.Before
// of the next page; it is zero when there is none. A page may have fewer than
// Limit although there is a next one: one call looks at 20,000 recordings at
// most.
func (s *Store) Recordings(ctx context.Context, q Query) (list []Recording, next Cursor, err error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	list, next, err = s.search(ctx, &q)
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("store: read recordings: %w", err)
	}
	return list, next, nil
}

func (s *Store) search(ctx context.Context, q *Query) (list []Recording, next Cursor, err error) {
	m := &merge{s: s, q: q}
	if err := m.open(ctx); err != nil {
		return nil, Cursor{}, err
	}
	for seen := 0; ; {
		places, err := m.take(ctx, min(pageSize, 2*q.Limit))
		if err != nil || len(places) == 0 {
			return list, Cursor{}, err
		}
		found, err := s.readRecordings(ctx, places)
		if err != nil {
			return nil, Cursor{}, err
		}
		for i, r := range found {
			if r == nil || !q.matches(r) {
				continue
			}
			if list = append(list, *r); len(list) == q.Limit {
				if i == len(found)-1 && m.empty() {
					return list, Cursor{}, nil
				}
				return list, places[i], nil
			}
		}
		if seen += len(places); seen >= scanMax {
			return list, places[len(places)-1], nil
		}
	}
}

// readRecordings reads recordings; nil are those that have gone meanwhile and
// those that this version cannot read, which are logged.
func (s *Store) readRecordings(ctx context.Context, places []Cursor) ([]*Recording, error) {
	values := make([]*redis.StringCmd, len(places))
	err := s.do(ctx, "recordings_read", s.bulk(), func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, p := range places {
				values[i] = pipe.Get(ctx, recordingKey(p.Organisation, p.ID))
			}
			return nil
		})
		if errors.Is(err, redis.Nil) || foreign(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make([]*Recording, len(places))
	for i, p := range places {
		text, err := values[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil && !foreign(err) {
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		var r Recording
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err == nil && (r.ID != p.ID || r.Organisation != p.Organisation) {
			err = fmt.Errorf("%w: it says that it is recording %q of %q", ErrCorrupt, r.ID, r.Organisation)
		}
		if err != nil {
			s.log.Error("recording in redis not read", "key", recordingKey(p.Organisation, p.ID), "error", err)
			continue
		}
		found[i] = &r
	}
	return found, nil
}

// Recording finds one by its id, in these organisations, or, if none is given,
// in any. The error is ErrUnknown if it is in none.
func (s *Store) Recording(ctx context.Context, id string, organisations ...string) (Recording, error) {
	r, err := s.recording(ctx, id, organisations)
	if err != nil {
		return Recording{}, fmt.Errorf("store: read a recording: %w", err)
	}
	return r, nil
}

func (s *Store) recording(ctx context.Context, id string, organisations []string) (Recording, error) {
	if len(organisations) == 0 {
		var err error
		if organisations, err = s.recorders(ctx); err != nil {
			return Recording{}, err
		}
	}
	for part := range slices.Chunk(organisations, pageSize) {
		places := make([]Cursor, len(part))
		for i, o := range part {
			places[i] = Cursor{ID: id, Organisation: o}
		}
		found, err := s.readRecordings(ctx, places)
		if err != nil {
			return Recording{}, err
		}
		for _, r := range found {
			if r != nil {
				return *r, nil
			}
		}
	}
	return Recording{}, ErrUnknown
}

// recorders lists the organisations that have recordings, or had.
func (s *Store) recorders(ctx context.Context) (list []string, err error) {
	err = s.do(ctx, "recordings_read", s.cfg.Timeout, func(ctx context.Context) (err error) {
		list, err = s.client.SMembers(ctx, recordersKey).Result()
		return err
	})
	return list, err
}

// merge walks the places of several organisations' recordings in one order: it
// is a heap of the organisations by the place that is next.
type merge struct {
	s     *Store
	q     *Query
	lists []*places
}

// places is what is known of one organisation's.
type places struct {
	organisation string
	buffer       []Cursor
	last         Cursor // the one before buffer
	whole        bool   // there are none after buffer
}

func (m *merge) Len() int           { return len(m.lists) }
func (m *merge) Less(i, j int) bool { return m.lists[i].buffer[0].before(m.lists[j].buffer[0]) }
func (m *merge) Swap(i, j int)      { m.lists[i], m.lists[j] = m.lists[j], m.lists[i] }
func (m *merge) Push(any)           { panic("not used") }
func (m *merge) Pop() any {
	last := len(m.lists) - 1
	p := m.lists[last]
	m.lists = m.lists[:last]
	return p
}

func (m *merge) empty() bool { return len(m.lists) == 0 }

// open reads the first places of each organisation.
func (m *merge) open(ctx context.Context) error {
	organisations := slices.Compact(slices.Sorted(slices.Values(m.q.Organisations)))
	if len(organisations) == 0 {
		var err error
		if organisations, err = m.s.recorders(ctx); err != nil {
			return err
		}
	}
	for _, o := range organisations {
		m.lists = append(m.lists, &places{organisation: o, last: m.q.Before})
	}
	for part := range slices.Chunk(slices.Clone(m.lists), pageSize) {
		if err := m.fill(ctx, part); err != nil {
			return err
		}
	}
	m.lists = slices.DeleteFunc(m.lists, func(p *places) bool { return len(p.buffer) == 0 })
	heap.Init(m)
	return nil
}

// take takes the next n places of all.
func (m *merge) take(ctx context.Context, n int) (taken []Cursor, err error) {
	for len(taken) < n && len(m.lists) > 0 {
		p := m.lists[0]
		p.last, p.buffer = p.buffer[0], p.buffer[1:]
		taken = append(taken, p.last)
		if len(p.buffer) == 0 {
			if err := m.fill(ctx, m.lists[:1]); err != nil {
				return nil, err
			}
		}
		if len(p.buffer) == 0 {
			heap.Pop(m)
		} else {
			heap.Fix(m, 0)
		}
	}
	return taken, nil
}

// fill reads the next places of lists whose buffers are empty. Only places of
// the same millisecond can be read in vain: then more are asked for.
func (m *merge) fill(ctx context.Context, lists []*places) error {
	lists = slices.DeleteFunc(slices.Clone(lists), func(p *places) bool { return p.whole })
	for count := min(pageSize, m.q.Limit+1); len(lists) > 0; count *= 2 {
		replies := make([]*redis.ZSliceCmd, len(lists))
		err := m.s.do(ctx, "recordings_read", m.s.bulk(), func(ctx context.Context) error {
			_, err := m.s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
				for i, p := range lists {
					replies[i] = pipe.ZRevRangeByScoreWithScores(ctx, recordingsKey(p.organisation), m.scores(p, int64(count)))
				}
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
		for i, p := range lists {
			p.take(replies[i].Val(), count)
		}
		lists = slices.DeleteFunc(lists, func(p *places) bool { return p.whole || len(p.buffer) > 0 })
	}
	return nil
}

// scores is the part of an organisation's sorted set that may come next.
func (m *merge) scores(p *places, count int64) *redis.ZRangeBy {
	by := &redis.ZRangeBy{Min: "-inf", Max: "+inf", Count: count}
	if !m.q.From.IsZero() {
		by.Min = strconv.FormatInt(m.q.From.UnixMilli(), 10)
	}
	if !m.q.To.IsZero() {
		by.Max = "(" + strconv.FormatInt(m.q.To.UnixMilli(), 10)
	}
	if p.last != (Cursor{}) && (m.q.To.IsZero() || p.last.Started.UnixMilli() < m.q.To.UnixMilli()) {
		by.Max = strconv.FormatInt(p.last.Started.UnixMilli(), 10)
	}
	return by
}

// take keeps what comes after last.
func (p *places) take(list []redis.Z, count int) {
	p.whole = len(list) < count
	p.buffer = nil
	for _, z := range list {
		id, _ := z.Member.(string)
		c := Cursor{time.UnixMilli(int64(z.Score)).UTC(), id, p.organisation}
		if p.last == (Cursor{}) || p.last.before(c) {
			p.buffer = append(p.buffer, c)
		}
	}
}
