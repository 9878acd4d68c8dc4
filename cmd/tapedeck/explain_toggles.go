package main

import (
	"fmt"
	"io"

	"tapedeck/flow"
	"tapedeck/toggle"
)

// pressed is what one user's switch during the call would do.
type pressed struct {
	User   string        `json:"user"`
	Method toggle.Method `json:"method,omitempty"` // the first that the user may use
	Result string        `json:"result"`           // ok, or why it is refused
	State  toggle.Status `json:"state"`            // after it
}

// press lets users switch in turn, each by a method that the organisation has.
func press(org *flow.Organisation, e flow.Effective, users []string) ([]pressed, error) {
	state, _ := toggle.Next(toggle.State{Answered: true}, toggle.Fact{What: toggle.Chain, On: e.On && org.Recording})
	var all []pressed
	for _, name := range users {
		id, _, ok := org.FindUser(name)
		if !ok {
			return nil, usagef("--toggle: organisation %s has no user %q", org.ID, name)
		}
		p := pressed{User: id}
		var refusal toggle.Refusal
		for _, p.Method = range []toggle.Method{toggle.DTMF, toggle.RecordKey, toggle.BlindTransfer, toggle.API} {
			if refusal = toggle.Permit(org, id, p.Method, e); refusal != toggle.NotGranted {
				break
			}
		}
		p.Result = "ok"
		if refusal != toggle.Permitted {
			p.Method, p.Result = "", string(refusal)
		} else {
			state, _ = toggle.Next(state, toggle.Fact{What: toggle.Pressed, Press: toggle.Turn})
		}
		p.State = wanted(state)
		all = append(all, p)
	}
	return all, nil
}

// wanted is the state that FreeSWITCH would be brought to.
func wanted(s toggle.State) toggle.Status {
	switch {
	case s.Wanted():
		return toggle.On
	case s.Person == toggle.SwitchedOff:
		return toggle.Paused
	}
	return toggle.Off
}

func printPresses(w io.Writer, all []pressed) {
	for _, p := range all {
		if p.Result == "ok" {
			fmt.Fprintf(w, "%s switches by %s: recording is %s\n", p.User, p.Method, p.State)
		} else {
			fmt.Fprintf(w, "%s switches, and is refused (%s): recording is %s\n", p.User, p.Result, p.State)
		}
	}
}
