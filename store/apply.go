package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
)

// A policy is written under a generation: a name that no other writing of a
// policy ever has. Readers find it through one key, current, which is switched
// over when everything else is there. The generation that it replaces gets an
// expiry, so that whoever is reading it can finish. Because current is switched
// only from the value that the writer has seen (WATCH), each generation is
// replaced once and never comes back, and an expiry can never hit the one that
// counts. Its serial is higher than that of the one before it: a current with a
// lower one than this instance has seen is of a Redis that has lost data (it has
// come back from an older snapshot, or a replica that lagged took over).
const (
	replacedTTL  = time.Minute // of the generation that was replaced
	abandonedTTL = time.Hour   // of one that is being written, should its writer die
	switchTries  = 5           // when others switch at the same time
	fieldsAtOnce = 256         // in one HSET
	pipeFields   = 2048        // in one pipeline
)

// manifest is the value of current.
type manifest struct {
	Format        int             `json:"format"`
	Revision      string          `json:"revision"`
	Generation    string          `json:"generation"`
	Serial        int64           `json:"serial"` // of the Apply, see view.serial
	Version       int             `json:"version"`
	Region        string          `json:"region,omitempty"`
	Precedence    flow.Precedence `json:"precedence"`
	Organisations []manifestEntry `json:"organisations"`
}

// manifestEntry says how many fields an organisation's hash has, so that a hash
// that is not whole is found out.
type manifestEntry struct {
	ID     string `json:"id"`
	Fields int    `json:"fields"`
}

// manifestFormat is the layout of the keys that this package reads and writes.
const manifestFormat = 1

// outdated is a generation that does not count any more, or will never.
type outdated struct {
	manifest
	base string // the value of current that it was to replace; empty: there was none, or it has been current itself
}

// Apply makes p the policy that counts: here at once, in Redis when it returns
// without an error, and in the other Tapedecks when they hear of it. The Store keeps p, which must be
// compiled (flow.Load sees to that) and not be changed again.
//
// A policy that cannot be applied is refused and changes nothing. With an error
// of Redis (ErrAway, ErrCorrupt) p is in force here, and Run tries to write it
// until it can. A Redis that has a policy of the same revision is not written to.
func (s *Store) Apply(ctx context.Context, p *flow.Policy) error {
	if p == nil {
		return errors.New("store: apply policy: there is none")
	}
	v, err := newView(p)
	if err != nil {
		return fmt.Errorf("store: apply policy: %w", err)
	}
	s.policyMu.Lock()
	now := s.view.Load()
	if now.policy.Revision == p.Revision {
		v = now.under("", now.serial)
	}
	v.serial = now.serial
	s.view.Store(v)
	s.pending = v
	s.policyMu.Unlock()
	if err := s.writePending(ctx); err != nil {
		return fmt.Errorf("store: apply policy: %w", err)
	}
	return nil
}

// writePending writes the policy that is not yet known to be in Redis, if there
// is one.
func (s *Store) writePending(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.policyMu.Lock()
	v := s.pending
	s.policyMu.Unlock()
	if v == nil {
		return nil
	}
	m, err := s.write(ctx, v)
	newer := errors.Is(err, errNewer)
	if err != nil && !newer {
		return err
	}
	s.policyMu.Lock()
	defer s.policyMu.Unlock()
	if s.pending == v {
		s.pending = nil
		if !newer {
			s.view.CompareAndSwap(v, v.under(m.Generation, m.Serial))
		}
	}
	return nil
}

func (s *Store) hasPending() bool {
	s.policyMu.Lock()
	defer s.policyMu.Unlock()
	return s.pending != nil
}

// errNewer: what was to be written again was replaced meanwhile.
var errNewer = errors.New("redis has a newer policy")

// write puts a policy into Redis and switches over to it, unless it is there.
func (s *Store) write(ctx context.Context, v *view) (written manifest, err error) {
	for range switchTries {
		now, raw, err := s.current(ctx)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return manifest{}, err
		}
		if err == nil && v.generation != "" && now.Serial > v.serial {
			return manifest{}, errNewer
		}
		if err == nil && now.Revision == v.policy.Revision && now.Serial >= v.serial && s.whole(ctx, now) {
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

// current reads which policy counts; an empty manifest and an empty raw if none.
func (s *Store) current(ctx context.Context) (m manifest, raw string, err error) {
	err = s.do(ctx, "policy_current", s.cfg.Timeout, func(ctx context.Context) (err error) {
		raw, err = s.client.Get(ctx, currentKey).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return manifest{}, "", nil
	}
	if err != nil {
		return manifest{}, "", err
	}
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return manifest{}, raw, fmt.Errorf("%w: key %s: %w", ErrCorrupt, currentKey, err)
	}
	if m.Format != manifestFormat {
		return manifest{}, raw, fmt.Errorf("%w: key %s has format %d, this Tapedeck reads %d", ErrCorrupt, currentKey, m.Format, manifestFormat)
	}
	return m, raw, nil
}

// whole reports whether all hashes of a generation are there with all fields.
func (s *Store) whole(ctx context.Context, m manifest) bool {
	lengths := make([]*redis.IntCmd, len(m.Organisations))
	err := s.do(ctx, "policy_read", s.bulk(), func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
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

// put writes the hashes of a policy under a new generation, which nobody reads yet.
func (s *Store) put(ctx context.Context, v *view, serial int64) (manifest, error) {
	m, err := newManifest(v, serial)
	if err != nil {
		return manifest{}, err
	}
	b := batch{s: s}
	for _, id := range v.organisations() {
		fields, err := hashOf(v.policy.Organisations[id], v.chains[id])
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

func newManifest(v *view, serial int64) (manifest, error) {
	nonce := make([]byte, 8)
	if _, err := rand.Read(nonce); err != nil {
		return manifest{}, err
	}
	p := v.policy
	m := manifest{
		Format: manifestFormat, Revision: p.Revision, Generation: p.Revision + "." + hex.EncodeToString(nonce),
		Serial: serial, Version: p.Version, Region: p.Region, Precedence: p.Precedence,
	}
	for _, id := range v.organisations() {
		m.Organisations = append(m.Organisations, manifestEntry{id, 1 + len(v.chains[id])})
	}
	return m, nil
}

// hashOf is an organisation's hash: names and values in turn.
func hashOf(o *flow.Organisation, chains map[flow.Element]flow.Inheritance) ([]any, error) {
	fields := make([]any, 0, 2+2*len(chains))
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	fields = append(fields, organisationField, text)
	for e, in := range chains {
		if text, err = json.Marshal(in); err != nil {
			return nil, err
		}
		fields = append(fields, e.String(), text)
	}
	return fields, nil
}

// batch collects the commands of a long writing into pipelines of a bounded size.
type batch struct {
	s      *Store
	pipe   redis.Pipeliner
	fields int
}

func (b *batch) add(ctx context.Context, fields int, commands func(redis.Pipeliner)) error {
	if b.pipe == nil {
		b.pipe = b.s.client.Pipeline()
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
	return b.s.do(ctx, "policy_write", b.s.bulk(), func(ctx context.Context) error {
		_, err := pipe.Exec(ctx)
		return err
	})
}

// switchOver makes m current if current is still raw, and publishes it. It
// fails with redis.TxFailedErr if another has switched meanwhile.
func (s *Store) switchOver(ctx context.Context, m manifest, raw string) (written string, err error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	err = s.do(ctx, "policy_switch", s.bulk(), func(ctx context.Context) error {
		return s.client.Watch(ctx, func(tx *redis.Tx) error {
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

// persist takes the expiry from the keys of a generation that will count now.
func (s *Store) persist(ctx context.Context, m manifest) error {
	kept := make([]*redis.BoolCmd, len(m.Organisations))
	_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
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

// outdatedMax bounds how many generations wait for their expiry, while Redis
// comes and goes. One that is forgotten costs Redis memory, nothing else.
const outdatedMax = 64

func (s *Store) remember(list ...outdated) {
	s.policyMu.Lock()
	defer s.policyMu.Unlock()
	for _, o := range list {
		known := slices.ContainsFunc(s.outdated, func(k outdated) bool { return k.Generation == o.Generation })
		if o.Generation != "" && !known {
			s.outdated = append(s.outdated, o)
		}
	}
	if over := len(s.outdated) - outdatedMax; over > 0 {
		s.outdated = slices.Delete(s.outdated, 0, over)
	}
}

// expireOutdated gives an expiry to what does not count any more, now that
// current is known to be raw. A generation whose switch-over got no answer may
// still become current as long as current is what it was to replace.
func (s *Store) expireOutdated(ctx context.Context, generation, raw string) {
	s.policyMu.Lock()
	var due, rest []outdated
	for _, o := range s.outdated {
		switch {
		case o.Generation == generation:
			// It counts. Whoever replaces it will remember it.
		case o.base == raw:
			rest = append(rest, o)
		default:
			due = append(due, o)
		}
	}
	s.outdated = rest
	s.policyMu.Unlock()
	if len(due) == 0 {
		return
	}
	if err := s.expire(ctx, due); err != nil {
		s.remember(due...)
	}
}

func (s *Store) expire(ctx context.Context, due []outdated) error {
	return s.do(ctx, "policy_expire", s.bulk(), func(ctx context.Context) error {
		_, err := s.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, old := range due {
				for _, o := range old.Organisations {
					pipe.Expire(ctx, policyKey(o.ID, old.Generation), replacedTTL)
				}
			}
			return nil
		})
		return err
	})
}

func (s *Store) bulk() time.Duration { return bulkFactor * s.cfg.Timeout }
