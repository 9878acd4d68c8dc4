package e2e

import (
	"strings"
	"time"
)

const (
	manyDigits = 20
	leastExtra = 300 * time.Millisecond // of sound that FreeSWITCH writes too much for them
)

// recordedDigits: alice, whose leg is recorded, presses twenty digits, as in a menu
// or for a card number. FreeSWITCH writes frames too many for them, because baresip sends
// its voice beside them: before a pause, in it and after it. The sidecar follows the
// file, as listenPart asserts.
func recordedDigits(c *vanillaTalk) {
	c.do(c.alice.Call(c.ctx, c.bob.Extension))
	at := c.ringing(c.bob)
	c.do(at.Answer(c.ctx))
	call, err := c.alice.Answered(c.ctx)
	c.do(err)
	anchor, leg := c.legOf(call), c.legOf(at)
	pressed := 0
	press := func() {
		c.do(call.Press(c.ctx, strings.Repeat("5", manyDigits)))
		pressed += manyDigits
		c.do(c.suite.lab.Pressed(c.ctx, anchor, pressed))
	}
	c.speak(speech)
	press()
	c.speak(speech)
	first := c.pause(at, anchor, leg)
	c.speak(speech)
	from := c.codeFor(at, "paused", anchor, leg)
	press()
	c.speak(speech)
	second := period{from, c.codeFor(at, "on", anchor, leg)}
	press()
	c.speak(speech)
	c.do(call.HangUp(c.ctx))

	r := c.listenPart(c.onlyFile(anchor, leg))
	extra := r.Length - r.ended.Sub(r.began)
	c.Logf("%d digits: the file is %v longer than its call; pauses %v", pressed, extra, r.about.pauses())
	if extra < leastExtra {
		c.Errorf("the file is %v longer than its call, less than %v: this shows nothing", extra, leastExtra)
	}
	if late := r.about.File.Began.Sub(r.began); late.Abs() > spanSlip {
		c.Errorf("the sidecar says that the file began %v after RECORD_START", late)
	}
	if found := r.about.made(); len(found) != 2 {
		c.Errorf("the sidecar has the pauses %v, want two: one that began at %v, and one at %v", found, first.from, second.from)
	}
}
