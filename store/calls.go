package store

import (
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
	// callTTL is how long a live call that nobody writes stays in Redis.
	callTTL = 48 * time.Hour
	// endedTTL is how long Redis knows that a call has ended.
	endedTTL = 10 * time.Minute
)

// SaveCall queues the state of a call for Redis. It copies c, never blocks and
// never fails: Run writes the latest state of each call, the calls in the order
// in which they changed, when Redis is there. What cannot be kept (no id, more
// than 64 KB, more than 16384 live calls) is dropped, counted and logged.
//
// A call that belongs to another instance is not written; see Config.OnLost.
func (s *Store) SaveCall(c Call) {
	s.calls.save(c)
	s.wakeRun()
}

// EndCall takes a call out of Redis, in the way of SaveCall.
func (s *Store) EndCall(organisation, id string) {
	s.calls.end(callID{organisation, id})
	s.wakeRun()
}

// Queued is how many calls have a state that is not known to be in Redis.
func (s *Store) Queued() int { return s.calls.queued() }

// Dropped is how many states of calls could not be kept.
func (s *Store) Dropped() uint64 {
	n, _ := s.calls.lost()
	return n
}

func (s *Store) wakeRun() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// reportDropped logs what was dropped since it was last called. Run calls it,
// so that no call ever waits for a log.
func (s *Store) reportDropped() {
	s.reportDroppedRecordings()
	n, reason := s.calls.lost()
	if n != s.reported {
		s.log.Error("states of calls dropped", "states", n-s.reported, "last_reason", reason)
		s.reported = n
	}
}

// writeCalls writes what is queued until nothing is or Redis fails.
func (s *Store) writeCalls(ctx context.Context) {
	for ctx.Err() == nil {
		batch := s.calls.take(callsAtOnce)
		if len(batch) == 0 {
			return
		}
		err := s.writeBatch(ctx, batch)
		for _, id := range s.calls.settle(batch) {
			s.log.Warn("live call is another instance's", "organisation", id.organisation, "call", id.id)
			if s.cfg.OnLost != nil {
				s.cfg.OnLost(id.organisation, id.id)
			}
		}
		s.announce(ctx)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return
		}
	}
}

// writeBatch writes states of calls in one pipeline and sets what became of each.
func (s *Store) writeBatch(ctx context.Context, batch []sending) error {
	err := s.introduce(ctx, batch)
	if err != nil {
		for i := range batch {
			batch[i].note(err)
		}
		return err
	}
	replies := make([]*redis.Cmd, len(batch))
	err = s.do(ctx, "calls_write", s.cfg.Timeout, func(ctx context.Context) error {
		return s.scripts(ctx, func(run runScript) {
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
				s.changes.add(batch[i].entry.id.organisation)
			}
		}
		if !errors.Is(err, ErrCorrupt) { // the pipeline itself failed: what had no reply may be lost
			batch[i].note(err)
		}
	}
	return err
}

// endAgain ends what has ended here and is live in Redis all the same, which has
// lost the end.
func (s *Store) endAgain(ctx context.Context) {
	if s.Alone() {
		return
	}
	var ids []callID
	err := s.do(ctx, "calls_read", s.bulk(), func(ctx context.Context) (err error) {
		ids, err = s.callIDs(ctx)
		return err
	})
	if err == nil { // else Redis is away, and this is done when it is back
		s.calls.endAgain(ids)
	}
}

// writeCall adds the script for one state.
func (s *Store) writeCall(item *sending, run runScript) *redis.Cmd {
	id, kept := item.entry.id, int(endedTTL/time.Second)
	keys := []string{callKey(id.organisation, id.id), callsKey(id.organisation)}
	if s.Alone() {
		kept = 0
	}
	if item.ended {
		return run(endScript, keys, s.cfg.Instance, item.token, id.id, kept)
	}
	text, err := json.Marshal(item.call)
	if err != nil {
		item.err = fmt.Errorf("%w: %w", errUnwritable, err)
		return nil
	}
	if item.raise {
		return run(claimScript, keys, append(putArguments(item.call, text), s.cfg.Instance)...)
	}
	return run(saveScript, keys, putArguments(item.call, text)...)
}

// putArguments are those that putCall reads.
func putArguments(c Call, text []byte) []any {
	return []any{c.Owner, c.Token, text, c.ID, time.Now().Unix(), int(callTTL / time.Second)}
}

// note keeps the first error that the item had.
func (item *sending) note(err error) {
	switch {
	case err == nil || item.err != nil:
	case foreign(err):
		item.err = fmt.Errorf("%w: %w", errUnwritable, err)
	default:
		item.err = err
	}
}

// prune takes the ids out of organisations' sets that have not been written for
// a whole lifetime: their entries have expired. (Not at every write, because the
// embedded server sorts the whole set for it.)
func (s *Store) prune(ctx context.Context, organisations []any) error {
	before := strconv.FormatInt(time.Now().Add(-callTTL).Unix(), 10)
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, o := range organisations {
			pipe.ZRemRangeByScore(ctx, callsKey(o.(string)), "-inf", before)
		}
		return nil
	})
	if foreign(err) {
		return nil // its calls will tell
	}
	return err
}

// introduce puts organisations into the set of those that have live calls,
// before their first call is written.
func (s *Store) introduce(ctx context.Context, batch []sending) error {
	var fresh []any
	for _, item := range batch {
		if o := item.entry.id.organisation; !item.ended && !s.known[o] && !slices.Contains(fresh, any(o)) {
			fresh = append(fresh, o)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	err := s.do(ctx, "calls_write", s.cfg.Timeout, func(ctx context.Context) error {
		if err := s.client.SAdd(ctx, organisationsKey, fresh...).Err(); err != nil {
			return err
		}
		return s.prune(ctx, fresh)
	})
	if err != nil {
		return err
	}
	for _, o := range fresh {
		s.known[o.(string)] = true
	}
	return nil
}
