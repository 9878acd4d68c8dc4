package faults

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// plan is everything that is drawn from a seed.
type plan struct {
	seed      uint64
	policy    *policy
	instances int
	embedded  bool // one instance, with the embedded Redis
	calls     []callPlan
	rooms     []roomPlan
	faults    []*fault
	disk      bool // the recordings are on a small disk
	balanced  bool // each leg draws which instance it connects to first
}

type callPlan struct {
	seed  uint64
	kind  string // inbound, outbound, internal
	after time.Duration
	lasts time.Duration
	stays bool // it lasts until all faults are healed
	still bool // nobody is transferred
}

// fault is one thing that breaks, and for how long.
type fault struct {
	kind   string
	after  time.Duration
	lasts  time.Duration
	whom   int // index of the instance
	n      int // a quantity, such as bytes
	struck time.Time
	healed time.Time
}

func (f *fault) String() string {
	return fmt.Sprintf("%s of %d (%d) at %v for %v", f.kind, f.whom+1, f.n, f.after.Round(time.Millisecond), f.lasts.Round(time.Millisecond))
}

// The faults. Those from redisKilled to redisCut need a real Redis. The last two end
// every call, and are rarer.
const (
	killed         = "tapedeck killed"
	frozen         = "tapedeck stopped for a while"
	linkCut        = "link cut"
	linkCutInside  = "link cut inside a frame"
	linkStill      = "link stands still"
	linkHalfOpen   = "link stands still, then is cut"
	diskFull       = "disk full"
	fileDeleted    = "files deleted"
	folderDeleted  = "folder of recordings deleted"
	switchSlow     = "freeswitch slow"
	switchStill    = "freeswitch's event socket stands still"
	redisKilled    = "redis killed"
	redisFrozen    = "redis stopped for a while"
	redisFlushed   = "redis flushed"
	redisCut       = "redis cut off from one instance"
	switchRestarts = "freeswitch killed"
	switchShutdown = "freeswitch shut down"
)

var (
	faultsEverywhere = []string{killed, killed, killed, frozen, linkCut, linkCutInside, linkStill, linkHalfOpen, diskFull, fileDeleted, switchSlow, switchStill}
	faultsOfRedis    = []string{redisKilled, redisFrozen, redisFlushed, redisCut, frozen, killed}
)

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

func newPlan(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 4))
	p := &plan{seed: seed, policy: newPolicy(r), instances: 2}
	switch r.IntN(6) {
	case 0:
		p.instances, p.embedded = 1, true
	case 1:
		p.instances = 1
	}
	for range 3 + r.IntN(4) {
		p.calls = append(p.calls, callPlan{seed: r.Uint64(), kind: []string{inbound, inbound, outbound, internal}[r.IntN(4)],
			after: between(r, 0, time.Second), lasts: between(r, 2*time.Second, 4*time.Second), stays: r.IntN(3) != 0, still: r.IntN(3) == 0})
	}
	p.balanced = r.IntN(2) == 0
	kinds := faultsEverywhere
	if !p.embedded {
		kinds = append(append([]string{}, kinds...), faultsOfRedis...)
	}
	for range 1 + r.IntN(3) {
		f := &fault{kind: kinds[r.IntN(len(kinds))], after: between(r, 200*time.Millisecond, 3500*time.Millisecond),
			lasts: between(r, 100*time.Millisecond, 2500*time.Millisecond), whom: r.IntN(p.instances), n: 1 + r.IntN(3000)}
		if r.IntN(12) == 0 {
			f.kind = []string{switchRestarts, switchShutdown}[r.IntN(2)]
		}
		if f.kind == frozen { // long enough to be taken for dead, or not
			f.lasts = between(r, 200*time.Millisecond, 4*time.Second)
		}
		p.disk = p.disk || f.kind == diskFull
		p.faults = append(p.faults, f)
	}
	if !*talks {
		return p
	}
	for range r.IntN(3) {
		p.rooms = append(p.rooms, roomPlan{seed: r.Uint64(), after: between(r, 0, time.Second), lasts: between(r, 2*time.Second, 4*time.Second),
			internal: r.IntN(4) == 0, stays: r.IntN(3) != 0})
	}
	return p
}
