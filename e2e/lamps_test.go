package e2e

import (
	"slices"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/internal/testkit"
)

// lampScenarios are calls whose recording a phone shows on a lamp key.
func lampScenarios() []scenario {
	yes := settings{numbers: map[int]string{lab.ToAlice: "yes"}, onDemand: digits}
	return []scenario{
		{"lamp of a phone", yes, lamp},
	}
}

// What the lamp shows. Dark means that there is no dialog (RFC 4235).
const dark, lit, blinking = "lamp </dialog-info>", "lamp <state>confirmed", "lamp <state>early"

// lamp watches alice's recording from dave's phone: dark, on, blinking, on, dark.
func lamp(t *talk) {
	phone := t.sipPhone("lamp.xml", map[string]string{"watched": "record+" + t.org.Extension(lab.UserAlice)})
	shows := func(want ...string) {
		t.Helper()
		var shown []string
		if !testkit.Happens(5*time.Second, func() bool {
			said, err := phone.Said()
			t.do(err)
			shown = slices.Compact(said)
			return slices.Equal(shown, want)
		}) {
			t.Fatalf("the lamp showed %q, want %q", shown, want)
		}
	}
	shows(dark)
	outside, alice := fromOutside(t)
	anchor := t.leg(outside)
	shows(dark, lit)
	t.pressFor(alice, anchor, "paused")
	shows(dark, lit, blinking)
	t.pressFor(alice, anchor, "on")
	shows(dark, lit, blinking, lit)
	t.hangUp(outside, alice)
	shows(dark, lit, blinking, lit, dark)
}
