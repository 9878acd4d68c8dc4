package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tally sums up all seeds.
var tally = &counts{of: map[string]int{}, most: map[string]time.Duration{}}

type counts struct {
	mu   sync.Mutex
	of   map[string]int
	most map[string]time.Duration
}

func (c *counts) count(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[what] += n
}

func (c *counts) longest(what string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.most[what] = max(c.most[what], d)
}

func (c *counts) add(s *stage) {
	c.count("seeds", 1)
	c.longest("until what is written is what is wanted", s.settled)
	c.longest("from the last hangup to the last sidecar", s.finished)
	for _, f := range s.plan.faults {
		c.count("fault "+f.kind, 1)
	}
}

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		fmt.Fprintf(&b, "%6d %s\n", c.of[what], what)
	}
	for _, what := range slices.Sorted(maps.Keys(c.most)) {
		fmt.Fprintf(&b, "%6d ms at most: %s\n", c.most[what].Milliseconds(), what)
	}
	return b.String()
}
