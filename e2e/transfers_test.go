package e2e

import (
	"time"

	"tapedeck/e2e/lab"
)

// transfers are calls that begin with alice and end with bob. What the outside
// party says goes into one file; the setting of who is on the call decides.
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
	}
}

// fromOutside is a call to alice: the outside party's phone and hers.
func fromOutside(t *talk) (outside, alice *lab.Telephone) {
	t.Helper()
	outside = t.inbound(lab.ToAlice)
	alice = t.rings(lab.UserAlice)
	t.pickUp(alice, outside)
	return outside, alice
}

// toOutside is a call from alice.
func toOutside(t *talk) (outside, alice *lab.Telephone) {
	t.Helper()
	number := t.org.OutsideNumber(1)
	alice = t.dials(lab.UserAlice, number)
	outside = t.outsideRings(number)
	t.pickUp(outside, alice)
	return outside, alice
}

// blind is a transfer that bob answers after a while.
func blind(t *talk, alice *lab.Telephone) (bob *lab.Telephone) {
	t.Helper()
	t.do(alice.Transfer(t.ctx, t.org.Extension(lab.UserBob)))
	bob = t.rings(lab.UserBob)
	t.speak(700 * time.Millisecond)
	t.do(bob.PickUp(t.ctx))
	return bob
}

// attended is a transfer that alice asks bob about first.
func attended(t *talk, alice *lab.Telephone) (bob *lab.Telephone) {
	t.Helper()
	t.do(alice.Hold(t.ctx))
	consult := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob = t.rings(lab.UserBob)
	t.pickUp(bob, consult)
	t.speak(600 * time.Millisecond)
	t.do(alice.TransferInto(t.ctx, consult, t.org.Extension(lab.UserBob)))
	_, err := alice.Ended(t.ctx)
	t.do(err)
	t.do(consult.HangUp(t.ctx))
	return bob
}

// transferred asserts one file of the outside party, in which one of the two
// users is heard and the other is not; nor is what was said to the other.
func transferred(begin func(*talk) (outside, alice *lab.Telephone), transfer func(*talk, *lab.Telephone) *lab.Telephone,
	recorded lab.Tone) func(*talk) {
	return func(t *talk) {
		outside, alice := begin(t)
		leg := t.leg(outside)
		withAlice := t.speak(speech)
		bob := transfer(t, alice)
		withBob := t.speak(speech)
		t.hangUp(outside, bob)

		r := t.recordingOf(leg)
		if recorded == lab.Alice {
			r.heardFromStart(only(lab.Outside), only(lab.Alice))
			r.heard(withAlice, only(lab.Outside), only(lab.Alice))
			r.heard(withBob, nobody, nobody)
			r.never(lab.Bob)
		} else {
			r.heard(withAlice, nobody, nobody)
			r.heard(withBob, only(lab.Outside), only(lab.Bob))
			r.never(lab.Alice)
		}
	}
}
