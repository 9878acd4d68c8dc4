package e2e

import (
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// listensByExtension: alice, whose setting is yes, hears the sample's echo, and bob, whose
// setting is yes, too, listens to her call (88 and her extension). His own file ends
// when he begins, and his code acts on hers.
func listensByExtension(c *vanillaTalk) {
	call := c.dial(c.alice, "9196")
	anchor := c.legOf(call)
	before := c.speak(speech)
	listener := c.dial(c.bob, "88"+c.alice.Extension)
	his := c.legOf(listener)
	_, err := c.suite.lab.Switch.Wait(c.ctx, "eavesdrop at "+anchor, func(e *esl.Event) bool {
		return lab.Is("MEDIA_BUG_START", anchor)(e) && e.Get("Media-Bug-Function") == "eavesdrop"
	})
	c.do(err)
	c.becomes(his, "tapedeck_call", anchor)
	listened := c.speak(speech)
	pause := c.pause(listener, anchor)
	after := c.speak(speech)
	c.do(listener.HangUp(c.ctx))
	c.hungUp(his)
	c.told("on", anchor)
	c.do(call.HangUp(c.ctx))
	c.hungUp(anchor)

	seen := map[string]bool{}
	for _, e := range c.suite.lab.Switch.EventsSince(c.firstEvent, func(e *esl.Event) bool {
		return e.Name() == "RECORD_START" && (e.Get("Unique-ID") == anchor || e.Get("Unique-ID") == his)
	}) {
		leg := e.Get("Unique-ID")
		if seen[leg] {
			c.Errorf("a leg has a second file: %s", e.Get("Record-File-Path"))
		}
		seen[leg] = true
		r := c.listenPart(e.Get("Record-File-Path"))
		if leg == his {
			if r.Length > near+noise.Between(r.began, r.began.Add(time.Second)) || r.about.otherCall("dissolved") != anchor {
				c.Errorf("bob's own file: %s; trace %+v", r.Sound, r.about.Trace)
			}
			continue
		}
		for _, s := range []period{before, listened, after} {
			r.heard(s, only(lab.Alice), only(lab.Alice))
		}
		r.silentExactly(pause)
	}
	if !seen[anchor] {
		c.Error("alice's call has no file")
	}
}
