package call

import (
	"maps"
	"strconv"
	"time"

	"tapedeck/call/who"
)

// leg is one channel of a FreeSWITCH.
type leg struct {
	uuid       string
	switchName string   // name of the switch that has it; "" if it is not known yet
	core       string   // UUID of its FreeSWITCH (Core-UUID); "" if the watch link reported the leg
	call       string   // id of the call that it belongs to; "" if none
	user       who.User // whose phone it is
	begun      int      // how many calls have begun on it
	answered   bool
	origin
	rate    int    // sampling rate of what it hears, in Hz; 0 until it is known
	marker  marker // the marker of its Record key
	heard   heard
	peer    string // the leg that it is bridged with; "" if none
	at      place
	lookup  lookup // of the user of a dialled leg
	spelled spelling
}

// origin is how a leg came into being.
type origin struct {
	dialled bool   // FreeSWITCH dialled it (Call-Direction: outbound)
	dialler string // for this leg; "" if for none
}

func originOf(data channelData) origin {
	return origin{who.IsDialled(data), data.Variable("originator")}
}

// peerOf is the leg that a leg is bridged with; "" if none.
func (ls *legs) peerOf(uuid string) string {
	if l := ls.get(uuid); l != nil {
		return l.peer
	}
	return ""
}

// heard is what a leg has heard of us.
type heard struct {
	file string // of the prompt that was played last; "" if none
	off  bool   // "Recorded" was the last that it was told of the recording
	lost lostPrompt
}

// lostPrompt is a prompt that was sent just before the link broke: nobody knows whether the leg
// has heard it.
type lostPrompt struct {
	name string // "" if none is lost
	at   time.Time
}

// place is the conference room in which a leg is (room.go), and since when.
type place struct {
	room    string // "" if none
	since   time.Time
	untaken bool // no Tapedeck had the leg when it came into a room
}

// is reports whether the leg is the phone of a user of this organisation. A nil leg
// is not.
func (l *leg) is(org string) bool { return l != nil && l.user.ID != "" && l.user.Org == org }

// unsure reports whether it is not known yet whose phone the leg is. A nil leg is
// not known at all.
func (l *leg) unsure() bool { return l == nil || l.lookup.asking }

// legs are the known legs, and the legs that hung up less than sweepEvery ago.
type legs struct {
	all   map[string]*leg
	gone  map[string]time.Time
	rooms map[string]*meeting // by Conference-Unique-ID

	listening map[string]string // by leg: the leg to which it listens (eavesdrop.go)
	talked    map[string]*call  // by user's leg: the call in which it talked last (replaced.go)

	unowned unownedTold
}

func newLegs() *legs {
	ls := &legs{all: map[string]*leg{}, gone: map[string]time.Time{}, rooms: map[string]*meeting{}, listening: map[string]string{}, talked: map[string]*call{}}
	ls.unowned.Limit, ls.unowned.Keep = maxUnowned, toldAgainAfter
	return ls
}

// get returns a leg; nil if it is not known.
func (ls *legs) get(uuid string) *leg { return ls.all[uuid] }

// hasGone reports whether the leg has hung up a short while ago.
func (ls *legs) hasGone(uuid string) bool { _, gone := ls.gone[uuid]; return gone }

// isNew reports whether nothing is known of the leg: it is not live, and has not
// hung up a short while ago.
func (ls *legs) isNew(uuid string) bool { return !ls.hasGone(uuid) && ls.all[uuid] == nil }

// add makes a leg known.
func (ls *legs) add(l *leg) *leg {
	ls.all[l.uuid] = l
	return l
}

// hangUp removes a leg, and remembers for a while that it is gone.
func (ls *legs) hangUp(uuid string, now time.Time) {
	delete(ls.all, uuid)
	delete(ls.talked, uuid)
	ls.gone[uuid] = now
}

// forgetGone forgets the legs whose last events have passed.
func (ls *legs) forgetGone(now time.Time) {
	maps.DeleteFunc(ls.gone, func(_ string, at time.Time) bool { return now.Sub(at) > sweepEvery })
}

// bridge notes that a leg is bridged with its peer.
func (ls *legs) bridge(uuid, peer string) {
	if l := ls.all[uuid]; l != nil {
		l.peer = peer
	}
}

// unbridge notes that a leg is no longer bridged with this peer.
func (ls *legs) unbridge(uuid, peer string) {
	if l := ls.all[uuid]; l != nil && l.peer == peer {
		l.peer = ""
	}
}

// learnRate reads the sampling rate of what a leg hears from its channel data.
func (ls *legs) learnRate(uuid string, data channelData) {
	if rate, err := strconv.Atoi(data.Get("Channel-Write-Codec-Rate")); err == nil && ls.all[uuid] != nil {
		ls.all[uuid].rate = rate
	}
}
