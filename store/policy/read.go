package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
	"tapedeck/store"
)

const (
	readTries    = 3  // when a policy expires under the reader
	hashesAtOnce = 64 // in one pipeline
)

// errHalf: a hash of the policy is missing or not whole.
var errHalf = fmt.Errorf("%w: not the whole policy is there", store.ErrCorrupt)

var (
	// errNone: no policy has ever been put into this Redis, or it has lost it.
	errNone = errors.New("there is no policy in redis")
	// errOlder: Redis has lost the policy, and has one from before it.
	errOlder = errors.New("the policy in redis is an older one")
)

// follow compares the policy in memory with the one that counts in Redis and takes
// that one over as a whole. It reports whether the policy changed. On an error the
// policy in memory stays.
func (s *Store) follow(ctx context.Context) (changed bool, err error) {
	var half manifest
	for range readTries {
		m, raw, err := s.current(ctx)
		if errors.Is(err, store.ErrForged) {
			return false, fmt.Errorf("policy %s stays: %w", s.view.Load().policy.Revision, err)
		}
		if err != nil {
			return false, s.once(currentKey+" "+raw, err)
		}
		if raw == "" {
			return false, errNone
		}
		before := s.view.Load()
		if m.Generation == before.generation {
			s.expireOutdated(ctx, m.Generation, raw)
			return false, nil
		}
		if m.Serial < before.serial {
			return false, errOlder
		}
		v, err := s.read(ctx, m, before)
		if errors.Is(err, errHalf) {
			half = m
			continue
		}
		if err != nil {
			return false, s.once(m.Generation, err)
		}
		return s.take(before, v), nil
	}
	return false, s.once(half.Generation, errHalf)
}

// take replaces the view, unless a policy was applied here while the other one was
// read: then the applied one wins.
func (s *Store) take(before, v *view) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending != nil || !s.view.CompareAndSwap(before, v) {
		return false
	}
	s.bad = ""
	return v.policy != before.policy
}

// once returns an error about a generation (or another value that was read) the
// first time, and nil after that: Run looks at the same policy twice a second.
func (s *Store) once(generation string, err error) error {
	if !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == generation {
		return nil
	}
	s.bad = generation
	return fmt.Errorf("policy %s stays: %w", s.view.Load().policy.Revision, err)
}

// read reads a generation from its hashes. If its revision is the one in memory,
// it is not read again.
func (s *Store) read(ctx context.Context, m manifest, now *view) (*view, error) {
	if m.Revision == now.policy.Revision {
		return now.under(m.Generation, m.Serial), nil
	}
	p := &flow.Policy{
		Version: m.Version, Region: m.Region, Precedence: m.Precedence,
		Organisations: make(map[string]*flow.Organisation, len(m.Organisations)),
	}
	v := &view{
		policy: p, generation: m.Generation, serial: m.Serial,
		inheritances: make(map[string]map[flow.Element]flow.Inheritance, len(m.Organisations)),
	}
	err := s.conn.Do(ctx, "policy_read", s.conn.BulkTimeout(), func(ctx context.Context) error { return s.readHashes(ctx, m, v) })
	if err != nil {
		return nil, err
	}
	if err := v.verify(m.Revision); err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Store) readHashes(ctx context.Context, m manifest, v *view) error {
	for i := 0; i < len(m.Organisations); i += hashesAtOnce {
		part := m.Organisations[i:min(i+hashesAtOnce, len(m.Organisations))]
		hashes := make([]*redis.MapStringStringCmd, len(part))
		_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, o := range part {
				hashes[i] = pipe.HGetAll(ctx, policyKey(o.ID, m.Generation))
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, o := range part {
			if err := v.add(o, hashes[i].Val()); err != nil {
				return err
			}
		}
	}
	return nil
}

// add reads one organisation's hash.
func (v *view) add(entry manifestEntry, hash map[string]string) error {
	if len(hash) != entry.Fields {
		return fmt.Errorf("%w: organisation %s has %d of %d fields", errHalf, entry.ID, len(hash), entry.Fields)
	}
	inheritances := make(map[flow.Element]flow.Inheritance, len(hash))
	for name, text := range hash {
		if name == organisationField {
			var o flow.Organisation
			if err := json.Unmarshal([]byte(text), &o); err != nil {
				return fmt.Errorf("%w: organisation %s: %w", store.ErrCorrupt, entry.ID, err)
			}
			v.policy.Organisations[entry.ID] = &o
			continue
		}
		e, err := flow.ParseElement(name)
		if err != nil {
			return fmt.Errorf("%w: organisation %s: %w", store.ErrCorrupt, entry.ID, err)
		}
		var in flow.Inheritance
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			return fmt.Errorf("%w: organisation %s, chain of %s: %w", store.ErrCorrupt, entry.ID, e, err)
		}
		inheritances[e] = in
	}
	v.inheritances[entry.ID] = inheritances
	return nil
}

// verify compiles a policy that was read and compares it with the manifest: the
// revision is a hash of the whole policy, and each cached inheritance must be the one
// that follows from the policy.
func (v *view) verify(revision string) error {
	if err := v.policy.Compile(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	if v.policy.Revision != revision {
		return fmt.Errorf("%w: content has revision %s instead of %s; was it written by another version of Tapedeck?",
			store.ErrCorrupt, v.policy.Revision, revision)
	}
	for id, o := range v.policy.Organisations {
		cached := v.inheritances[id]
		want := o.Inheritances()
		for e, in := range want {
			if got, ok := cached[e]; !ok || !reflect.DeepEqual(got, in) {
				return fmt.Errorf("%w: organisation %s: cached chain of %s is not that of its policy", store.ErrCorrupt, id, e)
			}
		}
		if len(cached) != len(want) {
			return fmt.Errorf("%w: organisation %s: %d cached chains, %d elements", store.ErrCorrupt, id, len(cached), len(want))
		}
	}
	return nil
}
