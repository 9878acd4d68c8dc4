package e2e

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

const transferAndDigits = `blind_transfer: "*1", dtmf: "*1"`

// refusedTransfers are calls during which a phone without a record key asks for a
// transfer to the code.
func refusedTransfers() []scenario {
	yes := settings{numbers: map[int]string{lab.ToDave: "yes", lab.ToAlice: "yes"}, onDemand: transferAndDigits}
	disabled := yes
	disabled.may = map[string]string{"dave": "disable"}
	off := yes
	off.numbers = nil
	internal := settings{alice: "{ internal: yes }", onDemand: keyAndDigits + `, blind_transfer: "*1"`}
	return []scenario{
		{"transfer to the code, three times", yes, refusedThrice},
		{"transfer to the code starts", off, refusedStarts},
		{"transfer to the code by a user who may not", disabled, refusedDisabled},
		{"outgoing, transfer to the code, twice", settings{onDemand: transferAndDigits}, refusedOutgoing},
		{"internal, transfer to the code by the callee", internal, refusedInternal},
		{"ordinary blind transfer where transfers to the code are granted", yes, transferredThenCode(fromOutside, blind)},
		{"ordinary attended transfer where transfers to the code are granted", yes, transferredThenCode(fromOutside, attended)},
		{"outgoing, ordinary blind transfer where transfers to the code are granted", settings{alice: "yes", bob: "yes", onDemand: transferAndDigits},
			transferredThenCode(toOutside, blind)},
	}
}

// sipPhone starts dave's phone. Without sipp the scenario is skipped.
func (t *talk) sipPhone(scenario string, keys map[string]string, more ...string) *lab.SIPPhone {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", scenario))
	t.do(err)
	phone, err := t.suite.lab.SIPPhone(t.org, path, t.TempDir(), speech, keys, more...)
	if errors.Is(err, lab.ErrNoSIPp) {
		t.Skip(err)
	}
	t.do(err)
	t.Cleanup(func() { _ = phone.Stop(time.Second) }) // it has ended, or the scenario has failed
	return phone
}

func (t *talk) toCode() map[string]string {
	return map[string]string{"refer_to": t.suite.lab.SIPAddress(code)}
}

// changes waits until these states are announced one after the other, and returns
// when each was.
func (t *talk) changes(since int, anchor string, states ...string) (at []time.Time) {
	t.Helper()
	for _, state := range states {
		e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "tapedeck::state "+state, func(e *esl.Event) bool {
			return lab.IsCustom("tapedeck::state", "Tapedeck-Anchor", anchor)(e) && e.Get("Tapedeck-State") == state &&
				(len(at) == 0 || t.moment(e, "Event-Date-Timestamp").After(at[len(at)-1]))
		})
		t.do(err)
		at = append(at, t.moment(e, "Event-Date-Timestamp"))
	}
	return at
}

// forbidden asserts that the phone was notified that its transfers failed.
func (t *talk) forbidden(phone *lab.SIPPhone, times int) {
	t.Helper()
	said, err := phone.Finished(t.ctx) // without an error everything went as the sipp scenario says, in one dialogue
	t.do(err)
	want := slices.Repeat([]string{"notify SIP/2.0 403 Forbidden"}, times)
	if !slices.Equal(said, want) {
		t.Errorf("the phone was told %q, want %q", said, want)
	}
}

func refusedThrice(t *talk) { refusedThriceTo("")(t) }

// refusedThriceTo is a call during which a phone asks for a transfer to the code, with
// headers for the call that would follow from it.
func refusedThriceTo(headers string) func(*talk) {
	return func(t *talk) { t.refusedThrice(headers) }
}

func (t *talk) refusedThrice(headers string) {
	phone := t.sipPhone("refers-three-times.xml", map[string]string{"refer_to": t.suite.lab.SIPAddress(code) + headers})
	outside := t.inbound(lab.ToDave)
	t.do(outside.Talking(t.ctx))
	anchor, since := t.leg(outside), t.suite.lab.Switch.Seen()
	began := time.Now()
	at := t.changes(since, anchor, "paused", "on", "paused")
	s := t.speak(speech)
	t.hangUp(outside)
	t.forbidden(phone, 3)
	r := t.recording()
	r.heard(period{began, at[0]}, only(lab.Outside), only(lab.Dave))
	r.heard(period{at[1], at[2]}, only(lab.Outside), only(lab.Dave))
	r.heard(s, nobody, nobody)
	r.silentExactly(period{at[0], at[1]}, period{at[2], r.ended})
	r.noPrompts()
	t.loggedPresses(anchor, 3)
}

// refusedStarts is a call whose recording starts with the first transfer.
func refusedStarts(t *talk) {
	phone := t.sipPhone("refers-three-times.xml", t.toCode())
	outside := t.inbound(lab.ToDave)
	t.do(outside.Talking(t.ctx))
	anchor, since := t.leg(outside), t.suite.lab.Switch.Seen()
	atOutside := t.listensAt(outside)
	at := t.changes(since, anchor, "on", "paused", "on")
	s := t.speak(speech)
	t.hangUp(outside)
	t.forbidden(phone, 3)
	r := t.recording()
	r.heard(period{at[0], at[1]}, only(lab.Outside), only(lab.Dave))
	r.heard(s, only(lab.Outside), only(lab.Dave))
	r.silentExactly(period{at[1], at[2]})
	r.noPrompts()
	atOutside.noPrompt()
}

func refusedDisabled(t *talk) {
	phone := t.sipPhone("refers-three-times.xml", t.toCode())
	outside := t.inbound(lab.ToDave)
	t.do(outside.Talking(t.ctx))
	anchor := t.leg(outside)
	t.speak(4 * speech)
	s := t.speak(speech)
	t.hangUp(outside)
	t.forbidden(phone, 3)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Dave))
	r.heard(s, only(lab.Outside), only(lab.Dave))
	r.silentExactly()
	refusals := slices.DeleteFunc(t.suite.tapedeck.Log("call="+anchor+" "), func(line string) bool {
		return !strings.Contains(line, "method=blind_transfer") || !strings.HasSuffix(line, "result=user_disabled")
	})
	if len(refusals) != 3 {
		t.Errorf("tapedeck refused %d presses, want 3: %q", len(refusals), refusals)
	}
}

func refusedOutgoing(t *talk) {
	number := t.org.OutsideNumber(1)
	phone := t.sipPhone("dials-refers-twice.xml", t.toCode(), "-s", number)
	outside := t.outsideRings(number)
	t.do(outside.PickUp(t.ctx))
	anchor, since := t.leg(outside), t.suite.lab.Switch.Seen()
	at := t.changes(since, anchor, "on", "paused")
	t.speak(speech)
	t.hangUp(outside)
	t.forbidden(phone, 2)
	r := t.recording()
	if late := r.began.Sub(at[0]); late.Abs() > near {
		t.Errorf("the file begins %v after the state was announced", late)
	}
	r.heard(period{at[0], at[1]}, only(lab.Outside), only(lab.Dave))
	r.silentExactly(period{at[1], r.ended})
}

// refusedInternal also asserts that the caller's code and record key work afterwards.
func refusedInternal(t *talk) {
	phone := t.sipPhone("refers-three-times.xml", t.toCode())
	alice := t.dials(lab.UserAlice, t.org.Extension(lab.UserDave))
	t.do(alice.Talking(t.ctx))
	anchor, since := t.leg(alice), t.suite.lab.Switch.Seen()
	at := t.changes(since, anchor, "paused", "on", "paused")
	t.speak(speech)
	to := t.pressFor(alice, anchor, "on")
	t.speak(speech)
	from := t.recordKey(alice, "off", anchor, "paused")
	t.speak(speech / 2)
	again := t.recordKey(alice, "on", anchor, "on")
	s := t.speak(speech)
	t.hangUp(alice)
	t.forbidden(phone, 3)
	r := t.recording()
	r.heard(period{at[1], at[2]}, only(lab.Alice), only(lab.Dave))
	r.heard(s, only(lab.Alice), only(lab.Dave))
	r.silentExactly(period{at[0], at[1]}, period{at[2], to}, period{from, again})
	t.noMarkers(anchor)
	t.loggedPresses(anchor, 6)
}
