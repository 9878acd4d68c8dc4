package call

import (
	"strconv"
	"time"

	"tapedeck/call/keyfile"
	"tapedeck/esl"
	"tapedeck/toggle"
)

// A phone's Record key sends a SIP INFO, which mod_sofia handles by itself: `on` starts
// a recording of the phone's own leg, to the path that the profile's record-path and
// record-template give, `off` stops it (sofia.c, sofia_handle_sip_i_info). Those
// recordings are only markers: they are masked, and their files are removed
// (package keyfile). FreeSWITCH holds back 500 ms of their audio but for the first packet
// (RECORD_PRE_BUFFER_FRAMES; switch_core_media_bug.c, switch_core_media_bug_read). A
// mask takes effect sooner, so one packet of the talk gets into a marker at most. On
// the leg no variable is set that a recording reads: it would count for everybody's
// recordings of that leg.
//
// A marker runs on each phone exactly while the call is being recorded. So a key
// that asks for a change makes an event: `on` starts a marker, `off` stops it. A key
// that asks for the present state makes none.

// markerMinSec is RECORD_MIN_SEC of the markers that we start, in seconds: FreeSWITCH
// deletes a shorter file by itself, even if Tapedeck has ended meanwhile.
const markerMinSec = "86400"

// marker is the marker that runs on a leg; the zero value is none.
type marker struct {
	file   string
	serial string // "" if the key started it, anySerial if it is not known who did
}

// markerFile is the path of a phone's marker.
func (ctl *Controller) markerFile(uuid string) string {
	return keyfile.Of(ctl.cfg.Recordings.String(), uuid)
}

// markerSerial is the recording variable that numbers the markers that we start. It
// comes back on the marker's events; a marker without it was started by the key.
const markerSerial = "tapedeck_marker"

// anySerial is the serial of a marker that was found running: another Tapedeck or
// the key has started it.
const anySerial = "*"

// markerStarted takes RECORD_START of a marker. Unless we started it, somebody
// pressed the key.
func (ctl *Controller) markerStarted(uuid, file string, ev *esl.Event, now time.Time) {
	l, c := ctl.legs.get(uuid), ctl.callOn(uuid)
	isKeys := ev.Get("Recording-Variable-"+markerSerial) == ""
	switch {
	case l == nil:
		return
	case c == nil && !ctl.cfg.Calls.Alone() && (l.call != "" || !isKeys): // another instance has its call; the leg may come to one of ours with its marker
		l.marker = marker{file, anySerial}
		return
	case !isKeys:
		return
	}
	if c == nil { // a phone on no call of ours: its recording must not go on
		ctl.cfg.Log.Warn("record key pressed on a leg of no call: what it started is stopped", "leg", uuid)
		ctl.send(l.switchName, []esl.Command{esl.Record(uuid, esl.RecordStop, file)}, ignored, now)
		return
	}
	if l.marker.file != "" && l.marker.file != file { // the profile has another template: the key's own marker replaces ours
		c.sendMarker(now, esl.Record(uuid, esl.RecordStop, l.marker.file))
	}
	l.marker = marker{file: file}
	c.sendMarker(now, esl.Record(uuid, esl.RecordMask, file))
	ctl.pressedOn(uuid, toggle.RecordKey, toggle.TurnOn, now)
	c.keepMarkers(now)
}

// markerStopped takes RECORD_STOP of a marker. If it is the current marker, and the
// leg has not hung up, somebody pressed the key.
func (ctl *Controller) markerStopped(uuid string, ev *esl.Event, now time.Time) {
	l := ctl.legs.get(uuid)
	if l == nil || l.marker.file == "" || l.marker.serial != anySerial && l.marker.serial != ev.Get("Recording-Variable-"+markerSerial) {
		return
	}
	l.marker.file = ""
	if ctl.callOn(uuid) == nil && !ctl.cfg.Calls.Alone() { // another instance has its call
		return
	}
	if !hasHungUp(ev) {
		ctl.pressedOn(uuid, toggle.RecordKey, toggle.TurnOff, now)
		if c := ctl.callOn(uuid); c != nil {
			c.keepMarkers(now)
		}
	}
}

// keepMarkers starts and stops markers, so that one runs on each phone exactly while
// the call is being recorded. While it asks whether it meets another instance's call, the
// phones may be that call's by now: its owner would take the end of a marker for a press.
func (c *call) keepMarkers(now time.Time) {
	if !c.route.org.OnDemand.RecordKey || c.rec.Pending != toggle.None || c.talk.asks != "" {
		return
	}
	for _, uuid := range c.route.keyPhones() {
		l, on := c.ctl.legs.get(uuid), rooms{c.ctl}.status(c, c.route.org.ID) == toggle.On && !c.rec.Gone
		switch file := c.ctl.markerFile(uuid); {
		case on && l.marker.file == "":
			l.marker = marker{file, c.ctl.cfg.Calls.Instance() + "-" + strconv.FormatInt(c.ctl.serial(), 10)}
			c.sendMarker(now, esl.SetVar(uuid, "sofia_record_file", file),
				esl.Record(uuid, esl.RecordStart, file, esl.RecordVar{Name: "RECORD_MIN_SEC", Value: markerMinSec},
					esl.RecordVar{Name: markerSerial, Value: l.marker.serial}),
				esl.Record(uuid, esl.RecordMask, file))
		case !on && l.marker.file != "":
			c.sendMarker(now, esl.Record(uuid, esl.RecordStop, l.marker.file))
			l.marker.file = ""
		}
	}
}

// sendMarker sends commands about a marker. It is no failure if the phone has hung
// up or the marker has stopped already.
func (c *call) sendMarker(now time.Time, commands ...esl.Command) {
	c.line.send(commands, func(replies []esl.Reply, err error, _ time.Time) {
		c.absence.keyUnsure = c.absence.keyUnsure || err != nil
		for _, r := range replies {
			if what := refusal(toggle.Stop, r.Text()); err == nil && what != toggle.HungUp && what != toggle.Missing {
				err = r.Err()
			}
		}
		if err != nil {
			c.log.Warn("record key: marker not set", "error", err)
		}
	}, now)
}
