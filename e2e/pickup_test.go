package e2e

import (
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// pickUps are calls that bob picks up with a call of his own (docs/design.md, section
// 12, rule 11). The outside party has one file, and bob's code silences it.
func pickUps() []scenario {
	yes := settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}
	bobToo := settings{numbers: map[int]string{lab.ToAlice: "yes"}, bob: "{ internal: yes }", onDemand: digits}
	return []scenario{
		{"a call is picked up from somebody who talks", yes, pickedUpFromTalk},
		{"a call is picked up while it rings", yes, pickedUpWhileItRings},
		{"a call is picked up from park", yes, pickedUpFromPark(false)},
		{"a call is picked up from park by a user who is recorded", bobToo, pickedUpFromPark(true)},
		{"outgoing, the call is picked up", settings{numbers: map[int]string{lab.ToAlice: "{ outbound: yes }"}, onDemand: digits}, pickedUpOutgoing},
	}
}

// picksUp lets bob dial a pick-up code, and waits until he talks to the leg.
func (t *talk) picksUp(dials, leg string) (bob *lab.Telephone) {
	t.Helper()
	since := t.suite.lab.Switch.Seen()
	bob = t.dials(lab.UserBob, dials)
	t.do(bob.Talking(t.ctx))
	at := t.leg(bob)
	_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "bridge of "+leg+" and "+at, func(e *esl.Event) bool {
		return bridges(e, leg) && bridges(e, at)
	})
	t.do(err)
	return bob
}

// bobPauses lets bob talk, pause and resume. It asserts what the legs are told, and that
// nobody else takes the press.
func (t *talk) bobPauses(bob *lab.Telephone, anchor string) (before, pause, after period) {
	t.Helper()
	before = t.speak(speech)
	t.hasState(anchor, "on")
	t.hasState(t.leg(bob), "on")
	from := t.pressFor(bob, anchor, "paused")
	t.hasState(t.leg(bob), "paused")
	t.speak(speech)
	to := t.pressFor(bob, anchor, "on")
	t.hasState(t.leg(bob), "on")
	after = t.speak(speech)
	return before, period{from, to}, after
}

func pickedUpFromTalk(t *talk) {
	outside, _ := fromOutside(t)
	anchor := t.leg(outside)
	withAlice := t.speak(speech)
	bob := t.picksUp("**"+anchor, anchor)
	before, pause, after := t.bobPauses(bob, anchor)
	t.hangUp(outside, bob)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.heard(withAlice, only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Bob))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Bob))
}

func pickedUpWhileItRings(t *talk) {
	outside := t.inbound(lab.ToAlice)
	t.rings(lab.UserAlice)
	anchor := t.leg(outside)
	bob := t.picksUp("**"+anchor, anchor)
	before, pause, after := t.bobPauses(bob, anchor)
	t.hangUp(outside, bob)
	r := t.recording()
	r.heard(before, only(lab.Outside), only(lab.Bob))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Bob))
}

func pickedUpOutgoing(t *talk) {
	outside, alice := toOutside(t)
	anchor := t.leg(outside)
	withAlice := t.speak(speech)
	bob := t.picksUp("**"+anchor, anchor)
	_, err := alice.Ended(t.ctx)
	t.do(err)
	before, pause, after := t.bobPauses(bob, anchor)
	t.hangUp(outside, bob)
	r := t.recording()
	r.heard(withAlice, only(lab.Outside), only(lab.Alice))
	r.heard(before, only(lab.Outside), only(lab.Bob))
	r.silentExactly(pause)
	r.heard(after, only(lab.Outside), only(lab.Bob))
}

// parts are the recordings, which need not last as long as their calls: FreeSWITCH
// writes nothing while a call is parked, and a user's own call ends at the pick-up.
func (t *talk) parts() (takes []take) {
	t.Helper()
	files, err := t.suite.tapedeck.Files(t.org)
	t.do(err)
	for _, path := range files {
		if strings.HasSuffix(path, ".wav") {
			takes = append(takes, t.listenPart(path))
		}
	}
	return takes
}

// pickedUpFromPark: alice parks the call. If bob is recorded, he has a file of his own
// until he talks to the outside party.
func pickedUpFromPark(recorded bool) func(*talk) {
	return func(t *talk) {
		outside, alice := fromOutside(t)
		anchor := t.leg(outside)
		withAlice := t.speak(speech)
		t.do(alice.Transfer(t.ctx, t.org.Slot()))
		_, err := alice.Ended(t.ctx)
		t.do(err)
		t.speak(500 * time.Millisecond)
		bob := t.picksUp(t.org.Slot(), anchor)
		before, pause, after := t.bobPauses(bob, anchor)
		his := t.leg(bob)
		t.hangUp(outside, bob)
		takes := t.parts()
		want := 1
		if recorded {
			want = 2
		}
		if len(takes) != want {
			t.Fatalf("there are %d recordings, want %d", len(takes), want)
		}
		for _, r := range takes {
			if r.anchor == his {
				late := noise.Between(r.began, r.ended)
				if into := r.about.otherCall("dissolved"); into != anchor || r.Speaks(lab.Outside) > late {
					t.Errorf("bob's own file is part of the call %q, want %s: %s", into, anchor, r.Sound)
				}
				continue
			}
			if joined := r.about.otherCall("joined"); joined != his {
				t.Errorf("the outside party's sidecar names the call %q, want %s", joined, his)
			}
			r.heard(withAlice, only(lab.Outside), only(lab.Alice))
			r.heard(before, only(lab.Outside), only(lab.Bob))
			r.silentExactly(pause)
			r.heard(after, only(lab.Outside), only(lab.Bob))
		}
	}
}
