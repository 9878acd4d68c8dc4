package calls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// rewrite queues every call again, and the ends that Redis may have lost.
func (s *Store) rewrite(ctx context.Context) {
	s.rewriting, s.unsure = true, s.lease.unsure.Load()
	clear(s.introduced)
	s.queue.requeueAll(s.unsure != 0)
	s.repeatEnds(ctx)
}

// write writes what is queued until nothing is left or Redis fails. It always
// reports false: what is left then cannot be written now.
func (s *Store) write(ctx context.Context) (more bool) {
	s.writeQueued(ctx)
	s.announce(ctx)
	if s.rewriting && s.conn.Up() {
		s.lease.sure(s.unsure)
	}
	s.rewriting = false
	return false
}

func (s *Store) writeQueued(ctx context.Context) {
	for disputed := 0; ctx.Err() == nil; {
		batch := s.queue.take(callsAtOnce)
		if len(batch) == 0 {
			return
		}
		err := s.writeBatch(ctx, batch)
		disputed += s.disputed(ctx, batch)
		for _, id := range s.queue.settle(batch) {
			s.conn.Log().Warn("live call belongs to another instance", "organisation", id.Organisation, "call", id.ID)
			if s.follower != nil {
				s.follower.Lost(id.Organisation, id.ID)
			}
		}
		s.announce(ctx)
		if err != nil && !errors.Is(err, store.ErrCorrupt) || disputed > maxDisputed {
			return
		}
	}
}

// writeBatch writes states of calls in one pipeline and notes in each what became
// of it.
func (s *Store) writeBatch(ctx context.Context, batch []stateWrite) error {
	err := s.introduce(ctx, batch)
	if err != nil {
		for i := range batch {
			batch[i].note(err)
		}
		return err
	}
	replies := make([]*redis.Cmd, len(batch))
	err = s.conn.Do(ctx, "calls_write", s.conn.Timeout(), func(ctx context.Context) error {
		return s.conn.Scripts(ctx, func(run store.RunScript) {
			for i := range batch {
				replies[i] = s.writeCall(&batch[i], run)
			}
		})
	})
	for i := range batch {
		if replies[i] != nil {
			batch[i].note(replies[i].Err())
			written, failed := replies[i].Int()
			batch[i].refused = failed == nil && written == 0
			if failed == nil && written != 0 {
				s.announced.add(batch[i].entry.id.Organisation)
			}
		}
		if !errors.Is(err, store.ErrCorrupt) { // the pipeline itself failed: a state without a reply may be lost
			batch[i].note(err)
		}
	}
	return err
}

// repeatEnds queues the end of calls that have ended here and are live in Redis:
// Redis has lost the end.
func (s *Store) repeatEnds(ctx context.Context) {
	if s.conn.Alone() {
		return
	}
	var ids []store.ID
	err := s.conn.Do(ctx, "calls_read", s.conn.BulkTimeout(), func(ctx context.Context) (err error) {
		ids, err = s.callIDs(ctx)
		return err
	})
	if err == nil { // otherwise Redis is away, and rewrite is called again when it is back
		s.queue.requeueEnds(ids)
	}
}

// writeCall adds the script that writes one state to a pipeline.
func (s *Store) writeCall(item *stateWrite, run store.RunScript) *redis.Cmd {
	id, kept := item.entry.id, int(endedTTL/time.Second)
	keys := []string{callKey(id.Organisation, id.ID), callsKey(id.Organisation)}
	if s.conn.Alone() {
		kept = 0
	}
	if item.ended {
		return run(endScript, keys, s.conn.Instance(), item.token, id.ID, kept, s.endedSeal(id))
	}
	text, err := json.Marshal(item.call)
	if err != nil {
		item.err = fmt.Errorf("%w: %w", errUnwritable, err)
		return nil
	}
	text = s.sealed(item.call, text)
	if item.newToken {
		return run(claimScript, keys, append(putArguments(item.call, text), s.conn.Instance())...)
	}
	return run(saveScript, keys, putArguments(item.call, text)...)
}

// putArguments are the arguments that putCall reads.
func putArguments(c Call, text []byte) []any {
	return []any{c.Owner, c.Token, text, c.ID, time.Now().Unix(), int(callTTL / time.Second)}
}

// note keeps the first error of a write.
func (item *stateWrite) note(err error) {
	switch {
	case err == nil || item.err != nil:
	case store.WrongType(err):
		item.err = fmt.Errorf("%w: %w", errUnwritable, err)
	default:
		item.err = err
	}
}

// prune removes ids from the sets of organisations that nobody has written for the
// whole lifetime of an entry: their entries have expired. It is not done at every
// write, because the embedded server sorts the whole set for it.
func (s *Store) prune(ctx context.Context, organisations []any) error {
	before := strconv.FormatInt(time.Now().Add(-callTTL).Unix(), 10)
	_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, o := range organisations {
			pipe.ZRemRangeByScore(ctx, callsKey(o.(string)), "-inf", before)
		}
		return nil
	})
	if store.WrongType(err) {
		return nil // the writes of its calls report it
	}
	return err
}

// introduce adds organisations to the set of those that have live calls, before
// their first call is written.
func (s *Store) introduce(ctx context.Context, batch []stateWrite) error {
	var fresh []any
	for _, item := range batch {
		if o := item.entry.id.Organisation; !item.ended && !s.introduced[o] && !slices.Contains(fresh, any(o)) {
			fresh = append(fresh, o)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	err := s.conn.Do(ctx, "calls_write", s.conn.Timeout(), func(ctx context.Context) error {
		if err := s.conn.Client().SAdd(ctx, organisationsKey, fresh...).Err(); err != nil {
			return err
		}
		return s.prune(ctx, fresh)
	})
	if err != nil {
		return err
	}
	for _, o := range fresh {
		s.introduced[o.(string)] = true
	}
	return nil
}
