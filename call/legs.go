package call

import "strconv"

// leg is one channel of a FreeSWITCH.
type leg struct {
	uuid     string
	on       string // the switch that has it; "" if no watch link has said so yet
	core     string // UUID of its FreeSWITCH; "" if the watch link told of the leg
	call     string // the call that it was made for or entered; "" if none
	org      string // organisation of its user; "" if it is nobody's phone
	user     string // id of its user; "" if it is nobody's phone
	domain   string // SIP domain of its user
	files    int    // how many calls began on it
	answered bool
	dialed   bool   // FreeSWITCH dialled it (Call-Direction: outbound)
	rate     int    // sampling rate of what it hears; 0 until it is known
	marker   string // file of the record key's marker that runs on it; "" if none
	serial   string // of that marker; "" if the key started it, anySerial if that is not known
	prompt   string // file of the prompt that it was played last; "" if none
	peer     string // the leg that it is bridged with; "" if none
}

// is reports whether the leg is the phone of a user of this organisation.
func (l *leg) is(org string) bool { return l != nil && l.user != "" && l.org == org }

// learnRate takes the sampling rate at which a leg hears.
func (d *Desk) learnRate(uuid string, ev headers) {
	if rate, err := strconv.Atoi(ev.Get("Channel-Write-Codec-Rate")); err == nil && d.legs[uuid] != nil {
		d.legs[uuid].rate = rate
	}
}
