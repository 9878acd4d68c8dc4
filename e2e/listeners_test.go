package e2e

import (
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// listeners are calls to which bob listens as a supervisor (eavesdrop), or which he joins
// as a third party (three_way). He is in that talk (docs/design.md, section 12, rule 17).
func listeners() []scenario {
	yes := settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}
	bobToo, withKey := yes, yes
	bobToo.bob, withKey.onDemand = "{ internal: yes }", keyAndDigits
	return []scenario{
		{"a supervisor listens at the outside party's leg", yes, listensAtOutside},
		{"a supervisor who is recorded listens at the user's leg", bobToo, listensAtUser},
		{"three_way", yes, threeWay},
		{"a supervisor's phone is dialled to listen", withKey, dialledToListen},
	}
}

// listens waits until bob's leg listens to a leg, and is told that state.
func (t *talk) listens(bob *lab.Telephone, target, state string) {
	t.Helper()
	t.do(bob.Talking(t.ctx))
	_, err := t.suite.lab.Switch.Wait(t.ctx, "eavesdrop at "+target, func(e *esl.Event) bool {
		return lab.Is("MEDIA_BUG_START", target)(e) && e.Get("Media-Bug-Function") == "eavesdrop"
	})
	t.do(err)
	t.becomes(t.leg(bob), "tapedeck_state", state)
}

// keyed lets bob press a key of the application eavesdrop, and lets people talk.
func (t *talk) keyed(bob *lab.Telephone, key string) period {
	t.Helper()
	since := t.suite.lab.Switch.Seen()
	t.do(bob.Press(t.ctx, key))
	_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "key "+key, lab.Is("DTMF", t.leg(bob)))
	t.do(err)
	return t.speak(speech * 2 / 3)
}

// pausedAsThree lets bob pause and alice resume. It asserts that each leg is told.
func (t *talk) pausedAsThree(bob, alice *lab.Telephone, anchor string) (pause period) {
	t.Helper()
	legs := []string{anchor, t.leg(alice), t.leg(bob)}
	all := func(state string) {
		t.Helper()
		for _, leg := range legs {
			t.becomes(leg, "tapedeck_state", state)
		}
	}
	all("on")
	pause.from = t.pressFor(bob, anchor, "paused")
	all("paused")
	t.speak(speech)
	pause.to = t.pressFor(alice, anchor, "on")
	all("on")
	return pause
}

// heard asserts who is heard at a phone, and that its own voice goes on.
func (e *earpiece) heard(s period, hears lab.Heard, says lab.Tone) {
	e.Helper()
	e.load()
	take{talk: e.talk, Sound: e.sound, began: e.began}.heard(s, hears, only(says))
}

// listensAtOutside: by key 1 alice hears bob, by 2 the outside party does, by 3 both do.
// FreeSWITCH writes what bob says to alice into the file, in the outside party's channel;
// what he says to the outside party alone, it does not write.
func listensAtOutside(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	bob := t.dials(lab.UserBob, "*0"+anchor)
	t.listens(bob, anchor, "on")
	atAlice, atOutside, atBob := t.listensAt(alice), t.listensAt(outside), t.listensAt(bob)
	silent := t.speak(speech)
	toAlice, toOutside, toBoth := t.keyed(bob, "1"), t.keyed(bob, "2"), t.keyed(bob, "3")
	again := t.keyed(bob, "0")
	pause := t.pausedAsThree(bob, alice, anchor)
	t.speak(speech) // bob is told that alice has resumed
	t.do(bob.HangUp(t.ctx))
	t.hungUp(t.leg(bob))
	without := t.speak(speech)
	t.hasState(anchor, "on")
	t.hangUp(outside, alice)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	for _, s := range []period{silent, toOutside, again, without} {
		r.heard(s, only(lab.Outside), only(lab.Alice))
	}
	for _, s := range []period{toAlice, toBoth} {
		r.heard(s, only(lab.Outside, lab.Bob), only(lab.Alice))
	}
	r.silentExactly(pause)
	r.noPrompts()
	for s, at := range map[*period][2]lab.Heard{
		&silent: {only(lab.Outside), only(lab.Alice)}, &toAlice: {only(lab.Outside, lab.Bob), only(lab.Alice)},
		&toOutside: {only(lab.Outside), only(lab.Alice, lab.Bob)}, &toBoth: {only(lab.Outside, lab.Bob), only(lab.Alice, lab.Bob)},
	} {
		atAlice.heard(*s, at[0], lab.Alice)
		atOutside.heard(*s, at[1], lab.Outside)
		atBob.heard(*s, only(lab.Outside, lab.Alice), lab.Bob)
	}
	atBob.prompt("en", "recorded", pause.from)
	atBob.prompt("en", "is-being-recorded", pause.to) // alice has resumed
	atOutside.noPrompt()
	if joined := r.about.otherCall("joined"); joined != t.leg(bob) {
		t.Errorf("the sidecar names the call %q, want bob's, %s", joined, t.leg(bob))
	}
}

// listensAtUser: bob's own call is recorded until he listens.
func listensAtUser(t *talk) {
	outside, alice := fromOutside(t)
	anchor, hers := t.leg(outside), t.leg(alice)
	t.speak(speech / 2)
	bob := t.dials(lab.UserBob, "*0"+hers)
	t.listens(bob, hers, "on")
	silent := t.speak(speech)
	toOutside, toAlice := t.keyed(bob, "1"), t.keyed(bob, "2")
	pause := t.pausedAsThree(bob, alice, anchor)
	his, after := t.leg(bob), t.speak(speech)
	t.hangUp(outside, alice)
	t.hungUp(his)
	calls := 0
	for _, r := range t.parts() {
		if r.anchor == his { // from the answer until he listens, 60 ms at most
			if r.Length > lengthSlip+noise.Between(r.began, r.began.Add(time.Second)) || r.about.otherCall("dissolved") != anchor {
				t.Errorf("bob's own file: %s; trace %+v", r.Sound, r.about.Trace)
			}
			continue
		}
		calls++
		r.heard(silent, only(lab.Outside), only(lab.Alice))
		r.heard(toOutside, only(lab.Outside), only(lab.Alice, lab.Bob))
		r.heard(toAlice, only(lab.Outside), only(lab.Alice))
		r.silentExactly(pause)
		r.heard(after, only(lab.Outside), only(lab.Alice))
	}
	if calls != 1 {
		t.Errorf("there are %d files beside bob's own, want the call's alone", calls)
	}
}

func threeWay(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	before := t.speak(speech)
	bob := t.dials(lab.UserBob, "*3"+anchor)
	t.listens(bob, anchor, "on")
	three := t.speak(speech)
	pause := t.pausedAsThree(bob, alice, anchor)
	after := t.speak(speech)
	t.hangUp(outside, alice, bob)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.heard(three, only(lab.Outside, lab.Bob), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside, lab.Bob), only(lab.Alice))
}

// dialledToListen: another program has bob's phone dialled to listen, so that his leg has
// no call of its own. He begins while alice pauses. FreeSWITCH takes the key * as the end
// of listening there, so he presses the Record key.
func dialledToListen(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	before := t.speak(speech)
	first := period{from: t.pressFor(alice, anchor, "paused")}
	who := "user/" + t.org.Extension(lab.UserBob) + "@" + t.org.Domain()
	_, err := t.suite.lab.Switch.API(t.ctx, "bgapi", "originate "+who+" &eavesdrop("+anchor+")")
	t.do(err)
	bob := t.rings(lab.UserBob)
	t.do(bob.PickUp(t.ctx))
	t.listens(bob, anchor, "paused")
	t.speak(speech / 2)
	first.to = t.recordKey(bob, "on", anchor, "on")
	t.speak(speech / 2)
	second := period{from: t.recordKey(bob, "off", anchor, "paused")}
	t.becomes(t.leg(bob), "tapedeck_state", "paused")
	t.speak(speech)
	second.to = t.pressFor(alice, anchor, "on")
	t.becomes(t.leg(bob), "tapedeck_state", "on")
	his := t.leg(bob)
	t.speak(speech / 2)
	t.hangUp(outside, alice, bob)
	t.noMarkers(his)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(first, second)
	r.never(lab.Bob)
}
