package call

import (
	"strings"
	"time"

	"tapedeck/esl"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// A code may not arrive although the user has pressed it: the dialplan's own keys take
// it, and the user believes that he has paused. Of each digit that a user's leg
// presses FreeSWITCH makes an event, before its keys get it (switch_channel.c,
// switch_channel_dequeue_dtmf). So a code that was pressed and that no toggle event
// follows was swallowed.
//
// Digits may be a card's number. None is kept or logged: all that is kept of a leg is
// how many of the code's digits its last digits are.

// spelling is how far a leg has spelled the code.
type spelling struct {
	digits int       // of the code, in a row
	last   time.Time // when the last of them was pressed
	due    int       // codes that were spelled and whose toggle event has not come yet
}

// betweenDigits is the longest time between two digits of a code, somewhat less than
// that of FreeSWITCH (1.5 s, mod_dptools.c, bind_to_session), so that a code which
// FreeSWITCH rightly does not take is not missed here.
const betweenDigits = 1400 * time.Millisecond

// swallowedAfter is when a code is missed. FreeSWITCH makes the toggle event in the same
// moment as the event of the last digit; the application that has taken the code
// instead runs 1.7 s later (measured, the sample dialplan's transfer).
const swallowedAfter = 2500 * time.Millisecond

// next takes a digit, and reports whether it completes the code. As FreeSWITCH does,
// it begins anew after a digit that does not fit, without looking at that digit again
// (switch_ivr_async.c, switch_ivr_dmachine_feed).
func (s *spelling) next(code, digit string, now time.Time) bool {
	if now.Sub(s.last) > betweenDigits {
		s.digits = 0
	}
	if len(digit) != 1 || s.digits >= len(code) || code[s.digits] != digit[0] {
		s.digits = 0
		return false
	}
	s.digits++
	s.last = now
	if s.digits < len(code) {
		return false
	}
	s.digits = 0
	return true
}

// spellings watches what the legs spell.
type spellings struct{ ctl *Controller }

// pressed takes a digit that a leg has pressed. Only those of a user on a call
// with a code count.
func (sp spellings) pressed(uuid, digit string, now time.Time) {
	ctl := sp.ctl
	l := ctl.legs.get(uuid)
	if l == nil || l.user.ID == "" {
		return
	}
	c := ctl.callOn(uuid)
	if c == nil || !l.is(c.route.org.ID) || !l.spelled.next(c.route.org.OnDemand.DTMF, digit, now) {
		return
	}
	l.spelled.due++
	time.AfterFunc(swallowedAfter, func() { ctl.post(func(now time.Time) { sp.check(c, l, now) }) })
}

// check looks whether a code that was spelled has arrived. If FreeSWITCH has
// noted the code on the leg, its own event is late or was lost with the link.
func (spellings) check(c *call, l *leg, now time.Time) {
	if l.spelled.due == 0 {
		return
	}
	l.spelled.due--
	if !c.isLive() || c.ctl.legs.get(l.uuid) != l {
		return
	}
	ask := []esl.Command{esl.API("uuid_getvar", l.uuid, lastDigits), esl.API("uuid_getvar", l.uuid, "current_application")}
	c.line.send(ask, func(replies []esl.Reply, err error, now time.Time) {
		if err != nil || !c.isLive() || replies[0].Text() == c.route.org.OnDemand.DTMF {
			return
		}
		swallowed(c, l, applicationForLog(replies[1].Value()), now)
	}, now)
}

// swallowed tells the administrator that a code did not arrive.
func swallowed(c *call, l *leg, runs string, now time.Time) {
	c.ctl.cfg.Meter.Toggle(string(toggle.DTMF), recording.ResultSwallowed)
	c.trace.add(recording.Note{What: recording.NotePressed, Method: string(toggle.DTMF), User: c.route.userOn(l.uuid), Result: recording.ResultSwallowed}, now)
	c.log.Warn("a code was pressed and did not arrive: keys of the dialplan took it (bind_meta_app, or bind_digit_action in another realm)",
		"leg", l.uuid, "runs", runs)
	c.publish(now)
}

// applicationForLog is the name of the application that runs on a leg.
func applicationForLog(name string) string {
	if name == "" || strings.HasPrefix(name, "-ERR") || !tidy.IsWord(name) {
		return "-"
	}
	return tidy.Text(name, maxExternal)
}
