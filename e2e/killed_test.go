package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// allFaults are the rows of TestFaults. The first has organisation 0, whose users
// ring in the sample dialplan's group.
func allFaults() []fault {
	var all []fault
	for _, group := range [][]fault{takeovers(), killed(), cutOff(), lostFiles(), admitted()} {
		all = append(all, group...)
	}
	return all
}

// adoptedSoon is how long a restarted Tapedeck may take to adopt the calls that it
// followed before. If there could be other instances, leases have to expire first.
const adoptedSoon = 6 * time.Second

var faultSettings = settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}

// killed are calls during which Tapedeck is killed and started again.
func killed() []fault {
	return []fault{
		{"tapedeck killed during a pause", faultSettings, needs{}, killedDuringPause},
		{"tapedeck killed during a pause, redis", faultSettings, needs{redis: true}, killedDuringPause},
		{"tapedeck killed, the call ends before it is back", faultSettings, needs{}, killedUntilEnd},
		{"tapedeck killed, the call ends before it is back, redis", faultSettings, needs{redis: true}, killedUntilEnd},
		{"tapedeck killed, *1 before it is back", faultSettings, needs{}, pressedWhileKilled},
		{"tapedeck killed during a conference", settings{numbers: map[int]string{lab.ToRoom: "yes"}, onDemand: digits}, needs{}, killedInRoom},
	}
}

const adopted = `tapedeck_adopted_calls_total{outcome="adopted"}`

func killedDuringPause(c *faultTalk) {
	outside, alice := fromOutside(c.talk)
	anchor, instance := c.leg(outside), c.instances[0]
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	before := c.speak(speech)
	pause := period{from: c.pressFor(alice, anchor, "paused")}
	c.speak(speech)
	instance.Kill()
	c.speak(speech)
	c.do(instance.Restart(c.ctx))
	c.awaitLog(instance, adoptedSoon, "call taken over", anchor)
	c.speak(speech)
	pause.to = c.pressFor(alice, anchor, "on")
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
	c.hasMetric(instance, adopted, 1)
}

// killedInRoom: bob leaves the conference while nobody listens. Who is in the room is
// known again afterwards.
func killedInRoom(c *faultTalk) {
	m, instance := meet(c.talk), c.instances[0]
	before := c.speak(speech)
	instance.Kill()
	c.speak(speech)
	c.hangUp(m.bob)
	c.do(instance.Restart(c.ctx))
	for _, leg := range m.outside {
		c.awaitLog(instance, adoptedSoon, "call taken over", leg)
	}
	c.speak(speech)
	since := c.suite.lab.Switch.Seen()
	pause := period{from: c.press(m.alice)}
	c.awaitStates(since, "paused", m.outside, m.users[0])
	c.speak(speech)
	since = c.suite.lab.Switch.Seen()
	pause.to = c.press(m.alice)
	c.awaitStates(since, "on", m.outside, m.users[0])
	after := c.speak(speech)
	for _, phone := range []*lab.Telephone{m.alice, m.one, m.two} {
		c.hangUp(phone)
	}
	takes := c.recordings()
	if len(takes) != 2 {
		c.Fatalf("there are %d recordings, want one of each outside party", len(takes))
	}
	for _, r := range takes {
		r.heard(before, only(lab.Outside), only(lab.Outside, lab.Alice, lab.Bob))
		r.silentExactly(pause)
		r.heard(after, only(lab.Outside), only(lab.Outside, lab.Alice))
	}
}

func killedUntilEnd(c *faultTalk) {
	c.expects = []string{"no stop event"}
	outside, alice := fromOutside(c.talk)
	anchor, instance := c.leg(outside), c.instances[0]
	before := c.speak(speech)
	pause := period{from: c.pressFor(alice, anchor, "paused")}
	c.speak(speech)
	pause.to = c.pressFor(alice, anchor, "on")
	c.drafted(anchor, "recording")
	instance.Kill()
	after := c.speak(2 * speech)
	c.hangUp(outside, alice)
	c.do(instance.Restart(c.ctx))
	r := c.recording()
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Alice))
	if !r.problem("no stop event") || !r.about.Complete {
		c.Errorf("problems %q, complete %v; want no stop event, and complete", r.about.Problems, r.about.Complete)
	}
	c.hasMetric(instance, `tapedeck_adopted_calls_total{outcome="ended"}`, 1)
}

// drafted waits until the draft of a recording says that its last span is of a state.
// What the draft does not say when Tapedeck is killed is lost with the call's end.
func (c *faultTalk) drafted(call, state string) {
	c.Helper()
	testkit.Within(c, time.Second, "draft that ends in "+state, func() bool {
		var s sidecar
		text, err := os.ReadFile(filepath.Join(c.disk, ".live", call+".json"))
		return err == nil && json.Unmarshal(text, &s) == nil && len(s.Spans) > 0 && s.Spans[len(s.Spans)-1].State == state
	})
}

// pressedWhileKilled is a press while no Tapedeck runs. It is refused aloud as soon
// as one runs again.
func pressedWhileKilled(c *faultTalk) {
	outside, alice := fromOutside(c.talk)
	anchor, instance := c.leg(outside), c.instances[0]
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	c.speak(speech)
	instance.Kill()
	c.press(alice)
	c.speak(speech)
	c.do(instance.Restart(c.ctx))
	refused := c.awaitLog(instance, adoptedSoon, "press while nobody listened", anchor)
	c.speak(2 * speech)
	pause := period{from: c.pressFor(alice, anchor, "paused")}
	c.speak(speech)
	pause.to = c.pressFor(alice, anchor, "on")
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
