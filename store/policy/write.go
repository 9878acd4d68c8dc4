package policy

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
	switchTries  = 5    // when others switch at the same time
	fieldsAtOnce = 256  // in one HSET
	pipeFields   = 2048 // in one pipeline
)

// errNewer: a policy was to be written again, and Redis has a newer one.
var errNewer = errors.New("redis has a newer policy")

// write puts a policy into Redis and switches over to it, unless it is there
// already.
func (s *Store) write(ctx context.Context, v *view) (written manifest, err error) {
	for range switchTries {
		now, raw, err := s.current(ctx)
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return manifest{}, err
		}
		if err == nil && v.generation != "" && now.Serial > v.serial {
			return manifest{}, errNewer
		}
		if err == nil && now.Revision == v.policy.Revision && now.Serial >= v.serial && now.sealedBy == 0 && s.whole(ctx, now) {
			s.expireOutdated(ctx, now.Generation, raw)
			return now, nil
		}
		m, err := s.put(ctx, v, v.serialAfter(now))
		if err != nil {
			return manifest{}, err
		}
		s.remember(outdated{now, ""}, outdated{m, raw})
		text, err := s.switchOver(ctx, m, raw)
		if errors.Is(err, redis.TxFailedErr) {
			continue
		}
		if err != nil {
			return manifest{}, err
		}
		s.expireOutdated(ctx, m.Generation, text)
		return m, nil
	}
	return manifest{}, errors.New("other instances keep switching the policy")
}

// whole reports whether all hashes of a generation are there with all their
// fields.
func (s *Store) whole(ctx context.Context, m manifest) bool {
	lengths := make([]*redis.IntCmd, len(m.Organisations))
	err := s.conn.Do(ctx, "policy_read", s.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, o := range m.Organisations {
				lengths[i] = pipe.HLen(ctx, policyKey(o.ID, m.Generation))
			}
			return nil
		})
		return err
	})
	for i, o := range m.Organisations {
		if err != nil || lengths[i].Val() != int64(o.Fields) {
			return false
		}
	}
	return err == nil
}

// put writes the hashes of a policy under a new generation, which nobody reads
// yet.
func (s *Store) put(ctx context.Context, v *view, serial int64) (manifest, error) {
	m, err := newManifest(v, serial)
	if err != nil {
		return manifest{}, err
	}
	b := batch{conn: s.conn}
	for _, id := range v.organisations() {
		fields, err := hashOf(v.policy.Organisations[id], v.inheritances[id])
		if err != nil {
			return manifest{}, err
		}
		key := policyKey(id, m.Generation)
		for part := range slices.Chunk(fields, 2*fieldsAtOnce) {
			if err := b.add(ctx, len(part)/2, func(pipe redis.Pipeliner) {
				pipe.HSet(ctx, key, part...)
				pipe.Expire(ctx, key, abandonedTTL)
			}); err != nil {
				return manifest{}, err
			}
		}
	}
	return m, b.flush(ctx)
}

// batch collects the commands of a long writing into pipelines of a bounded size.
type batch struct {
	conn   *store.Conn
	pipe   redis.Pipeliner
	fields int
}

func (b *batch) add(ctx context.Context, fields int, commands func(redis.Pipeliner)) error {
	if b.pipe == nil {
		b.pipe = b.conn.Client().Pipeline()
	}
	commands(b.pipe)
	if b.fields += fields; b.fields < pipeFields {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if b.pipe == nil {
		return nil
	}
	pipe := b.pipe
	b.pipe, b.fields = nil, 0
	return b.conn.Do(ctx, "policy_write", b.conn.BulkTimeout(), func(ctx context.Context) error {
		_, err := pipe.Exec(ctx)
		return err
	})
}

// switchOver makes m current if current still is raw, and publishes that. It fails
// with redis.TxFailedErr if another instance has switched meanwhile.
func (s *Store) switchOver(ctx context.Context, m manifest, raw string) (written string, err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	text = s.seal.JSON(text, currentKey)
	err = s.conn.Do(ctx, "policy_switch", s.conn.BulkTimeout(), func(ctx context.Context) error {
		return s.conn.Client().Watch(ctx, func(tx *redis.Tx) error {
			now, err := tx.Get(ctx, currentKey).Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			if now != raw {
				return redis.TxFailedErr
			}
			if err := s.persist(ctx, m); err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.Set(ctx, currentKey, text, 0)
				pipe.Publish(ctx, switchedChannel, m.Revision)
				return nil
			})
			return err
		}, currentKey)
	})
	return string(text), err
}

// persist removes the expiry from the keys of a generation that will count now.
func (s *Store) persist(ctx context.Context, m manifest) error {
	kept := make([]*redis.BoolCmd, len(m.Organisations))
	_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, o := range m.Organisations {
			kept[i] = pipe.Persist(ctx, policyKey(o.ID, m.Generation))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, o := range m.Organisations {
		if !kept[i].Val() {
			return fmt.Errorf("policy of organisation %s was gone before it counted: is maxmemory too small?", o.ID)
		}
	}
	return nil
}
