package e2e

import (
	"time"

	"tapedeck/e2e/lab"
)

// allFaults are those of TestFaults. The first one is about organisation 0, whose
// users the sample dialplan's group rings.
func allFaults() []fault {
	var all []fault
	for _, group := range [][]fault{twoDecks(), killed(), cutOff(), lostFiles()} {
		all = append(all, group...)
	}
	return all
}

// adoptedSoon is how long a restarted Tapedeck may take to follow the calls that
// it followed before. Where there could be others, their leases have to run out.
const adoptedSoon = 6 * time.Second

var faultSettings = settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}

// killed are calls during which Tapedeck is killed, and started again.
func killed() []fault {
	return []fault{
		{"tapedeck killed during a pause", faultSettings, needs{}, killedDuringPause},
		{"tapedeck killed during a pause, redis", faultSettings, needs{redis: true}, killedDuringPause},
		{"tapedeck killed, the call ends before it is back", faultSettings, needs{}, killedUntilEnd},
		{"tapedeck killed, the call ends before it is back, redis", faultSettings, needs{redis: true}, killedUntilEnd},
		{"tapedeck killed, *1 before it is back", faultSettings, needs{}, pressedWhileKilled},
	}
}

const adopted = `tapedeck_adopted_calls_total{outcome="adopted"}`

func killedDuringPause(c *crisis) {
	outside, alice := fromOutside(c.talk)
	anchor, deck := c.leg(outside), c.decks[0]
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	before := c.speak(speech)
	pause := stretch{from: c.switches(alice, anchor, "paused")}
	c.speak(speech)
	deck.Kill()
	c.speak(speech)
	c.do(deck.Restart(c.ctx))
	c.says(deck, adoptedSoon, "call taken over", anchor)
	c.speak(speech)
	pause.to = c.switches(alice, anchor, "on")
	after := c.speak(speech)
	c.hangUp(outside, alice)
	r := c.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Alice))
	r.noPrompts()
	r.traced("adopted", "")
	r.traced("pressed", "ok")
	atAlice.prompt("en", "recorded", pause.from)
	atAlice.prompt("en", "is-being-recorded", pause.to)
	atOutside.noPrompt()
	c.measures(deck, adopted, 1)
}

func killedUntilEnd(c *crisis) {
	c.expects = []string{"no stop event"}
	outside, alice := fromOutside(c.talk)
	anchor, deck := c.leg(outside), c.decks[0]
	before := c.speak(speech)
	pause := stretch{from: c.switches(alice, anchor, "paused")}
	c.speak(speech)
	pause.to = c.switches(alice, anchor, "on")
	deck.Kill()
	after := c.speak(2 * speech)
	c.hangUp(outside, alice)
	c.do(deck.Restart(c.ctx))
	r := c.recording()
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Alice))
	if !r.problem("no stop event") || !r.about.Complete {
		c.Errorf("problems %q, complete %v; want no stop event, and complete", r.about.Problems, r.about.Complete)
	}
	c.measures(deck, `tapedeck_adopted_calls_total{outcome="ended"}`, 1)
}

// pressedWhileKilled is a switch that nobody hears when it is made. It is refused
// aloud as soon as there is somebody to do so.
func pressedWhileKilled(c *crisis) {
	outside, alice := fromOutside(c.talk)
	anchor, deck := c.leg(outside), c.decks[0]
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	c.speak(speech)
	deck.Kill()
	c.press(alice)
	c.speak(speech)
	c.do(deck.Restart(c.ctx))
	refused := c.says(deck, adoptedSoon, "press while nobody listened", anchor)
	c.speak(2 * speech)
	pause := stretch{from: c.switches(alice, anchor, "paused")}
	c.speak(speech)
	pause.to = c.switches(alice, anchor, "on")
	c.speak(speech)
	c.hangUp(outside, alice)
	r := c.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.noPrompts()
	r.traced("pressed", "missed")
	atAlice.prompt("en", "not-permitted", refused)
	atAlice.prompt("en", "recorded", pause.from)
	atOutside.noPrompt()
}
