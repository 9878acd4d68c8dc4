package e2e

import (
	"time"

	"tapedeck/e2e/lab"
)

// digits is the on_demand that grants the code.
const digits = `dtmf: "*1"`

// toggles are calls during which somebody presses the code.
func toggles() []scenario {
	number := func(setting string) map[int]string { return map[int]string{lab.ToAlice: setting} }
	yes := settings{numbers: number("yes"), onDemand: digits}
	with := func(s settings, change func(*settings)) settings { change(&s); return s }
	spanish := with(yes, func(s *settings) { s.more = "prompts: { language: es }" })
	return []scenario{
		{"*1 pauses and resumes, three times", yes, pausedThrice},
		{"*1 starts where the number says no", settings{numbers: number("no"), onDemand: digits}, startedByCode},
		{"*1 starts where nobody says anything", settings{onDemand: digits}, startedByCode},
		{"*1 of the outside party", yes, codeFromOutside},
		{"*1 after a blind transfer", yes, transferredThenCode(fromOutside, blind)},
		{"*1 after an attended transfer", yes, transferredThenCode(fromOutside, attended)},
		{"outgoing, *1 before and after a blind transfer", settings{alice: "yes", bob: "yes", onDemand: digits}, transferredThenCode(toOutside, blind)},
		{"outgoing, *1 before and after an attended transfer", settings{alice: "{ outbound: yes }", bob: "yes", onDemand: digits},
			transferredThenCode(toOutside, attended)},
		{"outgoing, *1 starts", settings{onDemand: digits}, startedOutgoing},
		{"internal, *1 of both", settings{alice: "{ internal: yes }", onDemand: digits}, codeOfBoth},
		{"the API pauses and resumes, and gives the recording", settings{numbers: number("yes"), onDemand: "api: true"}, pressedByAPI},
		{"*1 against a lock", settings{numbers: number("force"), onDemand: digits}, refusedCode("locked")},
		{"*1 of a user who may override a lock", settings{numbers: number("force"), onDemand: digits, may: map[string]string{"alice": "override"}}, pausedOnce("en")},
		{"*1 of a user who may not", with(yes, func(s *settings) { s.may = map[string]string{"alice": "disable"} }), refusedCode("user_disabled")},
		{"*1 where the organisation has no grant", settings{numbers: number("yes"), onDemand: "record_key: true"}, notGranted},
		{"prompts in Spanish", spanish, pausedOnce("es")},
		{"pause, then a transfer to a user with a setting", with(yes, func(s *settings) { s.bob = "yes" }), pauseThenTransfer(false)},
		{"sticky pause, then a transfer to a user with a setting", with(yes, func(s *settings) { s.bob, s.onDemand = "yes", digits+", sticky_pause: true" }), pauseThenTransfer(true)},
		{"a pause ends by itself", settings{numbers: number("yes"), onDemand: digits + ", auto_resume: 3s"}, endsByItself(3 * time.Second)},
		{"a pause ends by itself, with a reminder", settings{numbers: number("yes"), onDemand: digits + ", auto_resume: 11s"}, endsByItself(11 * time.Second)},
		{"two presses as close as can be", with(yes, func(s *settings) { s.onDemand = keyAndDigits }), twice(0)},
		{"two presses within 300 ms", with(yes, func(s *settings) { s.onDemand = keyAndDigits }), twice(200 * time.Millisecond)},
		{"hangup right after *1", yes, pressedThenGone},
		{"internal, both press at once", settings{alice: "{ internal: yes }", onDemand: keyAndDigits}, bothAtOnce},
		{"disclaimer to the outside party", with(yes, func(s *settings) { s.more = "disclaimer: { play: this-call-is-recorded.wav, to: external }" }), disclaimer(false)},
		{"disclaimer to both", with(yes, func(s *settings) { s.more = "disclaimer: { play: this-call-is-recorded.wav, to: both }" }), disclaimer(true)},
		{"outgoing, disclaimer to the outside party", settings{alice: "yes", more: "disclaimer: { play: this-call-is-recorded.wav, to: external }"}, disclaimerOutgoing},
	}
}

// pausedThrice pauses and resumes three times. It also asserts who hears the
// prompts.
func pausedThrice(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	said := []period{t.speak(speech)}
	var pauses []period
	for range 3 {
		from := t.pressFor(alice, anchor, "paused")
		t.speak(speech)
		to := t.pressFor(alice, anchor, "on")
		pauses = append(pauses, period{from, to})
		said = append(said, t.speak(speech))
	}
	t.hangUp(outside, alice)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.silentExactly(pauses...)
	for _, s := range said {
		r.heard(s, only(lab.Outside), only(lab.Alice))
	}
	r.noPrompts()
	atAlice.anyPrompt("en", "recorded", pauses, func(s period) time.Time { return s.from })
	atAlice.anyPrompt("en", "is-being-recorded", pauses, func(s period) time.Time { return s.to })
	atOutside.noPrompt()
}

// pausedOnce pauses and resumes once. It also asserts the language of the prompts.
func pausedOnce(language string) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		atAlice := t.listensAt(alice)
		s := t.speak(speech)
		from := t.pressFor(alice, anchor, "paused")
		t.speak(speech)
		to := t.pressFor(alice, anchor, "on")
		t.speak(speech)
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.silentExactly(period{from, to})
		atAlice.prompt(language, "recorded", from)
		atAlice.prompt(language, "is-being-recorded", to)
	}
}

// startedByCode is a call that is recorded from the first press on, and is paused
// when it ends.
func startedByCode(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	t.speak(speech)
	on := t.pressFor(alice, anchor, "on")
	s := t.speak(speech)
	off := t.pressFor(alice, anchor, "paused")
	t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	if late := r.began.Sub(on); late.Abs() > near {
		t.Errorf("the file begins %v after the press", late)
	}
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.silentExactly(period{off, r.ended})
	r.noPrompts()
	atAlice.prompt("en", "is-being-recorded", on)
	atAlice.prompt("en", "recorded", off)
	atOutside.noPrompt()
}

func startedOutgoing(t *talk) {
	outside, alice := toOutside(t)
	anchor := t.leg(outside)
	t.speak(speech)
	on := t.pressFor(alice, anchor, "on")
	s := t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	if late := r.began.Sub(on); late.Abs() > near {
		t.Errorf("the file begins %v after the press", late)
	}
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.silentExactly()
}

// transferredThenCode lets alice pause and resume, transfers the outside party to
// bob, and lets him pause and resume.
func transferredThenCode(begin func(*talk) (outside, alice *lab.Telephone), transfer func(*talk, *lab.Telephone) *lab.Telephone) func(*talk) {
	return func(t *talk) {
		outside, alice := begin(t)
		anchor := t.leg(outside)
		withAlice := t.speak(speech)
		first := period{from: t.pressFor(alice, anchor, "paused")}
		t.speak(speech / 2)
		first.to = t.pressFor(alice, anchor, "on")
		bob := transfer(t, alice)
		withBob := t.speak(speech)
		second := period{from: t.pressFor(bob, anchor, "paused")}
		t.speak(speech / 2)
		t.do(outside.Press(t.ctx, code))
		t.do(bob.Got(t.ctx, code))
		second.to = t.pressFor(bob, anchor, "on")
		last := t.speak(speech)
		t.hangUp(outside, bob)
		r := t.recordingOf(anchor)
		r.heard(withAlice, only(lab.Outside), only(lab.Alice))
		r.heard(withBob, only(lab.Outside), only(lab.Bob))
		r.heard(last, only(lab.Outside), only(lab.Bob))
		r.silentExactly(first, second)
	}
}

// codeOfBoth is an internal call that the caller pauses and the callee resumes.
func codeOfBoth(t *talk) {
	alice := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob := t.rings(lab.UserBob)
	t.pickUp(bob, alice)
	anchor := t.leg(alice)
	atAlice, atBob := t.listensAt(alice), t.listensAt(bob)
	before := t.speak(speech)
	from := t.pressFor(alice, anchor, "paused")
	t.speak(speech)
	to := t.pressFor(bob, anchor, "on")
	after := t.speak(speech)
	t.hangUp(alice, bob)
	r := t.recording()
	r.heard(before, only(lab.Alice), only(lab.Bob))
	r.heard(after, only(lab.Alice), only(lab.Bob))
	r.silentExactly(period{from, to})
	r.noPrompts()
	atAlice.prompt("en", "recorded", from)
	atBob.prompt("en", "is-being-recorded", to)
}

// pauseThenTransfer is a call that alice pauses and transfers to bob, whose setting
// is yes. The pause stays only if it is sticky.
func pauseThenTransfer(sticky bool) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		withAlice := t.speak(speech)
		from := t.pressFor(alice, anchor, "paused")
		t.speak(speech / 2)
		bob := blind(t, alice)
		withBob := t.speak(speech)
		var last period
		if sticky {
			t.pressFor(bob, anchor, "on")
			last = t.speak(speech)
		}
		t.hangUp(outside, bob)
		r := t.recording()
		r.heard(withAlice, only(lab.Outside), only(lab.Alice))
		r.heard(period{from, withBob.from}, nobody, nobody)
		if sticky {
			r.heard(withBob, nobody, nobody)
			r.heard(last, only(lab.Outside), only(lab.Bob))
		} else {
			r.heard(withBob, only(lab.Outside), only(lab.Bob))
		}
	}
}

// endsByItself is a pause that nobody ends: auto_resume does. If it is longer than
// ten seconds, the user is reminded ten seconds before its end.
func endsByItself(limit time.Duration) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
		t.speak(speech)
		since := t.suite.lab.Switch.Seen()
		from := t.pressFor(alice, anchor, "paused")
		if limit > 10*time.Second { // longer than one step of a call may take
			t.speak(limit - 5*time.Second)
		}
		t.awaitState(since, anchor, "on")
		s := t.speak(speech)
		t.hangUp(outside, alice)
		r := t.recording()
		r.silentExactly(period{from, from.Add(limit)})
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.noPrompts()
		atAlice.prompt("en", "is-being-recorded", from.Add(limit))
		if limit > 10*time.Second {
			atAlice.prompt("en", "pause-ends-soon", from.Add(limit-10*time.Second))
		}
		atOutside.noPrompt()
	}
}
