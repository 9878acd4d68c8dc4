package policy

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"tapedeck/flow"
)

// view is the copy in memory: a policy and the inheritance of each of its
// elements. It is never changed once it can be seen, only replaced.
type view struct {
	policy     *flow.Policy
	chains     map[string]map[flow.Element]flow.Inheritance // by organisation
	generation string                                       // whose keys in Redis hold it; empty: none that we know of
	// serial is that of its generation; without one, of what it replaces here. It
	// stays when a policy is written again that Redis has lost: whoever has seen
	// a newer one goes before.
	serial int64
}

// newView refuses a policy that could be written and not read: one put together
// by hand with an element that has no id.
func newView(p *flow.Policy) (*view, error) {
	if p.Revision == "" {
		if err := p.Compile(); err != nil {
			return nil, err
		}
	}
	v := &view{policy: p, chains: make(map[string]map[flow.Element]flow.Inheritance, len(p.Organisations))}
	for id, o := range p.Organisations {
		v.chains[id] = o.Chains()
		for e := range v.chains[id] {
			if again, err := flow.ParseElement(e.String()); err != nil || again != e {
				return nil, fmt.Errorf("organisation %s: element %q cannot be read back", id, e)
			}
		}
	}
	return v, nil
}

// empty reports whether there is nothing in it worth writing.
func (v *view) empty() bool { return len(v.policy.Organisations) == 0 }

// under is the same view, known to be in Redis under a generation.
func (v *view) under(generation string, serial int64) *view {
	return &view{policy: v.policy, chains: v.chains, generation: generation, serial: serial}
}

// serialAfter is the serial under which it is written in place of now. One that is
// new is newer than all that anybody has seen, also when Redis has lost all: then
// the clock says so.
func (v *view) serialAfter(now manifest) int64 {
	if v.generation != "" {
		return v.serial
	}
	return max(v.serial+1, now.Serial+1, time.Now().UnixMilli())
}

func (v *view) organisations() []string { return slices.Sorted(maps.Keys(v.policy.Organisations)) }
