package e2e

import (
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// transfers are calls that begin with alice and end with bob. The outside party has
// one file; the setting of the user who is on the call decides what is recorded.
func transfers() []scenario {
	onOff, offOn := settings{alice: "yes", bob: "no"}, settings{alice: "no", bob: "yes"}
	return []scenario{
		{"inbound, blind transfer from yes to no", onOff, transferred(fromOutside, blind, lab.Alice)},
		{"inbound, blind transfer from no to yes", offOn, transferred(fromOutside, blind, lab.Bob)},
		{"inbound, attended transfer from yes to no", onOff, transferred(fromOutside, attended, lab.Alice)},
		{"inbound, attended transfer from no to yes", offOn, transferred(fromOutside, attended, lab.Bob)},
		{"outgoing, blind transfer from yes to no", onOff, transferred(toOutside, blind, lab.Alice)},
		{"outgoing, blind transfer from no to yes", offOn, transferred(toOutside, blind, lab.Bob)},
		{"outgoing, attended transfer from yes to no", onOff, transferred(toOutside, attended, lab.Alice)},
		{"outgoing, attended transfer from no to yes", offOn, transferred(toOutside, attended, lab.Bob)},
		{"blind transfer, number yes", settings{numbers: map[int]string{lab.ToAlice: "yes"}}, recordedThroughout(blind)},
		{"attended transfer, number yes", settings{numbers: map[int]string{lab.ToAlice: "yes"}}, recordedThroughout(attended)},
	}
}

// fromOutside makes a call to alice and returns the outside party's phone and hers.
func fromOutside(t *talk) (outside, alice *lab.Telephone) {
	t.Helper()
	outside = t.inbound(lab.ToAlice)
	alice = t.rings(lab.UserAlice)
	t.pickUp(alice, outside)
	return outside, alice
}

// toOutside makes a call from alice.
func toOutside(t *talk) (outside, alice *lab.Telephone) {
	t.Helper()
	number := t.org.OutsideNumber(1)
	alice = t.dials(lab.UserAlice, number)
	outside = t.outsideRings(number)
	t.pickUp(outside, alice)
	return outside, alice
}

// blind transfers to bob, who answers after a while.
func blind(t *talk, alice *lab.Telephone) (bob *lab.Telephone) {
	t.Helper()
	t.do(alice.Transfer(t.ctx, t.org.Extension(lab.UserBob)))
	bob = t.rings(lab.UserBob)
	t.speak(700 * time.Millisecond)
	t.do(bob.PickUp(t.ctx))
	return bob
}

// attended transfers to bob after alice has called him.
func attended(t *talk, alice *lab.Telephone) (bob *lab.Telephone) {
	t.Helper()
	held := t.partner(t.leg(alice))
	t.do(alice.Hold(t.ctx))
	consult := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob = t.rings(lab.UserBob)
	t.pickUp(bob, consult)
	t.speak(600 * time.Millisecond)
	at, since := t.leg(bob), t.suite.lab.Switch.Seen()
	t.do(alice.TransferInto(t.ctx, consult, t.org.Extension(lab.UserBob)))
	_, err := alice.Ended(t.ctx)
	t.do(err)
	t.do(consult.HangUp(t.ctx))
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "bridge of "+held+" and "+at, func(e *esl.Event) bool {
		return bridges(e, held) && bridges(e, at) || lab.Is("CHANNEL_HANGUP_COMPLETE", held)(e)
	})
	t.do(err)
	if e.Name() == "CHANNEL_HANGUP_COMPLETE" {
		t.do(bob.HangUp(t.ctx))
		panic(droppedByFreeSWITCH{})
	}
	return bob
}

// droppedByFreeSWITCH is the panic of a scenario whose call FreeSWITCH has dropped:
// sometimes it hangs the outside party up when a phone that holds it transfers it
// (switch_ivr_bridge.c, audio_bridge_thread: the holding leg's thread ends before the
// other one). Then nothing can be asserted, and the scenario runs once more.
type droppedByFreeSWITCH struct{}

// mayBeDropped reports whether a scenario has an attended transfer.
func mayBeDropped(s scenario) bool { return strings.Contains(s.name, "attended") }

func bridges(e *esl.Event, leg string) bool {
	return e.Name() == "CHANNEL_BRIDGE" && (e.Get("Bridge-A-Unique-ID") == leg || e.Get("Bridge-B-Unique-ID") == leg)
}

// partner is the leg with which a leg was bridged last.
func (t *talk) partner(leg string) string {
	t.Helper()
	all := t.suite.lab.Switch.Events(func(e *esl.Event) bool { return bridges(e, leg) })
	if len(all) == 0 {
		t.Fatalf("leg %s was never bridged", leg)
	}
	last := all[len(all)-1]
	if a := last.Get("Bridge-A-Unique-ID"); a != leg {
		return a
	}
	return last.Get("Bridge-B-Unique-ID")
}

// transferred asserts that there is one file of the outside party, in which one of
// the two users is heard. Neither the other user is heard, nor what was said to him,
// or while nobody was there.
func transferred(begin func(*talk) (outside, alice *lab.Telephone), transfer func(*talk, *lab.Telephone) *lab.Telephone,
	recorded lab.Tone) func(*talk) {
	return func(t *talk) {
		c := transferredCall(t, begin, transfer)
		if recorded == lab.Alice {
			c.heardFromStart(only(lab.Outside), only(lab.Alice))
			c.heard(c.withAlice, only(lab.Outside), only(lab.Alice))
			c.heard(c.withBob, nobody, nobody)
			c.never(lab.Bob)
		} else {
			c.heard(c.withAlice, nobody, nobody)
			c.heard(c.waiting, nobody, nobody)
			c.heard(c.withBob, only(lab.Outside), only(lab.Bob))
			c.never(lab.Alice)
		}
	}
}

// recordedThroughout asserts that there is one file of the outside party in which
// nothing is missing: the number says yes, and the users have no setting.
func recordedThroughout(transfer func(*talk, *lab.Telephone) *lab.Telephone) func(*talk) {
	return func(t *talk) {
		c := transferredCall(t, fromOutside, transfer)
		c.heardFromStart(only(lab.Outside), only(lab.Alice))
		c.heard(c.withAlice, only(lab.Outside), only(lab.Alice))
		c.heard(c.waiting, only(lab.Outside), nobody)
		c.heard(c.withBob, only(lab.Outside), only(lab.Bob))
	}
}

// twoTalks is the recording of a call that was transferred from alice to bob.
type twoTalks struct {
	take
	withAlice, waiting, withBob period // waiting: alone, or on hold
}

func transferredCall(t *talk, begin func(*talk) (outside, alice *lab.Telephone),
	transfer func(*talk, *lab.Telephone) *lab.Telephone) (c twoTalks) {
	t.Helper()
	outside, alice := begin(t)
	leg := t.leg(outside)
	c.withAlice = t.speak(speech)
	bob := transfer(t, alice)
	c.withBob = t.speak(speech)
	c.waiting = period{from: c.withAlice.to, to: c.withBob.from}
	t.hangUp(outside, bob)
	c.take = t.recordingOf(leg)
	return c
}
