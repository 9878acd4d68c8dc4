package e2e

import (
	"fmt"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// intercepted: an outside party calls alice, and bob picks the call up with a code of
// the sample dialplan that knows which phone was called last.
func intercepted(by string) func(*vanillaTalk) {
	return func(c *vanillaTalk) {
		outside := c.callIn(c.alice.Extension)
		leg := c.legOf(c.ringing(c.alice))
		r := pickedUp(c, outside, c.dial(c.bob, by), leg)
		r.lasts(r.ended.Sub(r.began))
	}
}

// contacts: two phones ring at once that are dialled by the addresses at which they are
// registered. No leg says whose phone it is, but by its registration.
func contacts(c *vanillaTalk) {
	r := groupCall(c, lab.VanillaContacts, c.bob, c.alice, lab.Bob, func(leg string) { c.suite.permitted(c, leg) })
	r.heardFromFirstPacket(only(lab.Outside), only(lab.Bob))
}

// voicemail: bob's phone refuses the call, and the sample dialplan connects the caller
// with his voicemail, through a loopback channel. The number says yes: what the caller
// says is recorded. That bob says no does not count, because he does not answer.
func voicemail(c *vanillaTalk) {
	outside := c.callIn(c.bob.Extension)
	c.do(c.ringing(c.bob).HangUp(c.ctx))
	c.do(outside.Talking(c.ctx))
	anchor := c.leg(outside)
	box := c.partnerOf(anchor)
	_, err := c.suite.lab.Switch.WaitSince(c.ctx, c.firstEvent, "recording of the voicemail", func(e *esl.Event) bool {
		return e.Name() == "RECORD_START" && strings.Contains(e.Get("Record-File-Path"), "/voicemail/")
	})
	c.do(err)
	said := c.speak(speech)
	c.told("on", anchor, box)
	c.do(outside.HangUp(c.ctx))
	r := c.listen(c.onlyFile(anchor, box))
	if greeted := r.Speaks(lab.App); greeted < greeting {
		c.Errorf("the voicemail is heard for %v, want %v at least: %s", greeted, greeting, r.Sound)
	}
	r.heard(said, only(lab.Outside), nobody)
	r.silentExactly()
}

// greeting is how long the voicemail is heard, at least, before its beep.
const greeting = 900 * time.Millisecond

// partnerOf waits until a leg is bridged, and returns with whom.
func (c *vanillaTalk) partnerOf(leg string) string {
	c.Helper()
	_, err := c.suite.lab.Switch.Wait(c.ctx, "bridge of "+leg, func(e *esl.Event) bool { return bridges(e, leg) })
	c.do(err)
	return c.partner(leg)
}

// callsAgain: alice calls bob, who does not answer. She redials him (870), and they talk.
// Then he calls back whoever has called him last (869). Each of the two calls has one
// file, and both may press.
func callsAgain(c *vanillaTalk) {
	c.do(c.alice.Call(c.ctx, c.bob.Extension))
	leg := c.legOf(c.ringing(c.bob))
	c.do(c.alice.HangUpAll(c.ctx))
	c.hungUp(leg)
	talkAgain(c, c.alice, c.bob, "870", lab.Alice, lab.Bob)
	talkAgain(c, c.bob, c.alice, "869", lab.Bob, lab.Alice)
}

// talkAgain lets a user dial a code that calls the other one.
func talkAgain(c *vanillaTalk, from, to *lab.Baresip, dials string, own, hears lab.Tone) {
	c.Helper()
	c.do(from.Call(c.ctx, dials))
	at := c.ringing(to)
	c.do(at.Answer(c.ctx))
	call, err := from.Answered(c.ctx)
	c.do(err)
	anchor, leg := c.legOf(call), c.legOf(at)
	before := c.speak(speech)
	pause := c.pause(at, anchor, leg)
	c.speak(speech / 2)
	c.do(call.HangUp(c.ctx))
	r := c.listenPart(c.onlyFile(anchor, leg))
	r.heard(before, only(own), only(hears))
	r.silentFor(pause)
}

// callCenter are calls to the queue of the sample's call center, whose agent is dialled
// in each way that FreeSWITCH offers. A loopback channel knows no domain, and offers
// phones its own codec, which they do not have.
func callCenter() []vanillaScenario {
	return []vanillaScenario{
		{"call center, agent by user/", agent("user/%s@" + lab.VanillaDomain)},
		{"call center, agent by sofia_contact", agent("${sofia_contact(internal/%s@" + lab.VanillaDomain + ")}")},
		{"call center, agent by loopback/", agent("[domain_name=" + lab.VanillaDomain + ",absolute_codec_string=PCMU,export_vars=absolute_codec_string]loopback/%s/default")},
	}
}

// agent: the caller waits and hears music, alice, who is the agent, answers and presses.
func agent(contact string) func(*vanillaTalk) {
	return func(c *vanillaTalk) {
		outside := c.callIn(lab.VanillaCallCenter)
		c.do(outside.Talking(c.ctx))
		anchor := c.leg(outside)
		c.speak(holdSettles + speech) // the sample's music began after 1.7 s once
		c.told("on", anchor)
		name := c.alice.Extension
		for _, command := range []string{
			"agent add " + name + " callback", "agent set contact " + name + " " + fmt.Sprintf(contact, name),
			"tier add " + lab.VanillaQueue + " " + name + " 1 1", "agent set status " + name + " Available",
		} {
			_, err := c.suite.lab.Switch.API(c.ctx, "callcenter_config", command)
			c.do(err)
		}
		call := c.ringing(c.alice)
		c.do(call.Answer(c.ctx))
		leg := c.legOf(call)
		c.bridged(anchor, leg)
		before := c.speak(speech)
		pause := c.pause(call, anchor)
		after := c.speak(speech)
		_, err := c.suite.lab.Switch.API(c.ctx, "callcenter_config", "agent del "+name)
		c.do(err)
		c.do(outside.HangUp(c.ctx))
		r := c.listenPart(c.onlyFile(anchor, leg))
		if r.Speaks(lab.App) == 0 {
			c.Errorf("the music is not heard: %s", r.Sound)
		}
		r.heard(before, only(lab.Outside), only(lab.Alice))
		r.silentExactly(pause)
		r.heard(after, only(lab.Outside), only(lab.Alice))
	}
}
