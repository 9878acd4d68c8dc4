package e2e

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// takenOverIn is how long the death of a call's owner may leave it alone.
const takenOverIn = 3 * time.Second

// twoDecks are calls that one of two Tapedecks has to leave to the other. The
// sample dialplan's group rings the users of organisation 0, whose fault the first
// one is.
func twoDecks() []fault {
	toGroup := faultSettings
	toGroup.team = "no"
	return []fault{
		{"the owner is killed, the other takes over", toGroup, needs{two: true, redis: true}, ownerKilled},
		{"the owner stands still, the other takes over", faultSettings, needs{two: true, redis: true}, ownerFrozen},
	}
}

// owner is the instance of Tapedeck that follows a call, by what it has left on
// the recorded leg.
func (c *crisis) owner(anchor string) string {
	c.Helper()
	text, err := c.suite.lab.Switch.API(c.ctx, "uuid_getvar", anchor+" tapedeck_live")
	c.do(err)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	c.do(err)
	var live struct{ Owner string }
	c.do(json.Unmarshal(raw, &live))
	return live.Owner
}

// taken waits until a Tapedeck has taken a call over, and returns when.
func (c *crisis) taken(deck *lab.Tapedeck, anchor, from string) time.Time {
	c.Helper()
	c.until(2*takenOverIn, "another owner of the call", func() bool { return c.owner(anchor) != from })
	at := time.Now()
	c.says(deck, time.Second, "call taken over", anchor)
	return at
}

// commands is how many commands a Tapedeck has given to recordings.
func (c *crisis) commands(deck *lab.Tapedeck) float64 {
	c.Helper()
	sum, err := deck.Sum(c.ctx, "tapedeck_commands_total")
	c.do(err)
	return sum
}

func ownerKilled(c *crisis) {
	first, second := c.decks[0], c.decks[1]
	outside, alice := fromOutside(c.talk)
	anchor := c.leg(outside)
	owner := c.owner(anchor)
	before := c.speak(speech)
	killed := time.Now()
	first.Kill()
	c.suite.tapedeck = second
	took := c.taken(second, anchor, owner).Sub(killed)
	c.Logf("taken over %v after the kill", took)
	if took > takenOverIn {
		c.Errorf("the call was taken over %v after the kill, want %v", took, takenOverIn)
	}
	pauses := []stretch{c.pauses(alice, anchor)}
	bob := blind(c.talk, alice)
	withBob := c.speak(speech)
	pauses = append(pauses, c.pauses(bob, anchor))

	c.do(first.Restart(c.ctx)) // the dialplan asks it first, though the call is the other's
	since := c.suite.lab.Switch.Seen()
	c.do(bob.Transfer(c.ctx, "2000"))
	off := stretch{from: c.told(since, anchor, "off")}
	again, other := c.rings(lab.UserAlice), c.rings(lab.UserBob)
	c.do(again.PickUp(c.ctx))
	_, err := other.Ended(c.ctx)
	c.do(err)
	c.speak(speech)
	off.to = c.switches(again, anchor, "on")
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
	c.measures(second, adopted, 1)
	if logged(first, "call belongs to another instance: its owner is notified", anchor) == 0 {
		c.Errorf("the leg did not enter at the instance that does not own the call")
	}
	if n := c.commands(first); n != 0 {
		c.Errorf("the instance that came back gave %v commands to recordings, want none", n)
	}
}

// pauses lets a phone pause and resume.
func (t *talk) pauses(phone *lab.Telephone, anchor string) stretch {
	t.Helper()
	s := stretch{from: t.switches(phone, anchor, "paused")}
	t.speak(speech / 2)
	s.to = t.switches(phone, anchor, "on")
	t.speak(speech / 2)
	return s
}

// tracedElement asserts that the call has passed an element.
func (r *take) tracedElement(element string) {
	r.Helper()
	for _, n := range r.about.Trace {
		if n.What == "entered" && n.Element == element {
			return
		}
	}
	r.Errorf("the trace does not have %s: %+v", element, r.about.Trace)
}

// standsStill is how long: more than the lease.
const standsStill = 6 * time.Second

// ownerFrozen presses while nobody can hear it, while the other owns the call, and
// when the first has come back. The first gets all of that, late.
func ownerFrozen(c *crisis) {
	first, second := c.decks[0], c.decks[1]
	outside, alice := fromOutside(c.talk)
	anchor, leg := c.leg(outside), c.leg(alice)
	atAlice, atOutside := c.listensAt(alice), c.listensAt(outside)
	owner := c.owner(anchor)
	c.speak(speech)
	gave := c.commands(first)
	still := time.Now()
	c.do(first.Freeze())
	c.Cleanup(func() { _ = first.Thaw() }) // to be stopped
	c.suite.tapedeck = second
	since := c.suite.lab.Switch.Seen()
	c.press(alice)
	c.Logf("taken over %v after the stop", c.taken(second, anchor, owner).Sub(still))
	refused := c.played(since, leg, "not-permitted")
	pause := stretch{from: c.switches(alice, anchor, "paused")}
	c.speak(max(speech, standsStill-time.Since(still)))
	c.do(first.Thaw())
	c.says(first, adoptedSoon, "taken over by another instance", anchor)
	c.speak(speech)
	c.hasState(anchor, "paused")
	pause.to = c.switches(alice, anchor, "on")
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
		c.Errorf("the instance that stood still gave %v commands to recordings afterwards, want none", n-gave)
	}
	c.measures(first, `tapedeck_adopted_calls_total{outcome="yielded"}`, 1)
	c.measures(first, `tapedeck_toggles_total{method="dtmf",result="ok"}`, 0)
}

// played waits until a prompt has been played to a leg, and returns when it began.
func (t *talk) played(since int, leg, name string) time.Time {
	t.Helper()
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "end of the prompt "+name, func(e *esl.Event) bool {
		return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), "/"+name+".wav")
	})
	t.do(err)
	return t.moment(e, "Event-Date-Timestamp").Add(-t.readPrompt("en", name).Length)
}
