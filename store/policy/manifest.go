package policy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/flow"
	"tapedeck/store"
)

const (
	currentKey      = "tapedeck:{policy}:current"
	switchedChannel = "tapedeck:{policy}:switched"
)

// organisationField is the field of a policy's hash that is not an element. An
// element has a slash in it.
const organisationField = "organisation"

func policyKey(organisation, generation string) string {
	return store.Key(organisation, "policy:"+store.Escape(generation))
}

// A policy is written under a generation: a name that no other write ever has.
// Readers find the generation through one key, current, which is switched over when
// everything else is there. The generation that it replaces gets an expiry, so that
// whoever is reading it can finish. current is switched only if it still has the value
// that the writer saw (WATCH). So each generation is replaced once and never comes
// back, and an expiry never hits the generation that counts.
//
// Every generation has a higher serial than the one before. If current has a lower
// serial than this instance has seen, Redis has lost data: it came back from an older
// snapshot, or a replica took over that lagged.
const (
	replacedTTL  = time.Minute // of the generation that was replaced
	abandonedTTL = time.Hour   // of one that is being written, in case its writer dies
)

// manifest is the value of current, with a seal. Revision is the SHA-256 of the whole
// policy, so the seal covers the hashes, too.
type manifest struct {
	Format        int             `json:"format"`
	Revision      string          `json:"revision"`
	Generation    string          `json:"generation"`
	Serial        int64           `json:"serial"` // of the Apply, see view.serial
	Version       int             `json:"version"`
	Region        string          `json:"region,omitempty"`
	Precedence    flow.Precedence `json:"precedence"`
	Organisations []manifestEntry `json:"organisations"`

	sealedBy int // store.Seal's key; 0 signs now
}

// manifestEntry says how many fields an organisation's hash has, so that a reader
// sees if a part of it is missing.
type manifestEntry struct {
	ID     string `json:"id"`
	Fields int    `json:"fields"`
}

// manifestFormat is the layout of the keys that this package reads and writes.
const manifestFormat = 1

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
		m.Organisations = append(m.Organisations, manifestEntry{id, 1 + len(v.inheritances[id])})
	}
	return m, nil
}

// hashOf is an organisation's hash: names and values in turn.
func hashOf(o *flow.Organisation, inheritances map[flow.Element]flow.Inheritance) ([]any, error) {
	fields := make([]any, 0, 2+2*len(inheritances))
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	fields = append(fields, organisationField, text)
	for e, in := range inheritances {
		if text, err = json.Marshal(in); err != nil {
			return nil, err
		}
		fields = append(fields, e.String(), text)
	}
	return fields, nil
}

// current reads which policy counts. Both results are empty if there is none.
func (s *Store) current(ctx context.Context) (m manifest, raw string, err error) {
	err = s.conn.Do(ctx, "policy_current", s.conn.Timeout(), func(ctx context.Context) (err error) {
		raw, err = s.conn.Client().Get(ctx, currentKey).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return manifest{}, "", nil
	}
	if err != nil {
		return manifest{}, "", err
	}
	by, err := s.seal.CheckJSON([]byte(raw), currentKey)
	if err != nil {
		return manifest{}, raw, fmt.Errorf("%w: key %s", err, currentKey)
	}
	if err := json.Unmarshal([]byte(raw), &m); err != nil {
		return manifest{}, raw, fmt.Errorf("%w: key %s: %w", store.ErrCorrupt, currentKey, err)
	}
	if m.Format != manifestFormat {
		return manifest{}, raw, fmt.Errorf("%w: key %s has format %d, this Tapedeck reads %d", store.ErrCorrupt, currentKey, m.Format, manifestFormat)
	}
	m.sealedBy = by
	return m, raw, nil
}
