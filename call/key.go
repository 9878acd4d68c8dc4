package call

import (
	"cmp"
	"path"
	"strconv"
	"strings"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// A phone's Record key is a SIP INFO that mod_sofia answers by itself: `on`
// starts a recording of the phone's own leg, to the path that the profile's
// record-path and record-template give, `off` stops it (sofia.c,
// sofia_handle_sip_i_info). Those recordings are only markers: they are silent,
// and FreeSWITCH throws them away because they are shorter than RECORD_MIN_SEC.
// What FreeSWITCH holds back of their audio (RECORD_PRE_BUFFER_FRAMES, 500 ms) is
// longer than a mask takes, so that next to nothing of the talk gets into one.
//
// A marker runs on each phone exactly while the call is being recorded. So both
// keys always say something: `on` starts one, `off` stops one; and a key that
// asks for what is already so does neither.
const (
	markerPrefix = "tapedeck-key-"
	markerMinSec = "86400"
)

// isMarker tells a marker by its name.
func isMarker(file string) bool { return strings.HasPrefix(path.Base(file), markerPrefix) }

// marker is where a phone's marker lies: what the profile makes of
// freeswitch-conf's record-path and record-template.
func (d *Desk) marker(uuid string) string {
	return path.Join(d.cfg.Recordings.String(), ".keys", markerPrefix+uuid+".wav")
}

// markerSerial names a marker that we started, among those of its leg; it comes
// back on the marker's events. One without was started by the key.
const markerSerial = "tapedeck_marker"

// anySerial is the serial of a marker that was found running: another Tapedeck, or
// the key, may have started it.
const anySerial = "*"

// keyOn takes RECORD_START of a marker: unless it is ours, somebody pressed the
// key.
func (d *Desk) keyOn(uuid, file string, ev *esl.Event) {
	l, c := d.legs[uuid], d.callOn(uuid)
	if l == nil || ev.Get("Recording-Variable-"+markerSerial) != "" {
		return
	}
	if c == nil && l.call != "" && !d.cfg.Store.Alone() { // its call is another instance's
		return
	}
	if c == nil { // a phone that is on no call of ours: what it started must not go on
		d.cfg.Log.Warn("record key pressed on a leg of no call: stopped", "leg", uuid)
		d.sendTo(l.on, []esl.Command{esl.Record(uuid, esl.RecordStop, file)}, func([]esl.Reply, error) {})
		return
	}
	if l.marker != "" && l.marker != file { // the profile's template is not ours: the key's own takes its place
		d.mark(c, esl.Record(uuid, esl.RecordStop, l.marker))
	}
	l.marker, l.serial = file, ""
	d.mark(c, esl.Record(uuid, esl.RecordMask, file))
	d.pressedOn(uuid, toggle.RecordKey, toggle.TurnOn)
	d.keepKeys(c)
}

// keyOff takes RECORD_STOP of a marker: if it is the one that is to run, and the
// leg has not hung up, somebody pressed the key.
func (d *Desk) keyOff(uuid string, ev *esl.Event) {
	l := d.legs[uuid]
	if l == nil || l.marker == "" || l.serial != anySerial && l.serial != ev.Get("Recording-Variable-"+markerSerial) {
		return
	}
	l.marker = ""
	if !hasHungUp(ev) {
		d.pressedOn(uuid, toggle.RecordKey, toggle.TurnOff)
		d.keepKeys(d.callOn(uuid))
	}
}

// keepKeys starts and stops markers, so that they run on the call's phones
// exactly while it is being recorded.
func (d *Desk) keepKeys(c *call) {
	if c == nil || !c.org.OnDemand.RecordKey || c.rec.Pending != toggle.None {
		return
	}
	for _, uuid := range d.phones(c) {
		l, on := d.legs[uuid], c.rec.Status() == toggle.On && !c.rec.Gone
		switch file := d.marker(uuid); {
		case on && l.marker == "":
			d.serials++
			l.marker, l.serial = file, d.cfg.Store.Instance()+"-"+strconv.Itoa(d.serials)
			d.mark(c, esl.SetVar(uuid, "sofia_record_file", file),
				esl.Record(uuid, esl.RecordStart, file, esl.RecordVar{Name: "RECORD_MIN_SEC", Value: markerMinSec},
					esl.RecordVar{Name: markerSerial, Value: l.serial}),
				esl.Record(uuid, esl.RecordMask, file))
		case !on && l.marker != "":
			d.mark(c, esl.Record(uuid, esl.RecordStop, l.marker))
			l.marker = ""
		}
	}
}

// phones are the legs on a call whose keys count.
func (d *Desk) phones(c *call) []string {
	var phones []string
	for _, uuid := range []string{c.anchor, c.peer} {
		if d.legs[uuid].is(c.org.ID) && (uuid != c.anchor || c.direction == flow.Internal) {
			phones = append(phones, uuid)
		}
	}
	return phones
}

// catchUpKeys finds out how the phones' markers stand, after events were missed or
// the call was taken over. keepKeys does the rest.
func (d *Desk) catchUpKeys(c *call, now scene) {
	if !c.org.OnDemand.RecordKey {
		return
	}
	for _, uuid := range d.phones(c) {
		l := d.legs[uuid]
		had, file := l.marker, cmp.Or(l.marker, d.marker(uuid))
		runs, known := now.runs(uuid, file)
		if now.dumps[uuid] == nil || !known {
			continue
		}
		switch l.marker = ""; {
		case runs && c.rec.Wanted():
			l.marker, l.serial = file, anySerial
			d.mark(c, esl.Record(uuid, esl.RecordMask, file))
		case runs, had != "": // its start may be on its way
			d.mark(c, esl.Record(uuid, esl.RecordStop, file))
		}
		if c.keyMissed(runs, now.dumps[uuid].Variable("tapedeck_state")) {
			d.missed(c, press{method: toggle.RecordKey, leg: uuid, user: c.userOn(l)})
		}
	}
}

// keyMissed reports whether a phone's key was pressed while nobody listened: its
// marker is not as it was when the phone was told how the recording stands, and that
// is still what is wanted.
func (c *call) keyMissed(runs bool, told string) bool {
	switch toggle.Status(told) {
	case toggle.On:
		return !runs && c.rec.Wish() == toggle.Speech
	case toggle.Off, toggle.Paused:
		return runs && !c.rec.Wanted()
	}
	return false
}

// mark sends what concerns a marker; a phone that is gone needs nothing, and one
// without a marker needs none stopped.
func (d *Desk) mark(c *call, commands ...esl.Command) {
	d.overLink(c, commands, func(replies []esl.Reply, err error) {
		for _, r := range replies {
			if what := refusal(toggle.Stop, r.Text()); err == nil && what != toggle.HungUp && what != toggle.Missing {
				err = r.Err()
			}
		}
		if err != nil {
			c.log.Warn("record key: marker not set", "error", err)
		}
	})
}
