package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
)

// State is what a live call's recording does.
type State string

// The states of a recording, as in the channel variable tapedeck_state.
const (
	Off    State = "off"
	On     State = "on"
	Paused State = "paused"
)

// callVersion is the layout of LiveCall in Redis.
const callVersion = 1

// LiveCall is what Redis knows of a call that is going on: enough for another
// Tapedeck, or this one after a restart, to go on with it.
type LiveCall struct {
	Version      int            `json:"version"` // set by SaveCall
	ID           string         `json:"id"`
	Organisation string         `json:"organisation"`
	Direction    flow.Direction `json:"direction"`
	Switch       string         `json:"switch"`           // name of the FreeSWITCH
	Leg          string         `json:"leg"`              // UUID of the leg that came first
	Anchor       string         `json:"anchor,omitempty"` // UUID of the leg that is recorded
	File         string         `json:"file,omitempty"`   // path of the recording
	State        State          `json:"state"`
	Chain        flow.Chain     `json:"chain,omitempty"`
	Users        []string       `json:"users,omitempty"` // who is on the call now
	Started      time.Time      `json:"started"`
	Trace        []Note         `json:"trace,omitempty"` // what happened, oldest first

	// Owner is the instance that the call belongs to and Token how many owners
	// it has had. SaveCall sets Owner, and a Token of 0 to the one it knows, or 1.
	Owner string `json:"owner"`
	Token int64  `json:"token"`
	// Control is package call's snapshot, opaque here; Draft, the sidecar so far.
	Control string          `json:"control,omitempty"`
	Draft   json.RawMessage `json:"draft,omitempty"`
}

// Note is one line of a call's trace. What is entered, left, pressed, told,
// failed or disclaimer; the rest is what there is to say of it.
type Note struct {
	At      time.Time `json:"at"`
	What    string    `json:"what"`
	Element string    `json:"element,omitempty"` // entered, left
	Setting string    `json:"setting,omitempty"` // entered: what the element says in the call's direction
	Method  string    `json:"method,omitempty"`  // pressed: dtmf, record_key, blind_transfer, api or auto_resume
	User    string    `json:"user,omitempty"`    // pressed: who; empty for the outside party
	Result  string    `json:"result,omitempty"`  // pressed: ok or why not; failed: the reply; disclaimer: heard or cut
	State   string    `json:"state,omitempty"`   // told: off, on or paused
}

// SaveCall queues the state of a call for Redis. It copies c, never blocks and
// never fails: Run writes the latest state of each call, the calls in the order
// in which they changed, when Redis is there. What cannot be kept (no id, more
// than 64 KB, more than 16384 live calls) is dropped, counted and logged.
func (s *Store) SaveCall(c LiveCall) {
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
		s.calls.settle(batch)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return
		}
	}
}

// writeBatch writes states of calls in one pipeline and sets each one's err.
func (s *Store) writeBatch(ctx context.Context, batch []sending) error {
	err := s.introduce(ctx, batch)
	if err != nil {
		for i := range batch {
			batch[i].note(err)
		}
		return err
	}
	replies := make([][]redis.Cmder, len(batch))
	err = s.do(ctx, "calls_write", s.cfg.Timeout, func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i := range batch {
				replies[i] = batch[i].write(ctx, pipe)
			}
			return nil
		})
		return err
	})
	for i := range batch {
		for _, reply := range replies[i] {
			batch[i].note(reply.Err())
		}
		if !errors.Is(err, ErrCorrupt) { // the pipeline itself failed: what had no reply may be lost
			batch[i].note(err)
		}
	}
	return err
}

// write adds the commands for one state. The set of ids holds every id that has
// a key, and may hold one that has none.
func (item *sending) write(ctx context.Context, pipe redis.Pipeliner) []redis.Cmder {
	id := item.entry.id
	key, set := callKey(id.organisation, id.id), callsKey(id.organisation)
	if item.ended {
		return []redis.Cmder{pipe.Del(ctx, key), pipe.SRem(ctx, set, id.id)}
	}
	text, err := json.Marshal(item.call)
	if err != nil {
		item.err = fmt.Errorf("%w: %w", errUnwritable, err)
		return nil
	}
	return []redis.Cmder{pipe.SAdd(ctx, set, id.id), pipe.Set(ctx, key, text, 0)}
}

// note keeps the first error that the item's commands had.
func (item *sending) note(err error) {
	switch {
	case err == nil || item.err != nil:
	case foreign(err):
		item.err = fmt.Errorf("%w: %w", errUnwritable, err)
	default:
		item.err = err
	}
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
		return s.client.SAdd(ctx, organisationsKey, fresh...).Err()
	})
	if err != nil {
		return err
	}
	for _, o := range fresh {
		s.known[o.(string)] = true
	}
	return nil
}

// Calls is the live calls that Redis knows, of every Tapedeck, the oldest
// first. States that are still queued are not among them. An entry that this
// version cannot read is logged and left out.
func (s *Store) Calls(ctx context.Context) ([]LiveCall, error) {
	var calls []LiveCall
	err := s.do(ctx, "calls_read", s.bulk(), func(ctx context.Context) error {
		calls = nil
		organisations, err := s.client.SMembers(ctx, organisationsKey).Result()
		if err != nil {
			return err
		}
		for _, o := range organisations {
			if calls, err = s.callsOf(ctx, o, calls); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: read live calls: %w", err)
	}
	slices.SortFunc(calls, func(a, b LiveCall) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Organisation, b.Organisation), cmp.Compare(a.ID, b.ID))
	})
	return calls, nil
}

// callsOf appends the live calls of one organisation, whose keys share a slot.
func (s *Store) callsOf(ctx context.Context, organisation string, calls []LiveCall) ([]LiveCall, error) {
	ids, err := s.client.SMembers(ctx, callsKey(organisation)).Result()
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(ids, 4*callsAtOnce) {
		keys := make([]string, len(part))
		for i, id := range part {
			keys[i] = callKey(organisation, id)
		}
		values, err := s.client.MGet(ctx, keys...).Result()
		if err != nil {
			return nil, err
		}
		for i, value := range values {
			text, ok := value.(string)
			if !ok {
				continue // it ended between the two commands
			}
			c, err := parseCall(text, callID{organisation, part[i]})
			if err != nil {
				s.log.Error("live call in redis not read", "key", keys[i], "error", err)
				continue
			}
			calls = append(calls, c)
		}
	}
	return calls, nil
}

func parseCall(text string, id callID) (LiveCall, error) {
	var c LiveCall
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return LiveCall{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if c.Version != callVersion {
		return LiveCall{}, fmt.Errorf("%w: version %d, this Tapedeck reads %d", ErrCorrupt, c.Version, callVersion)
	}
	if (callID{c.Organisation, c.ID}) != id {
		return LiveCall{}, fmt.Errorf("%w: it says that it is call %q of %q", ErrCorrupt, c.ID, c.Organisation)
	}
	return c, nil
}
