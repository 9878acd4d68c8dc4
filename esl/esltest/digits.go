package esltest

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// digitMachine holds the bindings for the digits of one party
// (switch_ivr_async.c, switch_ivr_dmachine).
type digitMachine struct {
	realm    string
	bindings []digitBinding
}

type digitBinding struct {
	realm, input string
	pattern      *regexp.Regexp // input ~regex
	action       string         // exec:app, api:command
	args         string
	target       string // which leg runs it: self, peer, both
}

func (b *digitBinding) matches(digits string) bool {
	if b.pattern != nil {
		return b.pattern.MatchString(digits)
	}
	return b.input == digits
}

const (
	betweenDigits = 100 * time.Millisecond // measured: RFC 4733 presses of a phone
	digitsSettle  = 120 * time.Millisecond // measured: last digit to action
)

// PressDigits lets the party of leg c press keys: one DTMF event for each, 0.1 s
// apart. The action that bind_digit_action bound to them runs at the last digit
// (exec[i]) or 0.12 s after it (exec). PressDigits takes that time of the switch's
// clock, and none after the last action: what follows from a press is not in a race
// with the clock. Only digits of the same PressDigits match together. Digits that match
// nothing are in last_non_matching_digits afterwards (FreeSWITCH waits 1.5 s for
// more of them first). Digits that are pressed while c has the other party on hold
// come at Unhold, as measured.
func (c *Channel) PressDigits(digits string) {
	pressed := ""
	for i, digit := range strings.Split(digits, "") {
		if i > 0 {
			c.sw.pass(betweenDigits)
		}
		c.sw.mu.Lock()
		if c.held {
			c.pressed += digit
		}
		if c.down || c.held {
			c.sw.mu.Unlock()
			continue
		}
		if c.meta.swallows(digit, false) { // before the event is made
			pressed = ""
			c.sw.mu.Unlock()
			continue
		}
		c.fire("DTMF", header{"DTMF-Digit", digit}, header{"DTMF-Duration", "800"}, header{"DTMF-Source", "RTP"})
		if c.partner != nil && c.partner.meta.swallows(digit, true) {
			pressed = ""
			c.sw.mu.Unlock()
			continue
		}
		pressed += digit
		owner, found := c.match(pressed)
		if found != nil && found.inPlace() {
			c.act(owner, found, pressed)
		}
		c.sw.mu.Unlock()
		if found == nil {
			continue
		}
		if !found.inPlace() {
			c.sw.pass(digitsSettle)
			c.sw.mu.Lock()
			c.act(owner, found, pressed)
			c.sw.mu.Unlock()
		}
		pressed = ""
	}
	c.passOn(pressed)
}

// passOn takes the digits that matched no binding, if there are any bindings for
// the leg (mod_dptools.c, digit_nomatch_action_callback).
func (c *Channel) passOn(digits string) {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	watched := c.machines[0] != nil || (c.partner != nil && c.partner.machines[1] != nil)
	if digits != "" && watched && !c.down {
		c.vars.set("last_non_matching_digits", digits)
		for _, digit := range strings.Split(digits, "") { // they go round again, past the machines
			c.fire("DTMF", header{"DTMF-Digit", digit}, header{"DTMF-Duration", "2000"}, header{"DTMF-Source", "APP"})
		}
	}
}

// inPlace reports whether the action is `exec[i]:`: the leg runs it in its own
// thread, at once.
func (b *digitBinding) inPlace() bool {
	kind, _, _ := strings.Cut(b.action, ":")
	return strings.HasPrefix(kind, "exec[") && strings.Contains(kind, "i")
}

// match finds the binding of the digits, in the leg's own machine or in the one that
// its partner has for it, and the leg that owns the binding.
func (c *Channel) match(digits string) (*Channel, *digitBinding) {
	if b := c.machines[0].match(digits); b != nil {
		return c, b
	}
	if c.partner != nil {
		if b := c.partner.machines[1].match(digits); b != nil {
			return c.partner, b
		}
	}
	return nil, nil
}

func (m *digitMachine) match(digits string) *digitBinding {
	if m == nil || m.realm == "" {
		return nil
	}
	for i := len(m.bindings) - 1; i >= 0; i-- { // the later of two bindings with the same pattern counts, as measured
		b := &m.bindings[i]
		if b.realm == m.realm && b.matches(digits) {
			return b
		}
	}
	return nil
}

// act runs a binding of owner (mod_dptools.c, digit_action_callback). The caller
// holds the lock.
func (c *Channel) act(owner *Channel, b *digitBinding, digits string) {
	legs := []*Channel{owner}
	if owner.partner != nil && b.target == "peer" {
		legs = []*Channel{owner.partner}
	} else if owner.partner != nil && b.target == "both" {
		legs = append(legs, owner.partner)
	}
	for _, leg := range legs {
		if leg.down {
			continue
		}
		leg.vars.set("last_matching_digits", digits)
		kind, name, _ := strings.Cut(b.action, ":")
		switch {
		case strings.HasPrefix(kind, "exec"):
			leg.execute(name, b.args)
		case kind == "api":
			c.sw.api(name, b.args)
		}
	}
}

// bindDigitAction is `bind_digit_action`: realm, digits or ~regex, action, its
// argument, whose digits (self, peer, both), which leg runs it.
func (c *Channel) bindDigitAction(args string) error {
	a := separate(args, ',', 6)
	if len(a) < 3 || a[0] == "" || a[1] == "" || a[2] == "" {
		return fmt.Errorf("esltest: bind_digit_action: syntax: %s", args)
	}
	for len(a) < 6 {
		a = append(a, "")
	}
	b := digitBinding{realm: a[0], input: a[1], action: a[2], args: a[3], target: target(a[5])}
	if expression, is := strings.CutPrefix(a[1], "~"); is {
		pattern, err := regexp.Compile(expression)
		if err != nil {
			return fmt.Errorf("esltest: bind_digit_action: %w", err)
		}
		b.pattern = pattern
	}
	for _, i := range machinesOf(a[4]) {
		if c.machines[i] == nil {
			c.machines[i] = &digitMachine{}
		}
		c.machines[i].bindings = append(c.machines[i].bindings, b)
	}
	return nil
}

// setDigitRealm is `digit_action_set_realm`. Without a realm nothing matches.
func (c *Channel) setDigitRealm(args string) {
	realm, whose, _ := strings.Cut(args, ",")
	i := 0
	if target(whose) == "peer" {
		i = 1
	}
	if c.machines[i] != nil {
		c.machines[i].realm = realm
	}
}

func target(s string) string {
	switch s = strings.ToLower(s); s {
	case "peer", "both":
		return s
	}
	return "self"
}

func machinesOf(whose string) []int {
	switch target(whose) {
	case "peer":
		return []int{1}
	case "both":
		return []int{1, 0}
	}
	return []int{0}
}
