package policy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"tapedeck/flow"
)

// view is the copy in memory: a policy and what its elements inherit.
// Once others can see it, it is never changed, only replaced.
type view struct {
	policy       *flow.Policy
	inheritances map[string]map[flow.Element]flow.Inheritance // by organisation
	generation   string                                       // under which Redis has it; empty: not known to be in Redis
	// serial is the serial of the generation or, without one, of the view that it
	// replaces here. It stays the same when Redis has lost a policy and it is written
	// again: an instance that has seen a newer policy wins.
	serial int64
}

// newView refuses a policy that could be written and not be read back: one that
// was put together by hand and has an element without an id.
func newView(p *flow.Policy) (*view, error) {
	if p.Revision == "" {
		if err := p.Compile(); err != nil {
			return nil, err
		}
	}
	v := &view{policy: p, inheritances: make(map[string]map[flow.Element]flow.Inheritance, len(p.Organisations))}
	for id, o := range p.Organisations {
		v.inheritances[id] = o.Inheritances()
		for e := range v.inheritances[id] {
			if again, err := flow.ParseElement(e.String()); err != nil || again != e {
				return nil, fmt.Errorf("organisation %s: element %q cannot be read back", id, e)
			}
		}
	}
	return v, nil
}

// empty reports whether the policy has nothing worth writing.
func (v *view) empty() bool { return len(v.policy.Organisations) == 0 }

// under returns the view, marked as being in Redis under a generation.
func (v *view) under(generation string, serial int64) *view {
	return &view{policy: v.policy, inheritances: v.inheritances, generation: generation, serial: serial}
}

// serialAfter is the serial under which the view is written in place of now. The
// serial of a new policy is higher than any that an instance has seen. Because
// that has to hold after Redis has lost everything, too, it is at least the time
// in ms.
func (v *view) serialAfter(now manifest) int64 {
	if v.generation != "" {
		return v.serial
	}
	return max(v.serial+1, now.Serial+1, time.Now().UnixMilli())
}

func (v *view) organisations() []string { return slices.Sorted(maps.Keys(v.policy.Organisations)) }
