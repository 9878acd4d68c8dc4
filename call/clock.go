package call

import (
	"strconv"
	"time"
)

// clock is how far a FreeSWITCH's clock is from ours. An event waits up to 20 ms
// before it is sent; of many, the fastest tells the difference.
type clock struct {
	ahead time.Duration // ours minus its, with the fastest event's way
	known bool
}

// maxJump is more than an event can be late: a larger difference is a clock that
// was set.
const maxJump = 5 * time.Second

// heard takes the time that an event says it was made, and the time it came.
func (k *clock) heard(made, came time.Time) {
	late := came.Sub(made)
	switch {
	case !k.known, late < k.ahead, late > k.ahead+maxJump:
		k.ahead, k.known = late, true
	default: // clocks drift: in a minute of events what was fastest counts no more
		k.ahead += (late - k.ahead) / 4096
	}
}

// when is the time of an event by our clock; without a time of its own, now.
func (d *Desk) when(on string, ev headers) time.Time {
	made, ok := madeAt(ev)
	if !ok {
		return time.Now()
	}
	return d.ours(on, made)
}

// ours is a switch's time by our clock.
func (d *Desk) ours(on string, made time.Time) time.Time {
	if k := d.clocks[on]; k != nil {
		return made.Add(k.ahead)
	}
	return time.Now()
}

// compare learns from an event how the clocks stand.
func (d *Desk) compare(on string, ev headers, came time.Time) {
	made, ok := madeAt(ev)
	if !ok {
		return
	}
	k := d.clocks[on]
	if k == nil {
		k = &clock{}
		d.clocks[on] = k
	}
	k.heard(made, came)
}

// madeAt is when FreeSWITCH made an event, by its clock.
func madeAt(ev headers) (time.Time, bool) {
	us, err := strconv.ParseInt(ev.Get("Event-Date-Timestamp"), 10, 64)
	return time.UnixMicro(us), err == nil && us > 0
}
