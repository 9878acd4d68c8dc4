package e2e

import (
	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// rings are calls that ring several phones one after the other, or lead out again.
// (Two phones that ring at once: fork.)
func rings() []scenario {
	number := func(k int) settings { return settings{numbers: map[int]string{k: "yes"}, onDemand: digits} }
	with := func(s settings, alice, bob string) settings { s.alice, s.bob = alice, bob; return s }
	return []scenario{
		{"two phones ring in turn, the second answers and is recorded", with(number(lab.ToSequence), "no", ""), inTurn(true)},
		{"two phones ring in turn, the second answers and says no", with(number(lab.ToSequence), "", "no"), inTurn(false)},
		{"follow-me, the user's phone answers", number(lab.ToFollowMe), followedAtDesk},
		{"follow-me, the mobile answers and confirms with a key", number(lab.ToFollowMe), followedOutside},
		{"forwarded to an outside number through a gateway", number(lab.ToForward), forwarded(lab.ToForward)},
		{"forwarded to an outside number without a gateway", number(lab.ToForwardBare), forwarded(lab.ToForwardBare)},
	}
}

// inTurn: alice's phone rings first, then bob's, who answers and presses. If he says
// no, nothing is left but what he has asked for.
func inTurn(recorded bool) func(*talk) {
	return func(t *talk) {
		caller := t.inbound(lab.ToSequence)
		alice := t.rings(lab.UserAlice)
		bob := t.rings(lab.UserBob)
		_, err := alice.Ended(t.ctx)
		t.do(err)
		t.pickUp(bob, caller)
		anchor, leg := t.leg(caller), t.leg(bob)
		before := t.speak(speech)
		if !recorded {
			t.hasState(anchor, "off")
			t.hasState(leg, "off")
			t.hangUp(caller, bob)
			t.onlyLeft(0)
			return
		}
		t.hasState(anchor, "on")
		t.hasState(leg, "on")
		pause := period{from: t.pressFor(bob, anchor, "paused")}
		t.speak(speech)
		pause.to = t.pressFor(bob, anchor, "on")
		t.speak(speech / 2)
		t.hangUp(caller, bob)
		r := t.recording()
		r.heardFromFirstPacket(only(lab.Outside), only(lab.Bob))
		r.heard(before, only(lab.Outside), only(lab.Bob))
		r.silentExactly(pause)
	}
}

// mobileRings waits until alice's mobile rings, which is reached through the carrier.
func (t *talk) mobileRings() *lab.Telephone {
	t.Helper()
	phone, err := t.suite.lab.Phones.Ringing(t.ctx, t.org.OutsideNumber(2), lab.Carol)
	t.do(err)
	return phone
}

// followedAtDesk: alice's own phone and her mobile ring, and she answers on her phone.
func followedAtDesk(t *talk) {
	caller := t.inbound(lab.ToFollowMe)
	alice, mobile := t.rings(lab.UserAlice), t.mobileRings()
	t.pickUp(alice, caller)
	_, err := mobile.Ended(t.ctx)
	t.do(err)
	anchor := t.leg(caller)
	before := t.speak(speech)
	t.hasState(anchor, "on")
	t.hasState(t.leg(alice), "on")
	from := t.pressFor(alice, anchor, "paused")
	t.speak(speech)
	t.hangUp(caller, alice)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(period{from, r.ended})
}

// followedOutside: alice answers on her mobile and confirms that she takes the call. The
// mobile is no user's phone: its code changes nothing.
func followedOutside(t *talk) {
	caller := t.inbound(lab.ToFollowMe)
	alice, mobile := t.rings(lab.UserAlice), t.mobileRings()
	t.do(mobile.PickUp(t.ctx))
	_, err := t.suite.lab.Switch.Wait(t.ctx, "question whether the mobile takes the call", lab.Is("PLAYBACK_START", t.leg(mobile)))
	t.do(err)
	t.do(mobile.Press(t.ctx, "1"))
	t.do(caller.Talking(t.ctx))
	_, err = alice.Ended(t.ctx)
	t.do(err)
	t.outsideTalk(caller, mobile)
}

// forwarded is a call that the dialplan sends out again: two outside parties talk, and
// nobody of the organisation is there who could press.
func forwarded(k int) func(*talk) {
	return func(t *talk) {
		caller := t.inbound(k)
		mobile := t.mobileRings()
		t.pickUp(mobile, caller)
		t.outsideTalk(caller, mobile)
	}
}

// outsideTalk asserts that a call with an outside phone at its other end is in one file,
// that both legs are told so, and that a code of either changes nothing.
func (t *talk) outsideTalk(caller, mobile *lab.Telephone) {
	t.Helper()
	legs := []string{t.leg(caller), t.leg(mobile)}
	said := t.speak(speech)
	t.hasState(legs[0], "on")
	t.hasState(legs[1], "on")
	t.press(mobile)
	testkit.Within(t, near, "refusal of the mobile's code", func() bool {
		return mentions(t.suite.tapedeck.Log("call="+legs[0]+" "), "method=dtmf ask=\"turn over\" result=not_its_user")
	})
	t.do(caller.Press(t.ctx, code))
	t.do(mobile.Got(t.ctx, code))
	t.loggedPresses(legs[0], 0)
	t.speak(speech / 2)
	t.hasState(legs[0], "on")
	t.hasState(legs[1], "on")
	t.hangUp(caller, mobile)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Carol))
	r.heard(said, only(lab.Outside), only(lab.Carol))
	r.silentExactly()
}
