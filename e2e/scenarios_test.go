package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// allScenarios is the suite without closing. The first scenario has organisation 0,
// which the sample dialplan elements.xml names.
func allScenarios() []scenario {
	return slices.Concat(samples(), inbound(), outgoing(), transfers(), pickUps(), troubles(), toggles(), keys(), refusedTransfers(), lampScenarios(), codecs(), conferences(), queues(), rings(), dialogs(), listeners(), strangers(), unbelieved())
}

// answeredBy is an inbound call to the k-th number that a user answers.
func answeredBy(k int, who lab.Person, length time.Duration) func(*talk) period {
	return answeredWhen(k, who, length, func(*talk, *lab.Telephone) {})
}

// answeredWithPermit is answeredBy where somebody else does not want to be recorded. The
// user picks up when his phone has its start permit, some milliseconds after it rings.
// Before that, the file would be silent until it is known who has answered.
func answeredWithPermit(k int, who lab.Person, length time.Duration) func(*talk) period {
	return answeredWhen(k, who, length, func(t *talk, phone *lab.Telephone) {
		t.Helper()
		t.suite.permitted(t, t.leg(phone))
	})
}

// permitted waits until a phone that rings has its start permit.
func (s *suite) permitted(t testing.TB, leg string) {
	t.Helper()
	testkit.Within(t, permitSoon, "the start permit of "+leg, func() bool {
		got, err := s.lab.Switch.API(t.Context(), "uuid_getvar", leg+" api_on_answer_tapedeck")
		return err == nil && strings.HasPrefix(got, "uuid_setvar ")
	})
}

// permitSoon is how soon a phone that rings has its start permit: before anybody can
// pick it up.
const permitSoon = 500 * time.Millisecond

func answeredWhen(k int, who lab.Person, length time.Duration, ready func(*talk, *lab.Telephone)) func(*talk) period {
	return func(t *talk) period {
		t.Helper()
		caller := t.inbound(k)
		phone := t.rings(who)
		ready(t, phone)
		t.pickUp(phone, caller)
		s := t.speak(length)
		t.hangUp(caller, phone)
		return s
	}
}

// recordedFromStart asserts that there is one file, from the answer on, with the
// outside party and a user.
func recordedFromStart(call func(*talk) period, user lab.Tone) func(*talk) {
	return func(t *talk) {
		s := call(t)
		r := t.recording()
		r.heardFromFirstPacket(only(lab.Outside), only(user))
		r.heard(s, only(lab.Outside), only(user))
	}
}

func inbound() []scenario {
	return []scenario{
		{"inbound, number yes", settings{numbers: map[int]string{lab.ToAlice: "yes"}},
			recordedFromStart(answeredBy(lab.ToAlice, lab.UserAlice, speech), lab.Alice)},
		{"inbound, number yes, no transfer between contexts", settings{numbers: map[int]string{lab.Direct: "yes"}},
			recordedFromStart(answeredBy(lab.Direct, lab.UserAlice, speech), lab.Alice)},
		{"inbound, number yes, another user no", settings{numbers: map[int]string{lab.ToAlice: "yes"}, bob: "no"},
			recordedFromStart(answeredWithPermit(lab.ToAlice, lab.UserAlice, speech), lab.Alice)},
		{"inbound, number yes, another user no, again and again", settings{numbers: map[int]string{lab.ToAlice: "yes"}, bob: "no"}, func(t *talk) {
			for range 5 {
				answeredWithPermit(lab.ToAlice, lab.UserAlice, 600*time.Millisecond)(t)
			}
			for _, r := range t.recordings() {
				r.heardFromFirstPacket(only(lab.Outside), only(lab.Alice))
			}
		}},
		{"inbound, number dont-care", settings{}, func(t *talk) {
			answeredBy(lab.ToGroupAlice, lab.UserAlice, speech)(t)
			t.noFile()
		}},
		{"inbound, number no, then group yes", settings{numbers: map[int]string{lab.ToGroupAlice: "no"}, team: "yes"},
			recordedFromStart(answeredBy(lab.ToGroupAlice, lab.UserAlice, speech), lab.Alice)},
		{"inbound, group yes, answering user no", settings{team: "yes", alice: "no"}, func(t *talk) {
			answeredBy(lab.ToGroupAlice, lab.UserAlice, speech)(t)
			t.onlyLeft(0)
		}},
		{"inbound, group no, answering user yes", settings{team: "no", alice: "yes"}, func(t *talk) {
			s := answeredBy(lab.ToGroupAlice, lab.UserAlice, speech)(t)
			t.recording().heard(s, only(lab.Outside), only(lab.Alice))
		}},
		{"inbound, number never, group and user yes", settings{numbers: map[int]string{lab.ToGroupAlice: "never"}, team: "yes", alice: "yes"},
			func(t *talk) {
				answeredBy(lab.ToGroupAlice, lab.UserAlice, speech)(t)
				t.onlyLeft(0)
			}},
		{"application off, a later element on", settings{numbers: map[int]string{lab.ToMenu: "yes"}, reception: "no", team: "yes"}, menu},
		{"two phones ring, either answers", settings{alice: "yes", bob: "no"}, fork},
		{"answered by an application", settings{numbers: map[int]string{lab.ToDesk: "yes"}}, func(t *talk) {
			caller := t.inbound(lab.ToDesk)
			t.do(caller.Talking(t.ctx))
			s := t.speak(speech)
			t.hangUp(caller)
			r := t.recording()
			r.heardFromStart(only(lab.Outside), only(lab.App))
			r.heard(s, only(lab.Outside), only(lab.App))
		}},
		{"number in the forms that carriers send", settings{numbers: map[int]string{lab.ToAlice: "yes"}}, func(t *talk) {
			e164 := t.org.Number(lab.ToAlice)
			forms := []string{"0" + e164[3:], "0044" + e164[3:], e164[1:]}
			for _, dialled := range forms {
				caller := t.inboundVia("public", dialled)
				phone := t.rings(lab.UserAlice)
				t.pickUp(phone, caller)
				t.speak(800 * time.Millisecond)
				t.hangUp(caller, phone)
			}
			takes := t.recordings()
			if len(takes) != len(forms) {
				t.Errorf("there are %d recordings of the calls to %q, want one each", len(takes), forms)
			}
			for _, r := range takes {
				r.heardFromStart(only(lab.Outside), only(lab.Alice))
			}
		}},
	}
}

// menu is a call through an application without a setting, one that says no, and a
// ring group that says yes: one file, with silence in the middle.
func menu(t *talk) {
	caller := t.inbound(lab.ToMenu)
	t.do(caller.Talking(t.ctx))
	welcome := period{from: time.Now(), to: time.Now().Add(900 * time.Millisecond)}
	reception := period{from: welcome.from.Add(time.Second), to: welcome.from.Add(1900 * time.Millisecond)}
	phone := t.rings(lab.UserAlice)
	t.do(phone.PickUp(t.ctx))
	s := t.speak(speech)
	t.hangUp(caller, phone)

	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.App))
	r.heard(welcome, only(lab.Outside), only(lab.App))
	r.heard(reception, nobody, nobody)
	r.heard(s, only(lab.Outside), only(lab.Alice))
}

// fork is two calls to a ring group: alice, who is recorded, answers the first, and
// bob, who is not, the second.
func fork(t *talk) {
	var spoke []period
	for _, who := range []lab.Person{lab.UserAlice, lab.UserBob} {
		caller := t.inbound(lab.ToGroup)
		alice, bob := t.rings(lab.UserAlice), t.rings(lab.UserBob)
		answers, stops := alice, bob
		if who == lab.UserBob {
			answers, stops = bob, alice
		}
		t.pickUp(answers, caller)
		if _, err := stops.Ended(t.ctx); err != nil {
			t.Fatal(err)
		}
		spoke = append(spoke, t.speak(speech))
		t.hangUp(caller, answers)
	}
	t.onlyLeft(1) // bob's was silent, and is removed
	r := t.recording()
	r.heard(spoke[0], only(lab.Outside), only(lab.Alice))
	r.never(lab.Bob)
}

// dialsOut is an outgoing call of alice.
func dialsOut(t *talk) period {
	t.Helper()
	return dialsNumber(t, t.org.OutsideNumber(1))
}

func dialsNumber(t *talk, number string) period {
	t.Helper()
	caller := t.dials(lab.UserAlice, number)
	phone := t.outsideRings(number)
	t.pickUp(phone, caller)
	s := t.speak(speech)
	t.hangUp(caller, phone)
	return s
}

func outgoing() []scenario {
	return []scenario{
		{"outgoing, user yes", settings{alice: "{ inbound: no, outbound: yes, internal: no }"}, recordedFromStart(dialsOut, lab.Alice)},
		{"outgoing, user dont-care", settings{alice: "{ inbound: yes, internal: yes }"}, func(t *talk) {
			dialsOut(t)
			t.noFile()
		}},
		{"outgoing, user no, number force", settings{alice: "no", numbers: map[int]string{lab.ToAlice: "{ outbound: force }"}},
			recordedFromStart(dialsOut, lab.Alice)},
		{"internal, caller yes", settings{alice: "{ internal: yes }"}, func(t *talk) {
			caller := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
			phone := t.rings(lab.UserBob)
			t.pickUp(phone, caller)
			s := t.speak(speech)
			t.hangUp(caller, phone)
			r := t.recording()
			r.heardFromStart(only(lab.Alice), only(lab.Bob))
			r.heard(s, only(lab.Alice), only(lab.Bob))
		}},
		{"internal, caller yes, callee no", settings{alice: "{ internal: yes }", bob: "{ internal: no }"}, func(t *talk) {
			caller := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
			phone := t.rings(lab.UserBob)
			t.pickUp(phone, caller)
			t.speak(speech)
			t.hangUp(caller, phone)
			t.onlyLeft(0)
		}},
	}
}

// samples are calls through the unchanged extensions of elements.xml.
func samples() []scenario {
	return []scenario{{"sample dialplan: reception, sales group, outgoing number", settings{
		numbers: map[int]string{lab.ToOperator: "yes", lab.ToGroupAlice: "{ outbound: yes }"}, reception: "no", team: "yes",
		alice: "{ outbound: no }",
	}, func(t *talk) {
		caller := t.inbound(lab.ToOperator)
		t.do(caller.Talking(t.ctx))
		reception := period{from: time.Now(), to: time.Now().Add(1900 * time.Millisecond)}
		alice, bob := t.rings(lab.UserAlice), t.rings(lab.UserBob)
		t.do(bob.PickUp(t.ctx))
		if _, err := alice.Ended(t.ctx); err != nil {
			t.Fatal(err)
		}
		s := t.speak(speech)
		t.hangUp(caller, bob)
		r := t.recording()
		r.heard(reception, nobody, nobody)
		r.heard(s, only(lab.Outside), only(lab.Bob))

		// With + before the number, the dialplan chooses the number that is shown.
		s = dialsNumber(t, "+44"+t.org.OutsideNumber(1)[1:])
		takes := t.recordings()
		if len(takes) != 2 {
			t.Fatalf("there are %d recordings, want 2: the outgoing call has none", len(takes))
		}
		takes[1].heard(s, only(lab.Outside), only(lab.Alice))
	}}}
}
