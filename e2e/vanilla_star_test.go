package e2e

import (
	"os"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// boundCode: the sample's Local_Extension takes every code that begins with * from the
// called user (bind_meta_app), and *1 starts its own transfer. It is the code of the
// organisation here, so Tapedeck frees it.
func boundCode(c *vanillaTalk) {
	c.code = code
	plain(c)
}

// groupSaysNo: the number of the sample's ring group support says yes, and bob, who
// answers, says no. That he has answered is known, though the group names nobody, and
// nothing of the talk is left.
func groupSaysNo(c *vanillaTalk) {
	outside := c.callIn("2001")
	call, ringing := c.ringing(c.bob), c.ringing(c.alice)
	c.do(call.Answer(c.ctx))
	c.do(outside.Talking(c.ctx))
	anchor, leg := c.leg(outside), c.legOf(call)
	c.bridged(anchor, leg)
	c.speak(speech)
	c.told("off", anchor, leg)
	c.do(outside.HangUp(c.ctx))
	for _, l := range []string{anchor, leg, c.legOf(ringing)} {
		c.hungUp(l)
	}
	for _, e := range c.suite.lab.Switch.EventsSince(c.firstEvent, lab.Is("RECORD_START", anchor)) {
		path := e.Get("Record-File-Path")
		if !testkit.Happens(describedIn, func() bool { _, err := os.Stat(path); return os.IsNotExist(err) }) {
			r := c.listenPart(path)
			c.Errorf("the talk of a user who says no is left: %s", r.Sound)
		}
	}
}
