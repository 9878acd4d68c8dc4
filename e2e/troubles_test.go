package e2e

import (
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// troubles are calls that fail, or are not recorded.
func troubles() []scenario {
	yes := settings{numbers: map[int]string{lab.ToAlice: "yes", lab.Direct: "yes"}}
	off := yes
	off.off = true
	return []scenario{
		{"caller gives up before the answer", yes, callerGivesUp},
		{"outgoing, caller gives up before the answer", settings{alice: "yes"}, callerGivesUpOutgoing},
		{"organisation without recording", off, withoutRecording},
		{"unknown number, also with the mandatory dialplan", settings{}, unknownNumber},
		{"a domain that no organisation has", settings{domain: "elsewhere.lab", alice: "yes"}, wrongDomain},
		{"answered by nobody whom the policy knows", settings{numbers: map[int]string{lab.ToStranger: "yes"}, onDemand: digits}, stranger},
		{"tapedeck not running", yes, notRunning},
		{"mandatory dialplan, tapedeck running", yes, mandatoryRunning},
		{"mandatory dialplan, tapedeck not running", yes, mandatoryNotRunning},
	}
}

func callerGivesUp(t *talk) {
	caller := t.inbound(lab.ToAlice)
	phone := t.rings(lab.UserAlice)
	t.givesUp(caller, phone)
}

func callerGivesUpOutgoing(t *talk) {
	number := t.org.OutsideNumber(1)
	caller := t.dials(lab.UserAlice, number)
	phone := t.outsideRings(number)
	t.givesUp(caller, phone)
}

// givesUp lets the caller hang up before the answer. It asserts that there is no file,
// and that Tapedeck logs no warning.
func (t *talk) givesUp(caller, phone *lab.Telephone) {
	t.Helper()
	leg := t.leg(caller)
	t.hangUp(caller, phone)
	t.noFile()
	for _, line := range t.suite.tapedeck.Complaints(leg) {
		t.Errorf("tapedeck complained: %s", line)
	}
}

func withoutRecording(t *talk) {
	answeredBy(lab.ToAlice, lab.UserAlice, speech)(t)
	t.noFile()
}

func unknownNumber(t *talk) {
	const series = `tapedeck_calls_total{direction="unknown",state="unknown"}`
	number := t.org.OutsideNumber(2)
	for _, context := range []string{"public", "strict"} {
		before, err := t.suite.tapedeck.Metric(t.ctx, series)
		t.do(err)
		caller := t.inboundVia(context, number)
		phone := t.outsideRings(number)
		t.pickUp(phone, caller)
		t.speak(speech / 2)
		t.hangUp(caller, phone)
		t.noFile()
		after, err := t.suite.tapedeck.Metric(t.ctx, series)
		t.do(err)
		if after <= before { // other scenarios have calls of no organisation, too
			t.Errorf("%s went from %v to %v, want at least one more", series, before, after)
		}
	}
	t.complainedOnce(ofNobody, "number="+number)
}

// wrongDomain lets alice call bob twice. The policy has another domain for her
// organisation: nothing is recorded, and one line says which domain and which number
// belong to nobody.
func wrongDomain(t *talk) {
	for range 2 {
		alice := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
		bob := t.rings(lab.UserBob)
		t.pickUp(bob, alice)
		t.speak(speech / 2)
		t.hangUp(alice, bob)
	}
	t.noFile()
	t.complainedOnce(ofNobody, "domain="+t.org.Domain()+" number="+t.org.Extension(lab.UserBob))
}

// stranger: a phone answers that is in the users' domain and no user's. The number says
// yes: the call is recorded. Nobody may switch the recording, and the log says why.
func stranger(t *talk) {
	caller := t.inbound(lab.ToStranger)
	phone, err := t.suite.lab.Phones.Ringing(t.ctx, t.org.Stranger(), lab.Carol)
	t.do(err)
	t.pickUp(phone, caller)
	anchor, said := t.leg(caller), t.speak(speech)
	t.press(phone)
	testkit.Within(t, near, "refusal of the code", func() bool {
		return mentions(t.suite.tapedeck.Log("call="+anchor+" "), "method=dtmf ask=\"turn over\" result=not_its_user")
	})
	t.hasState(anchor, "on")
	t.hangUp(caller, phone)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Carol))
	r.heard(said, only(lab.Outside), only(lab.Carol))
	r.silentExactly()
	t.complainedOnce(answeredByNobody, "call="+anchor+" ")
	t.complainedOnce(answeredByNobody, "presence_id="+t.org.Stranger()+"@"+t.org.Domain())
}

// What Tapedeck's log says of a call that belongs to no organisation, of a phone that
// answers and is no user's, and of a stranger at its socket. The scenarios that cause such lines look at them.
const (
	ofNobody         = "call of no organisation"
	answeredByNobody = "answered by nobody"
	sentAway         = "reason=stranger"
)

// complainedOnce asserts that one warning of Tapedeck's log has both texts.
func (t *talk) complainedOnce(text, and string) {
	t.Helper()
	lines := slices.DeleteFunc(t.suite.tapedeck.Complaints(text), func(line string) bool { return !strings.Contains(line, and) })
	if len(lines) != 1 {
		t.Errorf("tapedeck complained %d times with %q and %q, want once; all its lines with the first: %q", len(lines), text, and, t.suite.tapedeck.Log(text))
	}
}

func notRunning(t *talk) {
	caller := t.inboundVia("away", t.org.Number(lab.Direct))
	phone := t.rings(lab.UserAlice)
	leg := t.leg(caller)
	t.pickUp(phone, caller)
	t.speak(speech)
	t.hangUp(caller, phone)
	t.noFile()
	if lines := t.suite.lab.Switch.Log(leg); !mentions(lines, "Socket Error") {
		t.Errorf("FreeSWITCH did not log that the socket could not be reached")
	}
}

func mandatoryRunning(t *talk) {
	caller := t.inboundVia("strict", t.org.Number(lab.Direct))
	phone := t.rings(lab.UserAlice)
	t.pickUp(phone, caller)
	s := t.speak(speech)
	t.hangUp(caller, phone)
	t.recording().heard(s, only(lab.Outside), only(lab.Alice))
}

func mandatoryNotRunning(t *talk) {
	caller := t.inboundVia("strict-away", t.org.Number(lab.Direct))
	cause, err := caller.Ended(t.ctx)
	t.do(err)
	if want := "NORMAL_TEMPORARY_FAILURE"; cause != want { // 503
		t.Errorf("the call ended with %s, want %s", cause, want)
	}
	t.noFile()
}

// closing are calls that run alone, after all others, because Tapedeck ends during
// them.
func closing() []scenario {
	return []scenario{
		{"tapedeck stops during a call", settings{numbers: map[int]string{lab.ToAlice: "yes"}}, func(t *talk) {
			caller := t.inbound(lab.ToAlice)
			phone := t.rings(lab.UserAlice)
			t.pickUp(phone, caller)
			before := t.speak(800 * time.Millisecond)
			if err := t.suite.tapedeck.Stop(stopsWithin); err != nil { // exit code 0
				t.Errorf("tapedeck serve, after SIGTERM: %v", err)
			}
			after := t.speak(speech)
			t.hangUp(caller, phone)
			r := t.recording()
			r.heardFromStart(only(lab.Outside), only(lab.Alice))
			r.heard(period{before.from, after.to}, only(lab.Outside), only(lab.Alice))
		}},
	}
}

func mentions(lines []string, text string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}
