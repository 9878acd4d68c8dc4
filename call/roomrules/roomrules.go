// Package roomrules has the rules of a conference room, in which several calls are one
// talk (docs/design.md, section 12, rules 11 to 13). It is pure.
package roomrules

import (
	"slices"

	"tapedeck/flow"
	"tapedeck/toggle"
)

// Call is a call whose anchor is in a room.
type Call struct {
	Org      string // id of its organisation
	Internal bool   // it has no outside party
	Guest    bool   // its talk has been in the file of another one so far
}

// Guests says of each call in a room whether its talk is in the file of another one.
// Only internal calls are guests. With an outside party of their organisation in the
// room all of them are; otherwise one has the file: one that has it already, or the one
// that came first. The calls stand in the order in which they came.
func Guests(calls []Call) []bool {
	hosts := map[string]int{} // by organisation: the internal call that would have the file
	outside := map[string]bool{}
	for i, c := range calls {
		host, has := hosts[c.Org]
		switch {
		case !c.Internal:
			outside[c.Org] = true
		case !has, calls[host].Guest && !c.Guest:
			hosts[c.Org] = i
		}
	}
	guests := make([]bool, len(calls))
	for i, c := range calls {
		guests[i] = c.Internal && (outside[c.Org] || hosts[c.Org] != i)
	}
	return guests
}

// Recording is a recording in a room that a press acts on.
type Recording struct {
	Org       *flow.Organisation
	Effective flow.Effective // what its call's chain says
	Wanted    bool           // it is to go on, or to begin
}

// Press says what a user's press asks of every recording in the room, and whether he may
// do that. If he may not on one of them, he may on none. A press that turns over what is
// so pauses all of them if any of them is wanted.
func Press(all []Recording, user string, by toggle.Method, ask toggle.Ask) (toggle.Ask, toggle.Refusal) {
	for _, r := range all {
		if refusal := toggle.Permit(r.Org, user, by, r.Effective); refusal != toggle.Permitted {
			return ask, refusal
		}
	}
	switch {
	case ask != toggle.Turn:
		return ask, toggle.Permitted
	case slices.ContainsFunc(all, func(r Recording) bool { return r.Wanted }):
		return toggle.TurnOff, toggle.Permitted
	}
	return toggle.TurnOn, toggle.Permitted
}

// State is the state of a voice that is written into several files: on before paused
// before off.
func State(files ...toggle.Status) toggle.Status {
	for _, state := range []toggle.Status{toggle.On, toggle.Paused} {
		if slices.Contains(files, state) {
			return state
		}
	}
	return toggle.Off
}
