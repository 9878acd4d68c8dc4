package call

import (
	"strconv"
	"time"
)

// toggles are the FreeSWITCHes that have a watch link: which is which, and how
// their clocks stand.
type switches struct {
	links  map[string]Link
	cores  map[string]string // Core-UUID to the switch's name
	clocks map[string]*clock
}

func newSwitches(links map[string]Link) switches {
	return switches{links: links, cores: map[string]string{}, clocks: map[string]*clock{}}
}

// watched reports whether a watch link goes to the switch.
func (s *switches) watched(name string) bool { return s.links[name] != nil }

// nameOf is the switch that has this core. With one switch it is that one, even
// before its watch link has said who it is; "" if it is not known.
func (s *switches) nameOf(core string) string {
	if name, ok := s.cores[core]; ok {
		return name
	}
	if len(s.links) == 1 {
		for name := range s.links {
			return name
		}
	}
	return ""
}

// clock is how far a FreeSWITCH's clock is from ours. An event waits up to 20 ms
// before it is sent; of many, the fastest tells the difference.
type clock struct {
	ahead time.Duration // ours minus its, with the fastest event's way
	known bool
}

// maxJump is more than an event can be late: a larger difference is a clock that
// was set.
const maxJump = 5 * time.Second

// observe takes the time that an event says it was made, and the time it came.
func (k *clock) observe(made, came time.Time) {
	late := came.Sub(made)
	switch {
	case !k.known, late < k.ahead, late > k.ahead+maxJump:
		k.ahead, k.known = late, true
	default: // clocks drift: in a minute of events what was fastest counts no more
		k.ahead += (late - k.ahead) / 4096
	}
}

// compare learns from an event of a switch how the clocks stand.
func (s *switches) compare(switchName string, ev channelData, came time.Time) {
	made, ok := madeAt(ev)
	if !ok {
		return
	}
	k := s.clocks[switchName]
	if k == nil {
		k = &clock{}
		s.clocks[switchName] = k
	}
	k.observe(made, came)
}

// when is the time of an event by our clock; now if the event has none.
func (s *switches) when(switchName string, ev channelData, now time.Time) time.Time {
	made, ok := madeAt(ev)
	if !ok {
		return now
	}
	return s.ours(switchName, made, now)
}

// ours is a switch's time by our clock; now if the clocks were not compared yet.
func (s *switches) ours(switchName string, made, now time.Time) time.Time {
	if k := s.clocks[switchName]; k != nil {
		return made.Add(k.ahead)
	}
	return now
}

// madeAt is when FreeSWITCH made an event, by its clock.
func madeAt(ev channelData) (time.Time, bool) {
	us, err := strconv.ParseInt(ev.Get("Event-Date-Timestamp"), 10, 64)
	return time.UnixMicro(us), err == nil && us > 0
}
