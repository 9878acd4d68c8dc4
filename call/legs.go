package call

import (
	"maps"
	"strconv"
	"time"
)

// leg is one channel of a FreeSWITCH.
type leg struct {
	uuid       string
	switchName string // the switch that has it; "" if no watch link has said so yet
	core       string // UUID of its FreeSWITCH; "" if the watch link told of the leg
	call       string // the call that it was made for or entered; "" if none
	user       user   // whose phone it is
	begun      int    // how many calls began on it
	answered   bool
	dialled    bool   // FreeSWITCH dialled it (Call-Direction: outbound)
	rate       int    // sampling rate of what it hears, in Hz; 0 until it is known
	marker     marker // of the Record key
	prompt     string // file of the prompt that it was played last; "" if none
	peer       string // the leg that it is bridged with; "" if none
}

// user is the user whose phone a leg is; the zero value is nobody's.
type user struct {
	org    string // id of the organisation
	id     string
	domain string // SIP domain of the leg
}

// is reports whether the leg is the phone of a user of this organisation. A nil
// leg is nobody's.
func (l *leg) is(org string) bool { return l != nil && l.user.id != "" && l.user.org == org }

// legs are the legs that are known, and those that hung up a short while ago.
type legs struct {
	all  map[string]*leg
	gone map[string]time.Time
}

func newLegs() *legs { return &legs{all: map[string]*leg{}, gone: map[string]time.Time{}} }

// get is a leg; nil if it is not known.
func (ls *legs) get(uuid string) *leg { return ls.all[uuid] }

// reportLatePress reports whether the leg has hung up already.
func (ls *legs) hasGone(uuid string) bool { _, gone := ls.gone[uuid]; return gone }

// isNew reports whether a leg that is heard of now is one that nothing is known of.
func (ls *legs) isNew(uuid string) bool { return !ls.hasGone(uuid) && ls.all[uuid] == nil }

// add makes a leg known.
func (ls *legs) add(l *leg) *leg {
	ls.all[l.uuid] = l
	return l
}

// hangUp forgets a leg, and remembers for a while that it is gone.
func (ls *legs) hangUp(uuid string, now time.Time) {
	delete(ls.all, uuid)
	ls.gone[uuid] = now
}

// forgetGone forgets the legs that nothing can be heard of any more.
func (ls *legs) forgetGone(now time.Time) {
	maps.DeleteFunc(ls.gone, func(_ string, at time.Time) bool { return now.Sub(at) > sweepEvery })
}

// bridge notes with whom a leg talks.
func (ls *legs) bridge(uuid, peer string) {
	if l := ls.all[uuid]; l != nil {
		l.peer = peer
	}
}

// unbridge notes that a leg does not talk with that one any more.
func (ls *legs) unbridge(uuid, peer string) {
	if l := ls.all[uuid]; l != nil && l.peer == peer {
		l.peer = ""
	}
}

// learnRate takes the sampling rate at which a leg hears.
func (ls *legs) learnRate(uuid string, data channelData) {
	if rate, err := strconv.Atoi(data.Get("Channel-Write-Codec-Rate")); err == nil && ls.all[uuid] != nil {
		ls.all[uuid].rate = rate
	}
}
