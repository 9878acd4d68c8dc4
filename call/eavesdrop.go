package call

import (
	"maps"
	"slices"
	"strings"
	"time"

	"tapedeck/call/survey"
	"tapedeck/esl"
)

// A user may listen to somebody else's talk: the applications eavesdrop and three_way
// put a media bug on one of its legs. He hears both parties, and one or both of them
// hear him, at once or after a key that FreeSWITCH does not report. So he is in that
// talk (docs/design.md, section 12, rule 17): his own call is part of it, his leg has its
// state, and his code acts on its recording. His setting does not count.

// eavesdropping knows who listens to a talk.
type eavesdropping struct{ ctl *Controller }

// eavesdropBug is FreeSWITCH's name for the media bug. It is on the leg that is listened
// to, and does not say who listens (switch_ivr_async.c, switch_ivr_eavesdrop_session).
const eavesdropBug = "eavesdrop"

// event takes a media bug that was put on a leg or taken off it.
func (e eavesdropping) event(uuid string, ev *esl.Event, now time.Time) {
	switch {
	case ev.Get("Media-Bug-Function") != eavesdropBug:
	case ev.Name() == "MEDIA_BUG_START":
		e.began(uuid, now)
	case len(e.ctl.legs.listenersAt(uuid)) > 0:
		e.ended(uuid, now)
	}
}

// began asks which user listens to a leg. It is one who has answered, or was answered,
// and talks to nobody. His leg runs an application with the other leg's UUID.
func (e eavesdropping) began(target string, now time.Time) {
	c := e.ctl.callOn(target)
	if c == nil {
		return
	}
	for uuid, l := range e.ctl.legs.all {
		if uuid == target || !l.is(c.route.org.ID) || !l.answered || l.peer != "" || l.at.room != "" || e.ctl.legs.listening[uuid] != "" {
			continue
		}
		ask := []esl.Command{esl.API("uuid_getvar", uuid, "current_application_data")}
		c.line.send(ask, func(replies []esl.Reply, err error, now time.Time) {
			if err == nil && replies[0].Text() == target {
				e.join(uuid, target, now)
			}
		}, now)
	}
}

// join notes that a user's leg listens to a leg. A call of his own dissolves into that
// leg's call; its leg has the code bound. A leg without one cannot press the code: while
// it listens, it executes nothing else, and its key * ends the listening.
func (e eavesdropping) join(uuid, target string, now time.Time) {
	ctl := e.ctl
	c, l := ctl.callOn(target), ctl.legs.get(uuid)
	if c == nil || !l.is(c.route.org.ID) || l.peer != "" {
		return
	}
	if own := (talks{ctl}).heldBy(uuid); own != nil {
		if !own.asMet().givesWayTo(c.asMet()) {
			return
		}
		c.talk.joinedBy(uuid, own.id, now)
		own.talk.dissolve(c.id, c.route.anchor, c, now)
	}
	ctl.legs.listening[uuid] = target
	c.followUp(now)
}

// ended asks whether anybody still listens to a leg. If somebody does, nobody knows which
// of several has ended: whoever it was is told so when his leg hangs up or goes on.
func (e eavesdropping) ended(target string, now time.Time) {
	l := e.ctl.legs.get(target)
	if l == nil {
		return
	}
	ask := []esl.Command{esl.API("uuid_buglist", target)}
	e.ctl.send(l.switchName, ask, func(replies []esl.Reply, err error, now time.Time) {
		if err != nil || strings.Contains(replies[0].Text(), "<function>"+eavesdropBug+"</function>") {
			return
		}
		for _, uuid := range e.ctl.legs.listenersAt(target) {
			e.end(uuid, now)
		}
	}, now)
}

// end notes that a leg does not listen any more.
func (e eavesdropping) end(uuid string, now time.Time) {
	ctl := e.ctl
	if ctl.legs.listening[uuid] == "" {
		return
	}
	c := e.callOf(uuid)
	delete(ctl.legs.listening, uuid)
	if l := ctl.legs.get(uuid); c != nil && l != nil && l.marker.file != "" {
		c.sendMarker(now, esl.Record(uuid, esl.RecordStop, l.marker.file))
		l.marker.file = ""
	}
	if c != nil {
		c.publish(now)
	}
	rooms{ctl}.tellOff(uuid, now)
}

// hungUp takes the end of a leg: it does not listen any more, and nobody listens to it.
func (e eavesdropping) hungUp(uuid string, now time.Time) {
	for _, at := range e.ctl.legs.listenersAt(uuid) {
		e.end(at, now)
	}
	delete(e.ctl.legs.listening, uuid)
}

// callOf is the live call to which a leg listens; nil if there is none.
func (e eavesdropping) callOf(uuid string) *call {
	target := e.ctl.legs.listening[uuid]
	if c := e.ctl.callAnchored(target); c != nil {
		return c
	}
	if l := e.ctl.legs.get(target); l != nil {
		return e.ctl.callAnchored(l.peer)
	}
	return nil
}

// refresh takes from a survey who listens: a listener's leg says so until its phone has
// pressed the code, which is an application, too.
func (e eavesdropping) refresh(s survey.Survey, now time.Time) {
	for _, uuid := range slices.Sorted(maps.Keys(s.Data)) {
		app, target := s.Variable(uuid, "current_application"), s.Variable(uuid, "current_application_data")
		if (app == "eavesdrop" || app == "three_way") && s.Live.Has(target) && e.ctl.legs.listening[uuid] == "" {
			e.join(uuid, target, now)
		}
	}
}

// listenersAt are the legs that listen to one of these legs, in order.
func (ls *legs) listenersAt(targets ...string) (listeners []string) {
	for uuid, target := range ls.listening {
		if slices.Contains(targets, target) {
			listeners = append(listeners, uuid)
		}
	}
	slices.Sort(listeners)
	return listeners
}

// listeners are the legs that listen to the talk of the anchor.
func (r *route) listeners() []string {
	if len(r.legs.listening) == 0 {
		return nil
	}
	return slices.DeleteFunc(r.legs.listenersAt(r.anchor, r.peer), func(uuid string) bool { return r.legs.get(uuid) == nil })
}
