package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
	"tapedeck/internal/testkit"
)

// dialogs are calls in which phones do with SIP what they do seldom: offer late, refresh
// the session, ask for fax, offer a picture, send digits by INFO, take the place of
// another phone, join two calls by themselves.
func dialogs() []scenario {
	yes := settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}
	internal := yes
	internal.alice = "{ internal: yes }"
	return []scenario{
		{"late offer, the switch answers when the user does", yes, sipCall("public", "late-offer.xml", nil)},
		{"late offer, the switch answers at once", yes, sipCall("strict", "late-offer.xml", nil)},
		{"the session is refreshed", yes, sipCall("public", "refreshes.xml", []string{"reinvite 200", "update 200", "late 200"})},
		{"fax is asked for and refused", yes, sipCall("public", "fax.xml", []string{"fax 488"})},
		{"a call with video", yes, sipCall("public", "video.xml", []string{"m=video"})},
		{"*1 by SIP INFO", settings{alice: "{ outbound: yes }", onDemand: digits}, codeByInfo},
		{"a user takes another user's place (Replaces)", yes, userReplaced},
		{"an outside party takes another one's place (Replaces)", yes, outsideReplaced(false)},
		{"an outside party takes another one's place (Replaces) during a pause", yes, outsideReplaced(true)},
		{"a phone joins two calls by itself", internal, joinedByPhone},
	}
}

const betweenRequests = 700 * time.Millisecond // of a phone that sipp plays

// sipOutside starts the phone of an outside party, played by sipp, that calls a number.
// Without sipp the scenario is skipped.
func (t *talk) sipOutside(context, number, scenario string, keys map[string]string) *lab.SIPPhone {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", scenario))
	t.do(err)
	all := map[string]string{"number": number}
	maps.Copy(all, keys)
	phone, err := t.suite.lab.SIPOutside(t.ctx, context, "+44"+t.org.OutsideNumber(0)[1:], path, t.TempDir(), betweenRequests, all)
	if errors.Is(err, lab.ErrNoSIPp) {
		t.Skip(err)
	}
	t.do(err)
	t.Cleanup(func() { _ = phone.Stop(time.Second) }) // it has ended, or the scenario has failed
	return phone
}

// says waits until sipp's scenario has logged lines that begin with these.
func (t *talk) says(phone *lab.SIPPhone, want []string) (said []string) {
	t.Helper()
	ok := testkit.Happens(10*time.Second, func() bool {
		var err error
		said, err = phone.Said()
		t.do(err)
		return slices.EqualFunc(said, want, strings.HasPrefix)
	})
	if !ok {
		t.Fatalf("the phone logged %q, want %q", said, want)
	}
	return said
}

// sipCall is a call of an outside party whose phone is a scenario of sipp. When the phone
// has logged these lines, alice pauses. Nothing that the phone has done moves a span.
func sipCall(context, scenario string, logs []string) func(*talk) {
	return sipCallWith(context, scenario, nil, logs)
}

// sipCallWith is sipCall with keys of the scenario.
func sipCallWith(context, scenario string, keys map[string]string, logs []string) func(*talk) {
	return func(t *talk) {
		phone := t.sipOutside(context, t.org.Number(lab.ToAlice), scenario, keys)
		alice := t.rings(lab.UserAlice)
		t.do(alice.PickUp(t.ctx))
		anchor, err := phone.Leg(t.ctx)
		t.do(err)
		before := t.speak(speech)
		said := t.says(phone, logs)
		stop := t.picture(said)
		before.to = t.speak(speech / 2).to
		t.hasState(anchor, "on")
		t.hasState(t.leg(alice), "on")
		pause := period{from: t.pressFor(alice, anchor, "paused")}
		t.speak(speech / 2)
		pause.to = t.pressFor(alice, anchor, "on")
		after := t.speak(speech)
		stop()
		t.do(alice.HangUp(t.ctx))
		t.hungUp(anchor)
		_, err = phone.Finished(t.ctx)
		t.do(err)
		r := t.recording()
		r.heard(before, only(lab.Outside), only(lab.Alice))
		r.silentExactly(pause)
		r.heard(after, only(lab.Outside), only(lab.Alice))
	}
}

// picture sends a picture to the port that the switch has answered, if it has, until
// stop.
func (t *talk) picture(said []string) (stop func()) {
	t.Helper()
	var port int
	if len(said) != 1 {
		return func() {}
	}
	if _, err := fmt.Sscanf(said[0], "m=video %d", &port); err != nil {
		return func() {}
	}
	if port == 0 {
		t.Log("this FreeSWITCH has no H.264 (mod_h26x): it refuses the picture, and the call is one without")
		return func() {}
	}
	ctx, cancel := context.WithCancel(t.ctx)
	sent := make(chan error, 1)
	go func() { sent <- lab.SendPicture(ctx, port) }()
	return func() {
		t.Helper()
		cancel()
		t.do(<-sent)
	}
}

// codeByInfo: alice's phone sends its digits as SIP INFO (application/dtmf-relay).
func codeByInfo(t *talk) {
	number := t.org.OutsideNumber(1)
	alice, err := t.suite.lab.Phones.CallFromUser(t.ctx, t.org, lab.UserAlice, number, "dtmf_type=info")
	t.do(err)
	outside := t.outsideRings(number)
	t.pickUp(outside, alice)
	anchor := t.leg(outside)
	before := t.speak(speech)
	pause := period{from: t.pressFor(alice, anchor, "paused")}
	t.speak(speech)
	pause.to = t.pressFor(alice, anchor, "on")
	after := t.speak(speech)
	t.hangUp(outside, alice)
	if n := len(t.suite.lab.Switch.Log("INFO DTMF(*)")); n != 2 {
		t.Errorf("FreeSWITCH got %d codes by INFO, want 2", n)
	}
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Alice))
}

// userReplaced: dave's phone takes alice's place in a call (INVITE with Replaces), without
// any dialplan. He is the user from then on, and his code is obeyed.
func userReplaced(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	withAlice := t.speak(speech)
	replaces, err := alice.Replaces(t.ctx)
	t.do(err)
	dave := t.sipPhone("user-replaces.xml", map[string]string{"number": t.org.Extension(lab.UserAlice), "replaces": replaces})
	_, err = alice.Ended(t.ctx)
	t.do(err)
	his := t.replacedBy(anchor, t.leg(alice))
	withDave := t.speak(speech)
	t.hasState(anchor, "on")
	t.hasState(his, "on")
	pause := period{from: t.codeArrives(his, anchor, "paused")}
	t.speak(speech / 2)
	pause.to = t.codeArrives(his, anchor, "on")
	t.speak(speech / 2)
	t.hangUp(outside)
	_, err = dave.Finished(t.ctx)
	t.do(err)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(withAlice, only(lab.Outside), only(lab.Alice))
	r.heard(withDave, only(lab.Outside), only(lab.Dave))
	r.silentExactly(pause)
	if want := []string{"alice", "dave"}; !slices.Equal(r.about.Users, want) {
		t.Errorf("the sidecar has the users %q, want %q", r.about.Users, want)
	}
}

// replacedBy waits until a leg is bridged with another one than before, and returns that.
func (t *talk) replacedBy(leg, before string) (next string) {
	t.Helper()
	_, err := t.suite.lab.Switch.Wait(t.ctx, "bridge of "+leg+" with another leg", func(e *esl.Event) bool {
		return bridges(e, leg) && !bridges(e, before)
	})
	t.do(err)
	return t.partner(leg)
}

// codeArrives lets FreeSWITCH take the code from a leg whose phone cannot press, waits
// until that state is announced, and returns when FreeSWITCH saw the press.
func (t *talk) codeArrives(leg, anchor, state string) time.Time {
	t.Helper()
	since := t.suite.lab.Switch.Seen()
	_, err := t.suite.lab.Switch.API(t.ctx, "uuid_recv_dtmf", leg+" ~"+code) // ~: they are processed, as those that a phone has sent
	t.do(err)
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "press of "+leg, lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
	t.do(err)
	t.awaitState(since, anchor, state)
	return t.moment(e, "Event-Date-Timestamp")
}

// outsideReplaced: another phone takes the outside party's place in a call (INVITE with
// Replaces). FreeSWITCH hangs the recorded leg up and asks no dialplan for the new one: its
// talk is a call of its own, with a file of its own (docs/design.md, section 12, rule 18).
// A pause of before lasts.
func outsideReplaced(paused bool) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor, hers := t.leg(outside), t.leg(alice)
		withOne := t.speak(speech)
		state := "on"
		if paused {
			state = "off" // there is no file yet
			t.pressFor(alice, anchor, "paused")
		}
		replaces, err := outside.Replaces(t.ctx)
		t.do(err)
		phone := t.sipOutside("public", t.org.Number(lab.ToAlice), "replaces.xml", map[string]string{"replaces": replaces})
		_, err = outside.Ended(t.ctx)
		t.do(err)
		next := t.replacedBy(hers, anchor)
		t.becomes(next, "tapedeck_call", next)
		t.becomes(next, "tapedeck_state", state)
		t.becomes(hers, "tapedeck_state", state)
		t.speak(speech / 2)
		if paused {
			t.pressFor(alice, next, "on")
		}
		withNext := t.speak(speech)
		pause := period{from: t.pressFor(alice, next, "paused")}
		t.speak(speech / 2)
		pause.to = t.pressFor(alice, next, "on")
		t.speak(speech / 2)
		t.do(alice.HangUp(t.ctx))
		t.hungUp(next)
		_, err = phone.Finished(t.ctx)
		t.do(err)
		r := t.recordingOf(anchor)
		r.heardFromStart(only(lab.Outside), only(lab.Alice))
		r.heard(withOne, only(lab.Outside), only(lab.Alice))
		r = t.recordingOf(next)
		r.heard(withNext, only(lab.Outside), only(lab.Alice))
		r.silentExactly(pause)
		if before := r.about.otherCall("replaced"); before != anchor {
			t.Errorf("the second sidecar names the call %q, want %s", before, anchor)
		}
		began := t.answered(next)
		if late := r.began.Sub(began); !paused && late > near+noise.Between(began, r.began) {
			t.Errorf("the second file begins %v after the leg was answered", late)
		}
	}
}

// answered is when FreeSWITCH answered a leg that has ended.
func (t *talk) answered(leg string) time.Time {
	t.Helper()
	return t.moment(t.hungUp(leg), "Caller-Channel-Answered-Time")
}

// joinedByPhone: alice's phone itself joins her call with an outside party and her call
// to bob, so that the three hear each other. FreeSWITCH does not know: they stay two
// calls with a file each, and a press acts on the call in which the phone sends it.
func joinedByPhone(t *talk) {
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	t.do(alice.Hold(t.ctx))
	second := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob := t.rings(lab.UserBob)
	t.pickUp(bob, second)
	t.do(alice.Unhold(t.ctx))
	t.do(t.suite.lab.Phones.Join(t.ctx, alice, second))
	t.speak(holdSettles)
	together := t.speak(speech)
	legs := []string{t.leg(alice), t.leg(second), t.leg(bob)}
	for _, leg := range append(legs, anchor) {
		t.hasState(leg, "on")
	}
	one := period{from: t.pressFor(alice, anchor, "paused")}
	t.speak(speech)
	t.hasState(legs[1], "on")
	both := period{from: t.pressFor(second, legs[1], "paused")}
	t.speak(speech)
	t.hangUp(outside, alice)
	t.hangUp(bob, second)
	takes := t.parts()
	if len(takes) != 2 {
		t.Errorf("there are %d recordings, want 2", len(takes))
	}
	for _, r := range takes { // while the phone holds, FreeSWITCH may write some packets less
		own, hears, since := only(lab.Outside), only(lab.Alice, lab.Bob), one
		if r.anchor != anchor {
			own, hears, since = only(lab.Outside, lab.Alice), only(lab.Bob), both
		}
		r.began = r.ended.Add(-r.Length)
		r.heard(together, own, hears)
		r.silentExactly(period{since.from, r.ended})
	}
}
