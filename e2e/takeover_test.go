package e2e

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// takenOverIn is how long a call may have no owner after its owner was killed.
const takenOverIn = 3 * time.Second

// takeovers are calls that one of two instances takes over from the other. The first
// has organisation 0, because the sample dialplan's group rings its users.
func takeovers() []fault {
	toGroup := faultSettings
	toGroup.team = "no"
	return []fault{
		{"the owner is killed, the other takes over", toGroup, needs{two: true, redis: true}, ownerKilled},
		{"the owner stands still, the other takes over", faultSettings, needs{two: true, redis: true}, ownerFrozen},
	}
}

// owner is the instance of Tapedeck that owns a call, by the snapshot on the recorded
// leg.
func (c *faultTalk) owner(anchor string) string {
	c.Helper()
	text, err := c.suite.lab.Switch.API(c.ctx, "uuid_getvar", anchor+" tapedeck_live")
	c.do(err)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	c.do(err)
	var live struct{ Owner string }
	c.do(json.Unmarshal(raw, &live))
	return live.Owner
}

// awaitTakeover waits until an instance has taken a call over, and returns when.
func (c *faultTalk) awaitTakeover(instance *lab.Tapedeck, anchor, from string) time.Time {
	c.Helper()
	testkit.Within(c, 2*takenOverIn, "another owner of the call", func() bool { return c.owner(anchor) != from })
	at := time.Now()
	c.awaitLog(instance, time.Second, "call taken over", anchor)
	return at
}

// commands is how many recording commands an instance has sent.
func (c *faultTalk) commands(instance *lab.Tapedeck) float64 {
	c.Helper()
	sum, err := instance.Sum(c.ctx, "tapedeck_commands_total")
	c.do(err)
	return sum
}

func ownerKilled(c *faultTalk) {
	first, second := c.instances[0], c.instances[1]
	outside, alice := fromOutside(c.talk)
	anchor := c.leg(outside)
	owner := c.owner(anchor)
	before := c.speak(speech)
	killed := time.Now()
	first.Kill()
	c.suite.tapedeck = second
	took := c.awaitTakeover(second, anchor, owner).Sub(killed)
	c.Logf("taken over %v after the kill", took)
	if took > takenOverIn {
		c.Errorf("the call was taken over %v after the kill, want %v", took, takenOverIn)
	}
	pauses := []period{c.pauseAndResume(alice, anchor)}
	bob := blind(c.talk, alice)
	withBob := c.speak(speech)
	pauses = append(pauses, c.pauseAndResume(bob, anchor))

	c.do(first.Restart(c.ctx)) // the dialplan connects to it first, though the other owns the call
	since := c.suite.lab.Switch.Seen()
	c.do(bob.Transfer(c.ctx, "2000"))
	off := period{from: c.awaitState(since, anchor, "off")}
	again, other := c.rings(lab.UserAlice), c.rings(lab.UserBob)
	c.do(again.PickUp(c.ctx))
	_, err := other.Ended(c.ctx)
	c.do(err)
	c.speak(speech)
	off.to = c.pressFor(again, anchor, "on")
	last := c.speak(speech)
	c.hangUp(outside, again)

	r := c.recordingOf(anchor)
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.heard(withBob, only(lab.Outside), only(lab.Bob))
	r.silentExactly(append(pauses, off)...)
	r.heard(last, only(lab.Outside), only(lab.Alice))
	r.traced("adopted", "")
	r.tracedElement("ring_group/sales")
	if got := strings.Join(r.about.Users, " "); got != "alice bob" {
		c.Errorf("the sidecar's users are %q, want alice bob", got)
	}
	c.hasMetric(second, adopted, 1)
	if logged(first, "call belongs to another instance: its owner is notified", anchor) == 0 {
		c.Errorf("the leg did not enter at the instance that does not own the call")
	}
	if n := c.commands(first); n != 0 {
		c.Errorf("the instance that came back sent %v recording commands, want none", n)
	}
}

// pauseAndResume lets a phone pause and resume.
func (t *talk) pauseAndResume(phone *lab.Telephone, anchor string) period {
	t.Helper()
	s := period{from: t.pressFor(phone, anchor, "paused")}
	t.speak(speech / 2)
	s.to = t.pressFor(phone, anchor, "on")
	t.speak(speech / 2)
	return s
}

// tracedElement asserts that the call has entered an element.
func (r *take) tracedElement(element string) {
	r.Helper()
	for _, n := range r.about.Trace {
		if n.What == "entered" && n.Element == element {
			return
		}
	}
	r.Errorf("the trace does not have %s: %+v", element, r.about.Trace)
}

// standsStill is how long the owner is frozen: longer than the lease.
const standsStill = 6 * time.Second

// ownerFrozen lets alice press while no instance can notice it, while the second
// instance owns the call, and after the first goes on. The first gets all these
// events late, and must not act on them.
func ownerFrozen(c *faultTalk) {
	first, second := c.instances[0], c.instances[1]
	outside, alice := fromOutside(c.talk)
	anchor, leg := c.leg(outside), c.leg(alice)
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	owner := c.owner(anchor)
	c.speak(speech)
	gave := c.commands(first)
	still := time.Now()
	c.do(first.Freeze())
	c.Cleanup(func() { _ = first.Thaw() }) // a frozen process cannot be stopped
	c.suite.tapedeck = second
	since := c.suite.lab.Switch.Seen()
	c.press(alice)
	c.Logf("taken over %v after the freeze", c.awaitTakeover(second, anchor, owner).Sub(still))
	refused := c.played(since, leg, "not-permitted")
	pause := period{from: c.pressFor(alice, anchor, "paused")}
	c.speak(max(speech, standsStill-time.Since(still)))
	c.do(first.Thaw())
	c.awaitLog(first, adoptedSoon, "taken over by another instance", anchor)
	c.speak(speech)
	c.hasState(anchor, "paused")
	pause.to = c.pressFor(alice, anchor, "on")
	c.speak(speech)
	c.hangUp(outside, alice)

	r := c.recording()
	r.silentExactly(pause)
	r.traced("pressed", "missed")
	r.noPrompts()
	atAlice.prompt("en", "not-permitted", refused)
	atAlice.prompt("en", "recorded", pause.from)
	atAlice.prompt("en", "is-being-recorded", pause.to)
	atOutside.noPrompt()
	if n := c.commands(first); n != gave {
		c.Errorf("the instance that stood still sent %v recording commands afterwards, want none", n-gave)
	}
	c.hasMetric(first, `tapedeck_adopted_calls_total{outcome="yielded"}`, 1)
	c.hasMetric(first, `tapedeck_toggles_total{method="dtmf",result="ok"}`, 0)
}

// played waits until a prompt was played to a leg, and returns when it began.
func (t *talk) played(since int, leg, name string) time.Time {
	t.Helper()
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "end of the prompt "+name, func(e *esl.Event) bool {
		return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), "/"+name+".wav")
	})
	t.do(err)
	return t.moment(e, "Event-Date-Timestamp").Add(-t.readPrompt("en", name).Length)
}
