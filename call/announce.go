package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// stateSubclass is the event that tells other programs of a change.
const stateSubclass = "tapedeck::state"

// announced is what programs and lamps were told of a recording.
type announced struct {
	call    *call
	last    announcement // what was told last
	sending bool         // it is on its way
	lamps   lamps
}

// announcement is how a recording stands, and the legs that are told.
type announcement struct {
	status       toggle.Status
	anchor, peer string
}

// send says how the recording stands, when that is confirmed and new: on the
// variable tapedeck_state of both legs, by an event for other programs, and to the
// lamps of the users' phones. One at a time, so that the last one told is the last
// one true.
func (a *announced) send(now time.Time) {
	c := a.call
	is := announcement{c.rec.Status(), c.route.anchor, c.route.peer}
	if a.sending || a.last == is || c.rec.Gone || c.route.anchor == "" || c.rec.Pending != toggle.None {
		return
	}
	if is.status != a.last.status {
		c.trace.add(recording.Note{What: "told", State: string(is.status)}, now)
		c.log.Info("recording is "+string(is.status), "file", c.rec.File.String(), "wish", c.rec.Wish().String())
	}
	a.last, a.sending = is, true
	c.line.send(a.commands(is), func(_ []esl.Reply, err error, now time.Time) {
		a.sending = false
		if err != nil { // what is known of it is in doubt: it is told again with the next news, a new link's at the latest
			a.last = announcement{}
			return
		}
		a.send(now)
	}, now)
}

// commands are what tell sends.
func (a *announced) commands(is announcement) []esl.Command {
	send := []esl.Command{esl.SetVar(is.anchor, "tapedeck_state", string(is.status))}
	if is.peer != "" {
		send = append(send, esl.SetVar(is.peer, "tapedeck_state", string(is.status)))
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

// sendEnd tells programs and lamps that a call is over; its legs are gone.
func (a *announced) sendEnd(now time.Time) {
	send := a.lampCommands()
	if a.last.status == toggle.On || a.last.status == toggle.Paused {
		send = append(send, a.event(announcement{toggle.Off, a.call.route.anchor, ""}))
	}
	if len(send) > 0 {
		a.call.line.send(send, ignored, now)
	}
}
