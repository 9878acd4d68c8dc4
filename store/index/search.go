package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

const (
	pageSize = 512    // recordings read at once
	readMax  = 2000   // recordings that one Search reads
	lookMax  = 20_000 // entries of the index that one Search looks at
	atOnce   = 4      // searches at the same time; calls need the other connections
)

// Search returns a page of the recordings that fit a Query, the newest first, and
// the Query.Before of the next page; next is zero if there is none. A page may
// have fewer recordings than Limit, or none, although there is a next page: one
// call looks at about 20,000 entries of the index and reads 2,000 recordings at
// most, and the next call goes on where it stopped. Four searches run at once;
// others wait. The index may change meanwhile, also by Reindex: a recording that
// does not change is found all the same.
func (x *Index) Search(ctx context.Context, q Query) (list []Recording, next Cursor, err error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	select {
	case x.searches <- struct{}{}:
		defer func() { <-x.searches }()
	case <-ctx.Done():
		return nil, Cursor{}, fmt.Errorf("store: read recordings: %w", ctx.Err())
	}
	list, next, err = x.search(ctx, newMatcher(&q))
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("store: read recordings: %w", err)
	}
	return list, next, nil
}

func (x *Index) search(ctx context.Context, w *matcher) (list []Recording, next Cursor, err error) {
	m, err := x.plan(ctx, w)
	if err != nil {
		return nil, Cursor{}, err
	}
	for read, size := 0, min(w.Limit, pageSize); ; size = min(2*size, pageSize) {
		places, err := m.take(ctx, size)
		if err != nil {
			return nil, Cursor{}, err
		}
		found, err := x.readRecordings(ctx, places, w)
		if err != nil {
			return nil, Cursor{}, err
		}
		for i, r := range found {
			if r == nil || placeAt(r.Cursor()) != places[i] || !w.matches(r) {
				continue
			}
			if list = append(list, *r); len(list) < w.Limit {
				continue
			}
			if i == len(found)-1 && m.done() {
				return list, Cursor{}, nil
			}
			return list, places[i].cursor(), nil
		}
		if m.done() {
			return list, Cursor{}, nil
		}
		if read += len(places); read >= readMax || m.spent() && len(places) < size {
			return list, m.at.cursor(), nil
		}
	}
}

// readRecordings reads recordings. In its result nil stands for recordings that
// are gone, those that lack a word, those that are not believed, and those that this
// version cannot read, which are logged.
func (x *Index) readRecordings(ctx context.Context, places []place, w *matcher) ([]*Recording, error) {
	values, keys, ids := make([]*redis.StringCmd, len(places)), make([]string, len(places)), make([]string, len(places))
	for i, p := range places {
		_, ids[i], _ = readPlace(p.at)
		keys[i] = recordingKey(p.organisation, ids[i])
	}
	if len(places) == 0 {
		return nil, nil
	}
	err := x.conn.Do(ctx, "recordings_read", x.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := x.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i := range places {
				values[i] = pipe.Get(ctx, keys[i])
			}
			return nil
		})
		if errors.Is(err, redis.Nil) || store.WrongType(err) {
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
		if err != nil && !store.WrongType(err) {
			return nil, fmt.Errorf("%w: %w", store.ErrAway, err)
		}
		if err == nil && !w.mayMatch(ids[i], text) {
			continue
		}
		if err == nil {
			if _, forged := x.seal.CheckJSON(text, keys[i]); forged != nil {
				continue // it has been counted and logged
			}
		}
		var r Recording
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err == nil && (r.ID != ids[i] || r.Organisation != p.organisation) {
			err = fmt.Errorf("%w: it says that it is recording %q of %q", store.ErrCorrupt, r.ID, r.Organisation)
		}
		if err != nil {
			x.conn.Log().Error("recording in redis not read", "key", keys[i], "error", err)
			continue
		}
		found[i] = &r
	}
	return found, nil
}

// Find returns the recording with an id in one of the organisations or, if none is
// given, in any. The error is ErrUnknown if there is none.
func (x *Index) Find(ctx context.Context, id string, organisations ...string) (Recording, error) {
	r, err := x.find(ctx, id, organisations)
	if err != nil {
		return Recording{}, fmt.Errorf("store: read a recording: %w", err)
	}
	return r, nil
}

func (x *Index) find(ctx context.Context, id string, organisations []string) (Recording, error) {
	if len(organisations) == 0 {
		var err error
		if organisations, err = x.recorders(ctx); err != nil {
			return Recording{}, err
		}
	}
	for part := range slices.Chunk(organisations, pageSize) {
		places := make([]place, len(part))
		for i, o := range part {
			places[i] = placeAt(Cursor{ID: id, Organisation: o})
		}
		found, err := x.readRecordings(ctx, places, new(matcher))
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

// recorders lists the organisations that have or had recordings.
func (x *Index) recorders(ctx context.Context) (list []string, err error) {
	err = x.conn.Do(ctx, "recordings_read", x.conn.BulkTimeout(), func(ctx context.Context) (err error) {
		list, err = x.conn.Client().SMembers(ctx, recordersKey).Result()
		return err
	})
	return list, err
}
