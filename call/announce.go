package call

import (
	"strings"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// stateSubclass is the subclass of the event that reports each change to other
// programs.
const stateSubclass = "tapedeck::state"

// announced is what was sent last to programs and lamps about a recording.
type announced struct {
	call    *call
	last    announcement // the last announcement that was sent
	sending bool         // the last announcement has no reply yet
	lamps   lamps
}

// announcement is the state of a recording and the legs whose variable shows it. In
// a conference room the variable shows the state of all recordings in it.
type announcement struct {
	status       toggle.Status
	anchor, peer string
	voice        toggle.Status // of the recordings in which the voices of these legs are
	serves       string        // further legs, with spaces between them
}

// send reports the state of the recording when FreeSWITCH has confirmed it and it is
// new: in the variable tapedeck_state of both legs, in an event for other programs,
// and on the lamps of the users' phones. Only one announcement is on its way at a
// time, so the last one that arrives is true.
func (a *announced) send(now time.Time) {
	c := a.call
	is := announcement{c.rec.Status(), c.route.anchor, c.route.peer, rooms{c.ctl}.status(c, ""), strings.Join(c.route.room.serves, " ")}
	if a.sending || a.last == is || c.rec.Gone || c.route.anchor == "" || c.rec.Pending != toggle.None {
		return
	}
	if is.status != a.last.status {
		c.trace.add(recording.Note{What: recording.NoteTold, State: string(is.status)}, now)
		c.log.Info("recording is "+string(is.status), "file", c.rec.File.String(), "wish", c.rec.Wish().String())
	}
	a.last, a.sending = is, true
	c.line.send(a.commands(is), func(_ []esl.Reply, err error, now time.Time) {
		a.sending = false
		if err != nil { // it may not have arrived: the next change sends it again, at the latest a new link
			a.last = announcement{}
			return
		}
		a.send(now)
	}, now)
}

// commands are the commands that send sends.
func (a *announced) commands(is announcement) []esl.Command {
	var send []esl.Command
	for _, leg := range strings.Fields(is.anchor + " " + is.peer + " " + is.serves) {
		send = append(send, esl.SetVar(leg, "tapedeck_state", string(is.voice)))
	}
	return append(append(send, a.event(is)), a.lampCommands()...)
}

// event is the event for other programs.
func (a *announced) event(is announcement) esl.Command {
	c := a.call
	return esl.SendEvent("CUSTOM",
		esl.Header{Name: "Event-Subclass", Value: stateSubclass},
		esl.Header{Name: "Tapedeck-Call", Value: c.id},
		esl.Header{Name: "Tapedeck-Organisation", Value: c.route.org.ID},
		esl.Header{Name: "Tapedeck-State", Value: string(is.status)},
		esl.Header{Name: "Tapedeck-Anchor", Value: is.anchor},
		esl.Header{Name: "Tapedeck-Peer", Value: is.peer},
		esl.Header{Name: "Tapedeck-File", Value: c.files.Last().Path})
}

// sendEnd tells programs and lamps that a call is over. Its legs are gone, so no
// variable is set.
func (a *announced) sendEnd(now time.Time) {
	send := a.lampCommands()
	if a.last.status == toggle.On || a.last.status == toggle.Paused {
		send = append(send, a.event(announcement{status: toggle.Off, anchor: a.call.route.anchor}))
	}
	if len(send) > 0 {
		a.call.line.send(send, ignored, now)
	}
}
