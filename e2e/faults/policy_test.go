package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"tapedeck/esl/esltest"
)

// The settings, and the directions of calls.
const (
	dontCare = "dont-care"
	yes      = "yes"
	no       = "no"
	force    = "force"
	never    = "never"

	inbound  = "inbound"
	outbound = "outbound"
	internal = "internal"
)

// policy is the policy of a seed.
type policy struct {
	firstWins bool
	recording bool
	dtmf, key bool // granted
	sticky    bool
	settings  map[string]map[string]string // element: direction: setting
	onDemand  map[string]string            // user: enable, disable or override
}

var users = map[string]string{"1001": "alice", "1002": "bob", "1003": "carol", "1004": "dave"}

// tones are whole numbers of waves in 20 ms, so that none is found where another is.
var tones = map[string]int{"1001": 850, "1002": 1300, "1003": 1750, "1004": 2200}

const outsideTone = 400

var extensions = []string{"1001", "1002", "1003", "1004"}

var elements = []string{"number/+442079460001", "number/+442079460002", "ring_group/sales", "ring_group/support",
	"application/queue", "application/survey", "user/alice", "user/bob", "user/carol", "user/dave"}

// newPolicy draws a policy that records more often than not: what is not recorded
// cannot be lost.
func newPolicy(r *rand.Rand) *policy {
	p := &policy{firstWins: r.IntN(4) == 0, recording: r.IntN(16) != 0, dtmf: r.IntN(10) != 0, key: r.IntN(2) == 0,
		sticky: r.IntN(3) == 0, settings: map[string]map[string]string{}, onDemand: map[string]string{}}
	choice := []string{dontCare, dontCare, dontCare, yes, yes, yes, yes, no}
	if r.IntN(3) == 0 {
		choice = append(choice, force, never)
	}
	for _, e := range elements {
		p.settings[e] = map[string]string{}
		for _, d := range []string{inbound, outbound, internal} {
			p.settings[e][d] = choice[r.IntN(len(choice))]
		}
	}
	for _, ext := range extensions {
		p.onDemand[users[ext]] = []string{"enable", "enable", "enable", "enable", "disable", "override"}[r.IntN(6)]
	}
	return p
}

func (p *policy) yaml() string {
	var b strings.Builder
	precedence := map[bool]string{false: "last", true: "first"}[p.firstWins]
	fmt.Fprintf(&b, "version: 1\nregion: GB\nprecedence: %s\norganisations:\n  acme:\n    recording: %t\n    domains: [acme.example.net]\n    on_demand:\n      api: true\n      record_key: %t\n      sticky_pause: %t\n",
		precedence, p.recording, p.key, p.sticky)
	if p.dtmf {
		b.WriteString("      dtmf: \"*1\"\n")
	}
	record := func(e string) string {
		s := p.settings[e]
		return fmt.Sprintf("record: { inbound: %s, outbound: %s, internal: %s }", s[inbound], s[outbound], s[internal])
	}
	section := func(name, kind string, ids ...string) {
		fmt.Fprintf(&b, "    %s:\n", name)
		for _, id := range ids {
			fmt.Fprintf(&b, "      %q: { %s }\n", id, record(kind+"/"+id))
		}
	}
	section("numbers", "number", "+442079460001", "+442079460002")
	section("ring_groups", "ring_group", "sales", "support")
	section("applications", "application", "queue", "survey")
	b.WriteString("    users:\n")
	for _, ext := range extensions {
		fmt.Fprintf(&b, "      %s: { extension: %q, %s, on_demand: %s }\n", users[ext], ext, record("user/"+users[ext]), p.onDemand[users[ext]])
	}
	return b.String()
}

// ruled is the state of a call by the rules of docs/design.md, section 2.
type ruled struct {
	policy    *policy
	direction string
	anchor    *esltest.Channel
	passed    []passed
	away      string // the user who left last
	person    int    // the last obeyed press. 0: none; 1: on; -1: off
	unsure    bool   // it is not known whether a press was obeyed
	vague     bool   // it is not known which elements Tapedeck knows of
	missed    bool   // a user came and left, and no Tapedeck may have seen it
	answered  bool
	ringing   bool
	peer      *esltest.Channel
	seat
}

// seat is the state of a call in a conference room.
type seat struct {
	inRoom   bool
	guest    bool   // its talk is in the files of other calls
	explicit bool   // somebody with an explicit setting has come
	soft     bool   // it is not known whether the last press has changed anything
	by       string // the user who made it
}

type passed struct {
	element string
	leg     *esltest.Channel // of a user
}

// chain is rules 1, 2 and 5.
func (c *ruled) chain() (on, locked bool) {
	if !c.policy.recording {
		return false, false
	}
	said := false
	for _, e := range c.passed {
		switch s := c.policy.settings[e.element][c.direction]; {
		case s == force, s == never:
			on, locked, said = s == force, true, true
		case locked, s == dontCare, s == "", said && c.policy.firstWins:
		default:
			on, said = s == yes, true
		}
	}
	return on, locked
}

// wanted is what the last obeyed press says or, if there is none, the chain.
func (c *ruled) wanted() bool {
	on, _ := c.chain()
	if c.guest {
		return false
	}
	if c.person != 0 {
		return c.person > 0 && c.policy.recording
	}
	return on
}

// permits is rule 7.
func (c *ruled) permits(user string, granted bool) bool {
	_, locked := c.chain()
	d := c.policy.onDemand[user]
	return c.policy.recording && user != "" && granted && d != "disable" && (!locked || d == "override")
}

// enters is rules 3 and 8. An outgoing call has only one number in its chain.
func (c *ruled) enters(element string, leg *esltest.Channel) {
	if strings.HasPrefix(element, "number/") && c.direction == outbound {
		c.passed = slices.DeleteFunc(c.passed, func(e passed) bool { return strings.HasPrefix(e.element, "number/") })
	}
	if n := len(c.passed); n > 0 && c.passed[n-1] == (passed{element, leg}) {
		return
	}
	c.passed = append(c.passed, passed{element, leg})
	if s := c.policy.settings[element][c.direction]; s != dontCare && s != "" && element != c.away {
		c.fresh(leg == nil || !c.missed) // Tapedeck may not know whether a user who was on the call before had left
	}
}

// fresh ends what a press has set, because an element with an explicit setting came.
func (c *ruled) fresh(seen bool) {
	if !c.policy.sticky && seen {
		c.unsure, c.missed = false, false
	}
	if !(c.person < 0 && c.policy.sticky) {
		c.person = 0
	}
}

// sure reports whether wanted is certain.
func (c *ruled) sure() bool { return !c.unsure && (!c.vague || c.person != 0) }

// joins is rule 4: a user comes, and the user before has left.
func (c *ruled) joins(user string, leg *esltest.Channel) {
	c.peer, c.answered, c.ringing = leg, true, false
	c.passed = slices.DeleteFunc(c.passed, func(e passed) bool { return e.leg != nil && e.leg != c.anchor && e.leg != leg })
	if user != "" && !slices.ContainsFunc(c.passed, func(e passed) bool { return e.leg == leg }) {
		c.enters("user/"+user, leg)
	}
	c.away = ""
}

// leaves is rule 4: a user leaves.
func (c *ruled) leaves(leg *esltest.Channel) {
	for _, e := range c.passed {
		if e.leg != nil && e.leg == leg && leg != c.anchor {
			c.away = e.element
		}
	}
	c.passed = slices.DeleteFunc(c.passed, func(e passed) bool { return e.leg != nil && e.leg == leg && leg != c.anchor })
	if c.peer == leg {
		c.peer = nil
	}
}
