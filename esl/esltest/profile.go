package esltest

import "time"

// profile is a caller profile, as FreeSWITCH calls it: who calls whom on a leg.
type profile struct {
	direction      string
	username       string
	callerName     string
	callerNumber   string
	originalName   string
	originalNumber string
	calleeName     string
	calleeNumber   string
	address        string
	ani            string
	destination    string
	uuid           string
	transferSource string
	context        string
	rdnis          string
	channelName    string
	index          string
	times          times
}

type times struct {
	profileCreated, created, answered, progress, progressMedia, hangup, bridged, lastHold time.Time
}

// write adds the profile's headers under a prefix: Channel, Caller, Other-Leg
// (switch_caller.c, switch_caller_profile_event_set_data).
func (p *profile) write(e *event, prefix string) {
	prefix += "-"
	e.add(prefix+"Direction", p.direction)
	logical := "inbound"
	if prefix != "Other-Leg-" {
		logical = p.direction
	}
	e.add(prefix+"Logical-Direction", logical)
	e.addIf(prefix+"Username", p.username)
	e.add(prefix+"Dialplan", "XML")
	if p.callerName != "" {
		e.add(prefix+"Caller-ID-Name", p.callerName)
	}
	e.addIf(prefix+"Caller-ID-Number", p.callerNumber)
	e.addIf(prefix+"Orig-Caller-ID-Name", p.originalName)
	e.addIf(prefix+"Orig-Caller-ID-Number", p.originalNumber)
	e.addIf(prefix+"Callee-ID-Name", p.calleeName)
	e.addIf(prefix+"Callee-ID-Number", p.calleeNumber)
	e.addIf(prefix+"Network-Addr", p.address)
	e.addIf(prefix+"ANI", p.ani)
	e.addIf(prefix+"Destination-Number", p.destination)
	e.add(prefix+"Unique-ID", p.uuid)
	e.add(prefix+"Source", "mod_sofia")
	e.addIf(prefix+"Transfer-Source", p.transferSource)
	e.addIf(prefix+"Context", p.context)
	e.addIf(prefix+"RDNIS", p.rdnis)
	e.add(prefix+"Channel-Name", p.channelName)
	e.addIf(prefix+"Profile-Index", p.index)
	e.add(prefix+"Profile-Created-Time", stamp(p.times.profileCreated))
	e.add(prefix+"Channel-Created-Time", stamp(p.times.created))
	e.add(prefix+"Channel-Answered-Time", stamp(p.times.answered))
	e.add(prefix+"Channel-Progress-Time", stamp(p.times.progress))
	e.add(prefix+"Channel-Progress-Media-Time", stamp(p.times.progressMedia))
	e.add(prefix+"Channel-Hangup-Time", stamp(p.times.hangup))
	e.add(prefix+"Channel-Transfer-Time", "0")
	e.add(prefix+"Channel-Resurrect-Time", "0")
	e.add(prefix+"Channel-Bridged-Time", stamp(p.times.bridged))
	e.add(prefix+"Channel-Last-Hold", stamp(p.times.lastHold))
	e.add(prefix+"Channel-Hold-Accum", "0")
	e.add(prefix+"Screen-Bit", "true")
	e.add(prefix+"Privacy-Hide-Name", "false")
	e.add(prefix+"Privacy-Hide-Number", "false")
}

// asOriginator is the copy that a dialled leg keeps of the leg that dialled it. It
// has no times.
func (p profile) asOriginator() *profile {
	p.times, p.index, p.transferSource = times{}, "", ""
	return &p
}

// asOriginatee is the copy that a leg keeps of the leg that it talks to.
func (p profile) asOriginatee() *profile {
	p.index, p.transferSource = "", ""
	return &p
}
