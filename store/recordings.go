package store

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"
)

// A recording that is written gets a stamp: the microsecond in Redis, later than
// every stamp before it in its organisation, so that Reindex can tell what was
// written since it began. The scripts may run twice.
//
// KEYS of the first two: recording, recordings, written, deleted, stamp. ARGV:
// id, and for the first one when it started (ms), the body, and what Reindex has
// as the stamp of its beginning (0: not by Reindex).
var (
	putRecording = redis.NewScript(`
local since = tonumber(ARGV[4])
for i = 3, 4 do
	local at = redis.call('ZSCORE', KEYS[i], ARGV[1])
	if since > 0 and at and tonumber(at) >= since then return 0 end
end` + newStamp + `
redis.call('SET', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], stamp, ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return 1`)

	// What was deleted is known for a day: longer than any Reindex takes.
	dropRecording = redis.NewScript(newStamp + `
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], stamp, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.0f', tonumber(stamp) - 86400e6))
redis.call('EXPIRE', KEYS[4], 86400)
return 1`)
)

// newStamp makes a stamp, with the last one in KEYS[5].
const newStamp = `
local clock = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[5]) or '0')
local stamp = string.format('%.0f', math.max(clock[1] * 1000000 + clock[2], last + 1))
redis.call('SET', KEYS[5], stamp)`

// SaveRecording queues a recording for the index. It never blocks and never
// fails: Run writes the latest state of each, in the order in which they came,
// when Redis is there. What cannot be kept (no id, more than 64 KB in JSON, more
// than 100,000 while Redis is away, then the oldest) is dropped, counted and
// logged.
func (s *Store) SaveRecording(r Recording) {
	s.recordings.save(r)
	s.wakeRun()
}

// DeleteRecording takes a recording out of the index, in the way of SaveRecording.
func (s *Store) DeleteRecording(organisation, id string) {
	s.recordings.delete(callID{organisation, id})
	s.wakeRun()
}

// QueuedRecordings is how many recordings have a state that is not known to be
// in Redis.
func (s *Store) QueuedRecordings() int { return s.recordings.queued() }

// DroppedRecordings is how many states of recordings could not be kept.
func (s *Store) DroppedRecordings() uint64 {
	n, _ := s.recordings.lost()
	return n
}

// reportDroppedRecordings logs what was dropped since it was last called.
func (s *Store) reportDroppedRecordings() {
	n, reason := s.recordings.lost()
	if n != s.reportedRecording {
		s.log.Error("recordings are missing in the index: run `tapedeck recordings reindex`",
			"recordings", n-s.reportedRecording, "last_reason", reason)
		s.reportedRecording = n
	}
}

// writeRecordings writes some of what is queued for the index and reports
// whether there may be more to be written now.
func (s *Store) writeRecordings(ctx context.Context) (more bool) {
	if ctx.Err() != nil {
		return false
	}
	batch := s.recordings.take(recordingsAtOnce)
	if len(batch) == 0 {
		return false
	}
	err := s.writeIndexed(ctx, "recordings_write", batch)
	s.recordings.settle(batch)
	return err == nil || errors.Is(err, ErrCorrupt)
}

// writeIndexed writes changes of the index in one pipeline and sets the err of
// each.
func (s *Store) writeIndexed(ctx context.Context, operation string, batch []*indexed) error {
	replies := make([]*redis.Cmd, len(batch))
	err := s.do(ctx, operation, s.cfg.Timeout, func(ctx context.Context) error {
		if err := s.client.SAdd(ctx, recordersKey, organisationsOf(batch)...).Err(); err != nil {
			return err
		}
		return s.scripts(ctx, func(run runScript) {
			for i, change := range batch {
				replies[i] = change.write(run)
			}
		})
	})
	for i, change := range batch {
		switch {
		case replies[i] != nil && (replies[i].Err() != nil || errors.Is(err, ErrCorrupt)):
			change.err = replies[i].Err()
		default:
			change.err = err
		}
	}
	return err
}

func organisationsOf(batch []*indexed) (list []any) {
	for _, change := range batch {
		if o := change.id.organisation; !slices.Contains(list, any(o)) {
			list = append(list, o)
		}
	}
	return list
}

func (change *indexed) write(run runScript) *redis.Cmd {
	o, id := change.id.organisation, change.id.id
	keys := []string{recordingKey(o, id), recordingsKey(o), writtenKey(o), deletedKey(o), stampKey(o)}
	if change.body == nil {
		return run(dropRecording, keys, id)
	}
	return run(putRecording, keys, id, change.started, change.body, change.since)
}
