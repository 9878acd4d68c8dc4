package call

import (
	"strconv"
	"time"

	"tapedeck/call/confirm"
	"tapedeck/internal/recent"
)

// switches are the FreeSWITCHes that have a watch link: their names, their
// Core-UUIDs and their clocks.
type switches struct {
	asker  *confirm.Asker // any goroutine may ask it
	links  map[string]Link
	cores  map[string]string // Core-UUID to the switch's name
	clocks map[string]*clock
	told   recent.Map[string, struct{}] // by name: the log has told lately of an event that is not believed
}

func newSwitches(links map[string]Link) *switches {
	asked := make(map[string]confirm.Link, len(links))
	for name, link := range links {
		asked[name] = link
	}
	return &switches{asker: confirm.New(asked), links: links, cores: map[string]string{}, clocks: map[string]*clock{},
		told: recent.Map[string, struct{}]{Limit: len(links), Keep: toldAgainAfter}}
}

// watched reports whether the switch has a watch link.
func (s *switches) watched(name string) bool { return s.links[name] != nil }

// nameOf is the name of the switch with this Core-UUID; "" if it is not known. If
// there is only one switch, it is that one, even before its watch link is up.
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

// clock is the difference between a FreeSWITCH's clock and ours. An event waits up
// to 20 ms in FreeSWITCH before it is sent, so the fastest event shows the
// difference best.
type clock struct {
	ahead time.Duration // our time minus its time, including the way of the fastest event
	known bool
}

// maxJump is more than any event can be late. A larger difference means that a clock
// was set.
const maxJump = 5 * time.Second

// observe takes the time at which an event was made, by FreeSWITCH's clock, and the
// time at which it came, by ours.
func (k *clock) observe(made, came time.Time) {
	late := came.Sub(made)
	switch {
	case !k.known, late < k.ahead, late > k.ahead+maxJump:
		k.ahead, k.known = late, true
	default: // clocks drift: the fastest event counts less with each further event
		k.ahead += (late - k.ahead) / 4096
	}
}

// compare learns the difference of the clocks from an event of a switch.
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

// when is the time of an event by our clock; now if the event has no time.
func (s *switches) when(switchName string, ev channelData, now time.Time) time.Time {
	made, ok := madeAt(ev)
	if !ok {
		return now
	}
	return s.ours(switchName, made, now)
}

// ours converts a switch's time to our clock. It returns now if no event has been
// compared yet.
func (s *switches) ours(switchName string, made, now time.Time) time.Time {
	if k := s.clocks[switchName]; k != nil {
		return made.Add(k.ahead)
	}
	return now
}

// madeAt is the time at which FreeSWITCH made an event, by its own clock.
func madeAt(ev channelData) (time.Time, bool) {
	us, err := strconv.ParseInt(ev.Get("Event-Date-Timestamp"), 10, 64)
	return time.UnixMicro(us), err == nil && us > 0
}
