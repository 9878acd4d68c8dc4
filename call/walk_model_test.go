package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
)

// walkTones: who is heard. 1005 is a phone that the policy does not know.
var walkTones = map[string]int{"1001": alice, "1002": bob, "1003": carol, "1004": dave, "1005": 2640}

var walkUsers = map[string]string{"1001": "alice", "1002": "bob", "1003": "carol", "1004": "dave"}

// walkPolicy has a setting at random for every element and direction.
func walkPolicy(r *rand.Rand) string {
	settings := []string{"dont-care", "dont-care", "yes", "yes", "yes", "no", "no", "force", "never"}
	if r.IntN(2) == 0 { // without locks there is more to see
		settings = settings[:7]
	}
	record := func() string {
		s := func() string { return settings[r.IntN(len(settings))] }
		return fmt.Sprintf("{ record: { inbound: %s, outbound: %s, internal: %s } }", s(), s(), s())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nregion: GB\nprecedence: %s\norganisations:\n  acme:\n    recording: %t\n    domains: [acme.example.net]\n",
		[]string{"last", "last", "first"}[r.IntN(3)], r.IntN(12) != 0)
	section := func(name string, ids ...string) {
		fmt.Fprintf(&b, "    %s:\n", name)
		for _, id := range ids {
			fmt.Fprintf(&b, "      %s: %s\n", id, record())
		}
	}
	section("numbers", `"+442079460001"`, `"+442079460002"`)
	section("ring_groups", "sales", "support")
	section("applications", "queue", "survey")
	b.WriteString("    users:\n")
	for _, ext := range []string{"1001", "1002", "1003", "1004"} {
		fmt.Fprintf(&b, "      %s: { extension: %q, %s\n", walkUsers[ext], ext, strings.TrimPrefix(record(), "{ "))
	}
	return b.String()
}

// modelCall is a call as the rules see it.
type modelCall struct {
	policy    *flow.Policy
	direction flow.Direction
	passed    []modelElement
	file      string
	anchor    *esltest.Channel // nil until an outgoing call is answered
	first     *esltest.Channel
	answered  bool
	peer      *esltest.Channel
	peerExt   string // the phone that the anchor talks to; "" if none
	ended     bool
	stretches []stretch
}

// modelElement is an element passed; a user's goes with the phone.
type modelElement struct {
	kind flow.Kind
	id   string
	leg  *esltest.Channel
}

// stretch is a time since the answer: what may be heard in it and what must be.
type stretch struct {
	length                  time.Duration
	own, peer               int
	mayBeHeard, mustBeHeard bool
	what                    string
}

// isOn walks the chain: docs/design.md, section 2, rules 1, 2, 3 and 5.
func (c *modelCall) isOn() bool {
	org := c.policy.Organisations["acme"]
	if !org.Recording {
		return false
	}
	on, locked, said := false, false, false
	for _, e := range c.passed {
		switch s := c.setting(org, e); {
		case s == flow.Force, s == flow.Never:
			on, locked, said = s == flow.Force, true, true
		case locked, s == flow.DontCare, said && c.policy.Precedence == flow.First:
		default:
			on, said = s == flow.Yes, true
		}
	}
	return on
}

func (c *modelCall) setting(org *flow.Organisation, e modelElement) flow.Setting {
	switch e.kind {
	case flow.Number:
		return org.Numbers[e.id].Record[c.direction]
	case flow.RingGroup:
		return org.RingGroups[e.id].Record[c.direction]
	case flow.Application:
		return org.Applications[e.id].Record[c.direction]
	}
	return org.Users[e.id].Record[c.direction]
}

// enters is rule 3; and an outgoing call shows one number only.
func (c *modelCall) enters(kind flow.Kind, id string) {
	if kind == flow.Number && c.direction == flow.Outbound {
		c.passed = slices.DeleteFunc(c.passed, func(e modelElement) bool { return e.kind == flow.Number })
	}
	c.passed = append(c.passed, modelElement{kind: kind, id: id})
}

// talksTo is rule 4: the phone's user comes.
func (c *modelCall) talksTo(leg *esltest.Channel, ext string) {
	c.peer, c.peerExt, c.answered = leg, ext, true
	if user, known := walkUsers[ext]; known && !slices.ContainsFunc(c.passed, func(e modelElement) bool { return e.leg == leg }) {
		c.passed = append(c.passed, modelElement{flow.User, user, leg})
	}
}

// loses is rule 4: the user goes.
func (c *modelCall) loses(leg *esltest.Channel) {
	c.passed = slices.DeleteFunc(c.passed, func(e modelElement) bool { return e.leg != nil && e.leg == leg })
	if c.peer == leg {
		c.peer, c.peerExt = nil, ""
	}
}
