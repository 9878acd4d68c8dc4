package calls

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// readAtOnce is how many live calls are read in one pipeline.
const readAtOnce = 512

// List returns the live calls of all Tapedecks that Redis knows, the oldest first.
// It does not have states that are still queued. An entry that this version cannot
// read is logged and left out, and so is one that is not believed.
func (s *Store) List(ctx context.Context) ([]Call, error) {
	var calls []Call
	err := s.conn.Do(ctx, "calls_read", s.conn.BulkTimeout(), func(ctx context.Context) error {
		ids, err := s.callIDs(ctx)
		if err != nil {
			return err
		}
		var forged []store.ID
		calls, forged, err = s.readCalls(ctx, ids)
		s.disbelieved(forged)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store: read live calls: %w", err)
	}
	return calls, nil
}

// callIDs returns the ids of all live calls, from the sets of their organisations.
func (s *Store) callIDs(ctx context.Context) ([]store.ID, error) {
	organisations, err := s.conn.Client().SMembers(ctx, organisationsKey).Result()
	if err != nil {
		return nil, err
	}
	lists := make([]*redis.StringSliceCmd, len(organisations))
	_, err = s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, o := range organisations {
			lists[i] = pipe.ZRange(ctx, callsKey(o), 0, -1)
		}
		return nil
	})
	var ids []store.ID
	for i, o := range organisations {
		switch err := lists[i].Err(); {
		case store.WrongType(err):
			s.conn.Log().Error("live calls in redis not read", "key", callsKey(o), "error", err)
		case err != nil:
			return nil, err
		}
		for _, id := range lists[i].Val() {
			ids = append(ids, idOf(o, id))
		}
	}
	if store.WrongType(err) {
		err = nil
	}
	return ids, err
}

// readCalls reads calls and returns them, the oldest first, and those whose entries are
// not believed. Calls that have ended are left out.
func (s *Store) readCalls(ctx context.Context, ids []store.ID) (calls []Call, forged []store.ID, err error) {
	err = s.eachCall(ctx, ids, []string{"owner", "token", "body"}, func(id store.ID, values []string) {
		if s.checkBody(id, values[0], values[1], values[2]) != nil {
			forged = append(forged, id)
			return
		}
		c, err := parseCall(values[2], id)
		if err != nil {
			s.conn.Log().Error("live call in redis not read", "key", callKey(id.Organisation, id.ID), "error", err)
			return
		}
		calls = append(calls, c)
	})
	slices.SortFunc(calls, func(a, b Call) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.ID, b.ID))
	})
	return calls, forged, err
}

// owners returns the owner of each call; it does not read the calls themselves.
func (s *Store) owners(ctx context.Context, ids []store.ID) (map[store.ID]string, error) {
	owners := make(map[store.ID]string, len(ids))
	err := s.eachCall(ctx, ids, []string{"owner"}, func(id store.ID, values []string) { owners[id] = values[0] })
	return owners, err
}

// eachCall reads some fields of calls. A call that lacks one of them is left out;
// a key that is not a hash is logged.
func (s *Store) eachCall(ctx context.Context, ids []store.ID, fields []string, each func(store.ID, []string)) error {
	for part := range slices.Chunk(ids, readAtOnce) {
		hashes := make([]*redis.SliceCmd, len(part))
		_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, id := range part {
				hashes[i] = pipe.HMGet(ctx, callKey(id.Organisation, id.ID), fields...)
			}
			return nil
		})
		if err != nil && !store.WrongType(err) {
			return err
		}
		for i, id := range part {
			switch err := hashes[i].Err(); {
			case store.WrongType(err):
				s.conn.Log().Error("live call in redis not read", "key", callKey(id.Organisation, id.ID), "error", err)
				continue
			case err != nil:
				return err
			}
			if values := texts(hashes[i].Val()); len(values) == len(fields) {
				each(id, values)
			}
		}
	}
	return nil
}

func texts(values []any) (list []string) {
	for _, v := range values {
		if text, ok := v.(string); ok {
			list = append(list, text)
		}
	}
	return list
}

func parseCall(text string, id store.ID) (Call, error) {
	var c Call
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Call{}, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	if c.Version != Version {
		return Call{}, fmt.Errorf("%w: version %d, this Tapedeck reads %d", store.ErrCorrupt, c.Version, Version)
	}
	if idOf(c.Organisation, c.ID) != id {
		return Call{}, fmt.Errorf("%w: it says that it is call %q of %q", store.ErrCorrupt, c.ID, c.Organisation)
	}
	return c, nil
}
