package e2e

import (
	"time"

	"tapedeck/e2e/lab"
)

// lanes are the scenarios on the sample configuration. Its ring groups are sales (1000
// to 1004), billing (1005 to 1009) and support (1010 to 1014).
func lanes() []lane {
	return []lane{
		{1015, []vanillaScenario{
			{"a user answers", plain},
			{"hold, and a blind transfer", holdAndTransfer},
		}},
	}
}

func plain(c *vanillaTalk) {
	outside, call := c.answeredBy(c.alice)
	anchor, leg := c.leg(outside), c.legOf(call)
	before := c.speak(speech)
	pause := c.pause(call, anchor)
	after := c.speak(speech)
	c.do(outside.HangUp(c.ctx))
	r := c.listen(c.onlyFile(anchor, leg))
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Alice))
}

// holdBegins is longer than FreeSWITCH takes to begin the music of a hold.
const holdBegins = 500 * time.Millisecond

// holdAndTransfer: alice puts the outside party on hold, talks again, and transfers it
// to bob.
func holdAndTransfer(c *vanillaTalk) {
	outside, call := c.answeredBy(c.alice)
	anchor, leg := c.leg(outside), c.legOf(call)
	first := c.speak(speech)
	c.do(call.Hold(c.ctx))
	c.speak(holdBegins)
	held := c.speak(speech)
	c.do(call.Resume(c.ctx))
	second := c.speak(speech)
	pause := c.pause(call, anchor)
	c.do(call.Transfer(c.ctx, c.bob.Extension))
	next := c.ringing(c.bob)
	c.do(next.Answer(c.ctx))
	c.bridged(anchor, c.legOf(next))
	withBob := c.speak(speech)
	again := c.pause(next, anchor)
	last := c.speak(speech)
	c.do(outside.HangUp(c.ctx))
	r := c.listen(c.onlyFile(anchor, leg, c.legOf(next)))
	r.heard(first, only(lab.Outside), only(lab.Alice))
	r.heard(held, only(lab.Outside), only(lab.App))
	r.heard(second, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause, again)
	r.heard(withBob, only(lab.Outside), only(lab.Bob))
	r.heard(last, only(lab.Outside), only(lab.Bob))
}
