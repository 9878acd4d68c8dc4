package review

import (
	"fmt"
	"io"

	"tapedeck/flow"
	"tapedeck/toggle"
)

// Pressed is what the press of a user during the call would do.
type Pressed struct {
	User   string        `json:"user"`
	Method toggle.Method `json:"method,omitempty"` // the first that the user may use
	Result string        `json:"result"`           // ok, or why it is refused
	State  toggle.Status `json:"state"`            // after it
}

// press lets users press in turn, each by the first method that he may use.
func press(org *flow.Organisation, e flow.Effective, users []string) ([]Pressed, error) {
	state, _ := toggle.Next(toggle.State{Answered: true}, toggle.Fact{What: toggle.Chain, On: e.On && org.Recording})
	var all []Pressed
	for _, name := range users {
		id, _, ok := org.FindUser(name)
		if !ok {
			return nil, Wrongf("--toggle: organisation %s has no user %q", org.ID, name)
		}
		p := Pressed{User: id}
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
			state, _ = toggle.Next(state, toggle.Fact{What: toggle.Pressed, Ask: toggle.Turn})
		}
		p.State = wanted(state)
		all = append(all, p)
	}
	return all, nil
}

// wanted returns the state that the recording would be brought to.
func wanted(s toggle.State) toggle.Status {
	switch {
	case s.Wanted():
		return toggle.On
	case s.Person == toggle.TurnedOff:
		return toggle.Paused
	}
	return toggle.Off
}

func (p Pressed) print(w io.Writer) {
	if p.Result == "ok" {
		fmt.Fprintf(w, "%s switches by %s: recording is %s\n", p.User, p.Method, p.State)
	} else {
		fmt.Fprintf(w, "%s switches, and is refused (%s): recording is %s\n", p.User, p.Result, p.State)
	}
}
