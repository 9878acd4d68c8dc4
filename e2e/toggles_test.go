package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// digits grants the code.
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
		{"the API pauses and resumes, and gives the recording", settings{numbers: number("yes"), onDemand: "api: true"}, switchedByAPI},
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

// pausedThrice also asserts who hears the prompts.
func pausedThrice(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	said := []stretch{t.speak(speech)}
	var pauses []stretch
	for range 3 {
		from := t.switches(alice, anchor, "paused")
		t.speak(speech)
		to := t.switches(alice, anchor, "on")
		pauses = append(pauses, stretch{from, to})
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
	atAlice.anyPrompt("en", "recorded", pauses, func(s stretch) time.Time { return s.from })
	atAlice.anyPrompt("en", "is-being-recorded", pauses, func(s stretch) time.Time { return s.to })
	atOutside.noPrompt()
}

// anyPrompt asserts that a prompt was heard soon after one of several moments.
func (e *ear) anyPrompt(language, name string, all []stretch, moment func(stretch) time.Time) {
	e.Helper()
	e.hear()
	p := e.readPrompt(language, name)
	at, _ := e.sound.Holds(1, p)
	likest := e.began.Add(at - p.Offset)
	slices.SortFunc(all, func(a, b stretch) int {
		return int(likest.Sub(moment(a)).Abs() - likest.Sub(moment(b)).Abs())
	})
	e.prompt(language, name, moment(all[0]))
}

// pausedOnce also asserts in which language the user is told.
func pausedOnce(language string) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		atAlice := t.listensAt(alice)
		s := t.speak(speech)
		from := t.switches(alice, anchor, "paused")
		t.speak(speech)
		to := t.switches(alice, anchor, "on")
		t.speak(speech)
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.silentExactly(stretch{from, to})
		atAlice.prompt(language, "recorded", from)
		atAlice.prompt(language, "is-being-recorded", to)
	}
}

// startedByCode is a call that is recorded from the press on, and paused when it
// ends.
func startedByCode(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	t.speak(speech)
	on := t.switches(alice, anchor, "on")
	s := t.speak(speech)
	off := t.switches(alice, anchor, "paused")
	t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	if late := r.began.Sub(on); late.Abs() > near {
		t.Errorf("the file begins %v after the press", late)
	}
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.silentExactly(stretch{off, r.ended})
	r.noPrompts()
	atAlice.prompt("en", "is-being-recorded", on)
	atAlice.prompt("en", "recorded", off)
	atOutside.noPrompt()
}

func startedOutgoing(t *talk) {
	outside, alice := toOutside(t)
	anchor := t.leg(outside)
	t.speak(speech)
	on := t.switches(alice, anchor, "on")
	s := t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	if late := r.began.Sub(on); late.Abs() > near {
		t.Errorf("the file begins %v after the press", late)
	}
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.silentExactly()
}

// codeFromOutside asserts that digits pass, but for the user's code.
func codeFromOutside(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	t.speak(speech)
	t.do(outside.Press(t.ctx, code))
	t.do(alice.Got(t.ctx, code))
	t.do(alice.Press(t.ctx, "5"))
	t.do(outside.Got(t.ctx, "5"))
	t.hasState(anchor, "on")
	from := t.switches(alice, anchor, "paused")
	t.do(outside.Press(t.ctx, code))
	t.do(alice.Got(t.ctx, code+code))
	t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.silentExactly(stretch{from, r.ended})
	if got := outside.Digits(); got != "5" {
		t.Errorf("the outside party got the digits %q, want 5", got)
	}
	if events := t.toggleEvents(anchor); len(events) > 0 {
		t.Errorf("the outside party switched %d times", len(events))
	}
}

// transferredThenCode pauses and resumes by alice, sends the outside party on to
// bob, and pauses and resumes by him.
func transferredThenCode(begin func(*talk) (outside, alice *lab.Telephone), transfer func(*talk, *lab.Telephone) *lab.Telephone) func(*talk) {
	return func(t *talk) {
		outside, alice := begin(t)
		anchor := t.leg(outside)
		withAlice := t.speak(speech)
		first := stretch{from: t.switches(alice, anchor, "paused")}
		t.speak(speech / 2)
		first.to = t.switches(alice, anchor, "on")
		bob := transfer(t, alice)
		withBob := t.speak(speech)
		second := stretch{from: t.switches(bob, anchor, "paused")}
		t.speak(speech / 2)
		t.do(outside.Press(t.ctx, code))
		t.do(bob.Got(t.ctx, code))
		second.to = t.switches(bob, anchor, "on")
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
	from := t.switches(alice, anchor, "paused")
	t.speak(speech)
	to := t.switches(bob, anchor, "on")
	after := t.speak(speech)
	t.hangUp(alice, bob)
	r := t.recording()
	r.heard(before, only(lab.Alice), only(lab.Bob))
	r.heard(after, only(lab.Alice), only(lab.Bob))
	r.silentExactly(stretch{from, to})
	r.noPrompts()
	atAlice.prompt("en", "recorded", from)
	atBob.prompt("en", "is-being-recorded", to)
}

// refusedCode presses twice, which changes nothing.
func refusedCode(why string) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
		s := t.speak(speech)
		for range 2 {
			t.refused(alice, anchor, why)
		}
		at := t.moment(t.toggleEvents(t.leg(alice))[0], "Event-Date-Timestamp")
		t.hasState(anchor, "on")
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.silentExactly()
		r.noPrompts()
		atAlice.anyPrompt("en", "not-permitted", []stretch{{from: at}, {from: t.moment(t.toggleEvents(t.leg(alice))[1], "Event-Date-Timestamp")}},
			func(s stretch) time.Time { return s.from })
		atOutside.noPrompt()
	}
}

// notGranted asserts that the code is digits like others.
func notGranted(t *talk) {
	outside, alice := fromOutside(t)
	t.speak(speech)
	t.do(alice.Press(t.ctx, code))
	t.do(outside.Got(t.ctx, code))
	s := t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.silentExactly()
	if events := t.toggleEvents(t.leg(alice)); len(events) > 0 {
		t.Errorf("FreeSWITCH told of %d switches, want none", len(events))
	}
}

// pauseThenTransfer is paused by alice and sent to bob, whose setting is yes: the
// pause stays only if it is sticky.
func pauseThenTransfer(sticky bool) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		withAlice := t.speak(speech)
		from := t.switches(alice, anchor, "paused")
		t.speak(speech / 2)
		bob := blind(t, alice)
		withBob := t.speak(speech)
		var last stretch
		if sticky {
			t.switches(bob, anchor, "on")
			last = t.speak(speech)
		}
		t.hangUp(outside, bob)
		r := t.recording()
		r.heard(withAlice, only(lab.Outside), only(lab.Alice))
		r.heard(stretch{from, withBob.from}, nobody, nobody)
		if sticky {
			r.heard(withBob, nobody, nobody)
			r.heard(last, only(lab.Outside), only(lab.Bob))
		} else {
			r.heard(withBob, only(lab.Outside), only(lab.Bob))
		}
	}
}

// endsByItself is a pause that nobody ends. Ten seconds before its end, if it is
// that long, the user is reminded.
func endsByItself(limit time.Duration) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
		t.speak(speech)
		since := t.suite.lab.Switch.Seen()
		from := t.switches(alice, anchor, "paused")
		if limit > 10*time.Second { // longer than one step of a call may take
			t.speak(limit - 5*time.Second)
		}
		t.told(since, anchor, "on")
		s := t.speak(speech)
		t.hangUp(outside, alice)
		r := t.recording()
		r.silentExactly(stretch{from, from.Add(limit)})
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.noPrompts()
		atAlice.prompt("en", "is-being-recorded", from.Add(limit))
		if limit > 10*time.Second {
			atAlice.prompt("en", "pause-ends-soon", from.Add(limit-10*time.Second))
		}
		atOutside.noPrompt()
	}
}

// twice presses the code twice in a row, with so much between the two: the state
// is what it was before.
func twice(between time.Duration) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor, leg := t.leg(outside), t.leg(alice)
		before := t.speak(speech)
		var at []time.Time
		for i := range 2 {
			since := t.suite.lab.Switch.Seen()
			if i > 0 && between > 0 {
				t.speak(between)
			}
			// as if the digits had come: a phone cannot send them so close to each other
			_, err := t.suite.lab.Switch.API(t.ctx, "uuid_recv_dtmf", leg+" ~"+code+"@40")
			t.do(err)
			e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "switch", lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
			t.do(err)
			at = append(at, t.moment(e, "Event-Date-Timestamp"))
		}
		t.Logf("%v between two switches", at[1].Sub(at[0]))
		if at[1].Sub(at[0]) > 300*time.Millisecond {
			t.Errorf("%v were between the switches, want less than 300 ms", at[1].Sub(at[0]))
		}
		after := t.speak(speech)
		t.hasState(anchor, "on")
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(before, only(lab.Outside), only(lab.Alice))
		r.heard(after, only(lab.Outside), only(lab.Alice))
		t.loggedPresses(anchor, 2)
		if between > near {
			r.silentExactly(stretch{at[0], at[1]})
		}
	}
}

// loggedPresses asserts how many switches Tapedeck obeyed.
func (t *talk) loggedPresses(call string, want int) {
	t.Helper()
	n := 0
	for _, line := range t.suite.tapedeck.Log("call=" + call + " ") {
		if strings.Contains(line, "press received") && strings.HasSuffix(line, "result=ok") {
			n++
		}
	}
	if n != want {
		t.Errorf("tapedeck obeyed %d switches, want %d", n, want)
	}
}

// pressedThenGone hangs up while the switch is being carried out.
func pressedThenGone(t *talk) {
	for range 3 {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		t.speak(speech)
		t.press(alice)
		t.hangUp(outside, alice)
		if lines := t.suite.tapedeck.Complaints("call=" + anchor); len(lines) > 0 {
			t.Errorf("tapedeck complained: %q", lines)
		}
	}
	for _, r := range t.recordings() {
		r.heardFromStart(only(lab.Outside), only(lab.Alice))
	}
}

// bothAtOnce is two users who press at the same moment, twice.
func bothAtOnce(t *talk) {
	alice := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob := t.rings(lab.UserBob)
	t.pickUp(bob, alice)
	anchor := t.leg(alice)
	before := t.speak(speech)
	for range 2 {
		since := t.suite.lab.Switch.Seen()
		for _, phone := range []*lab.Telephone{alice, bob} {
			t.do(phone.Press(t.ctx, code))
		}
		for _, phone := range []*lab.Telephone{alice, bob} {
			_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "switch", lab.IsCustom("tapedeck::toggle", "Unique-ID", t.leg(phone)))
			t.do(err)
		}
		t.speak(speech)
		t.hasState(anchor, "on")
	}
	after := t.speak(speech)
	t.hangUp(alice, bob)
	r := t.recording()
	r.heard(before, only(lab.Alice), only(lab.Bob))
	r.heard(after, only(lab.Alice), only(lab.Bob))
	t.loggedPresses(anchor, 4)
}

const announcement = "this-call-is-recorded"

// disclaimer is heard once, whatever is switched later.
func disclaimer(both bool) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
		anchor := t.leg(outside)
		t.speak(2 * speech)
		from := t.switches(alice, anchor, "paused")
		t.speak(speech / 2)
		to := t.switches(alice, anchor, "on")
		s := t.speak(2 * speech)
		t.hangUp(outside, alice)
		r := t.recording()
		r.heard(s, only(lab.Outside), only(lab.Alice))
		r.silentExactly(stretch{from, to})
		r.noPrompts()
		atOutside.prompt("en", announcement, r.answered)
		want := []string{anchor}
		if both {
			atAlice.prompt("en", announcement, r.answered)
			want = append(want, t.leg(alice))
		} else {
			atAlice.hear()
			if _, loudness := atAlice.sound.Holds(1, t.readPrompt("en", announcement)); loudness > promptGone {
				t.Errorf("the user heard the disclaimer")
			}
		}
		t.announced(want...)
		if lines := t.suite.tapedeck.Log("call=" + anchor + " "); !mentions(lines, `disclaimer played`) || !mentions(lines, "result=heard") {
			t.Errorf("the log does not say that the disclaimer was heard: %q", lines)
		}
	}
}

// announced asserts that the disclaimer was played once on each of these legs of
// the organisation's call, and on no other.
func (t *talk) announced(legs ...string) {
	t.Helper()
	for _, leg := range legs {
		n := len(t.suite.lab.Switch.Events(func(e *esl.Event) bool {
			return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), fmt.Sprintf("/%s.wav", announcement))
		}))
		if n != 1 {
			t.Errorf("the disclaimer was played %d times on a leg, want once", n)
		}
	}
}

func disclaimerOutgoing(t *talk) {
	outside, alice := toOutside(t)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	anchor := t.leg(outside)
	s := t.speak(2 * speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.heard(s, only(lab.Outside), only(lab.Alice))
	r.noPrompts()
	atOutside.prompt("en", announcement, r.answered)
	atAlice.noPrompt()
	t.announced(anchor)
}
