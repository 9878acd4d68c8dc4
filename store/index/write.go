package index

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// writeTries is how often a change is tried when others change the same recordings
// at the same time.
const writeTries = 5

// errContended: others have changed the recording each time it was tried.
var errContended = errors.New("others change it at the same time")

// writeChanges writes changes in one pipeline and sets the err of each.
func (x *Index) writeChanges(ctx context.Context, operation string, limit time.Duration, batch []*edit) error {
	var corrupt error
	for range writeTries {
		err := x.conn.Do(ctx, operation, limit, func(ctx context.Context) error { return x.writeOnce(ctx, batch) })
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			for _, change := range batch {
				if change.err == nil || errors.Is(change.err, errContended) {
					change.err = err
				}
			}
			return err
		}
		corrupt = cmp.Or(corrupt, err)
		batch = slices.DeleteFunc(slices.Clone(batch), func(c *edit) bool { return !errors.Is(c.err, errContended) })
		if len(batch) == 0 {
			break
		}
	}
	return corrupt
}

// writeOnce tries changes once and sets the err of those that were answered.
func (x *Index) writeOnce(ctx context.Context, batch []*edit) error {
	for _, change := range batch {
		change.err = nil
	}
	if err := x.readStamps(ctx, batch); err != nil {
		return err
	}
	replies := make([]*redis.Cmd, len(batch))
	err := x.conn.Scripts(ctx, func(run store.RunScript) {
		for i, change := range batch {
			replies[i] = change.write(run, x.seal)
		}
	})
	for i, change := range batch {
		change.written, change.err = replies[i].Int()
		if change.err == nil && change.written < 0 {
			change.err = errContended
		}
	}
	return err
}

// readStamps reads what the index has of the recordings that are to change, first
// the stamp and then the body, and adds their organisations to the set of those
// that have recordings.
func (x *Index) readStamps(ctx context.Context, batch []*edit) error {
	stamps, bodies := make([]*redis.FloatCmd, len(batch)), make([]*redis.StringCmd, len(batch))
	_, err := x.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.SAdd(ctx, recordersKey, organisationsOf(batch)...)
		for i, change := range batch {
			stamps[i] = pipe.ZScore(ctx, writtenKey(change.id.Organisation), change.id.ID)
			bodies[i] = pipe.Get(ctx, recordingKey(change.id.Organisation, change.id.ID))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) && !store.WrongType(err) {
		return err
	}
	for i, change := range batch {
		for _, err := range []error{stamps[i].Err(), bodies[i].Err()} {
			if err != nil && !errors.Is(err, redis.Nil) && !store.WrongType(err) {
				return err
			}
		}
		change.seen, change.old = int64(stamps[i].Val()), nil
		var r Recording
		if text, err := bodies[i].Bytes(); err == nil && json.Unmarshal(text, &r) == nil {
			change.old = membersOf(&r)
		}
	}
	return nil
}

func organisationsOf(batch []*edit) (list []any) {
	for _, change := range batch {
		if o := change.id.Organisation; !slices.Contains(list, any(o)) {
			list = append(list, o)
		}
	}
	return list
}

// write adds the script for a change.
func (change *edit) write(run store.RunScript, seal *store.Seal) *redis.Cmd {
	o, id := change.id.Organisation, change.id.ID
	keys := make([]string, 0, 4+facets)
	keys = append(keys, recordingKey(o, id), writtenKey(o), deletedKey(o), stampKey(o))
	for f := range facets {
		keys = append(keys, facetKey(o, f))
	}
	body, seen := change.body, ""
	switch {
	case change.swept:
		body = []byte("-")
	case body != nil:
		body = seal.JSON(body, keys[0])
	}
	if change.seen != 0 {
		seen = strconv.FormatInt(change.seen, 10)
	}
	leave, come := differences(change.old, change.members)
	if change.since > 0 {
		come = change.members // Reindex mends what is missing
	}
	args := make([]any, 0, 5+2*(len(leave)+len(come)))
	args = append(args, id, seen, change.since, body, len(leave))
	for _, e := range append(leave, come...) {
		args = append(args, int(e.in), e.text)
	}
	return run(changeRecording, keys, args...)
}

// differences returns the members that only old has, and those that only now has.
func differences(old, now []member) (leave, come []member) {
	for _, e := range old {
		if !slices.Contains(now, e) {
			leave = append(leave, e)
		}
	}
	for _, e := range now {
		if !slices.Contains(old, e) {
			come = append(come, e)
		}
	}
	return leave, come
}
