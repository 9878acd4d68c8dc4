package calls

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// The fields of an entry, see script.go. Its seal covers the key, the owner and the token
// with the body; that a call has ended has a seal of its own, for the key and the owner.
var entryFields = []string{"owner", "token", "body", "ended"}

const endedText = "ended"

// sealed is the body of an entry with its seal.
func (s *Store) sealed(c Call, text []byte) []byte {
	return s.seal.JSON(text, callKey(c.Organisation, c.ID), c.Owner, strconv.FormatInt(c.Token, 10))
}

// checkBody returns store.ErrForged if the entry of a live call is not one that a
// Tapedeck has written.
func (s *Store) checkBody(id store.ID, owner, token, body string) error {
	_, err := s.seal.CheckJSON([]byte(body), callKey(id.Organisation, id.ID), owner, token)
	return err
}

// checkEntry is checkBody for the values of entryFields, also if the call has ended.
func (s *Store) checkEntry(id store.ID, values []string) error {
	if owner, body := values[0], values[2]; body == "" {
		_, err := s.seal.Check(values[3], []byte(endedText), callKey(id.Organisation, id.ID), owner)
		return err
	}
	return s.checkBody(id, values[0], values[1], values[2])
}

// endedSeal says in Redis that this instance has ended a call.
func (s *Store) endedSeal(id store.ID) string {
	return s.seal.Sum([]byte(endedText), callKey(id.Organisation, id.ID), s.conn.Instance())
}

// discardScript removes an entry if it still is what was seen. KEYS: the call. ARGV: the
// fields of the entry in their order.
var discardScript = redis.NewScript(`
local seen = redis.call('HMGET', KEYS[1], 'owner', 'token', 'body', 'ended')
for i = 1, 4 do
	if (seen[i] or '') ~= ARGV[i] then return 0 end
end
redis.call('DEL', KEYS[1])
return 1`)

// discardForged looks at an entry that has refused a write. It reports true if the write
// should be tried again: the entry is not one that a Tapedeck has written, and has been
// removed, or there is none any more.
func (s *Store) discardForged(ctx context.Context, id store.ID) (again bool) {
	if !s.seal.Seals() {
		return false
	}
	key := callKey(id.Organisation, id.ID)
	err := s.conn.Do(ctx, "calls_write", s.conn.Timeout(), func(ctx context.Context) error {
		values, err := s.conn.Client().HMGet(ctx, key, entryFields...).Result()
		if err != nil {
			return err
		}
		entry, args := make([]string, len(values)), make([]any, len(values))
		for i, v := range values {
			entry[i], _ = v.(string)
			args[i] = entry[i]
		}
		if entry[0] == "" && entry[1] == "" {
			again = true
			return nil
		}
		if again = errors.Is(s.checkEntry(id, entry), store.ErrForged); !again {
			return nil
		}
		_, err = s.conn.Script(ctx, discardScript, []string{key}, args...)
		return err
	})
	return again && err == nil
}

// maxDisputed is how many writes are tried again at once because of forged entries. Who
// keeps forging them delays the others until the next step, and no longer.
const maxDisputed = 2 * callsAtOnce

// disputed finds the writes of a batch that only a forged entry has refused, marks them
// to be tried again, and returns how many there are.
func (s *Store) disputed(ctx context.Context, batch []stateWrite) (n int) {
	for i := range batch {
		if item := &batch[i]; item.refused && s.discardForged(ctx, item.entry.id) {
			item.refused, item.err = false, store.ErrForged
			n++
		}
	}
	return n
}

// disbelieved takes live calls whose entries are forged: those of this instance are
// written again, and the others returned.
func (s *Store) disbelieved(ids []store.ID) (others []store.ID) {
	for _, id := range ids {
		if !s.queue.requeue(id) {
			others = append(others, id)
		}
	}
	if len(others) < len(ids) {
		s.conn.Wake()
	}
	return others
}
