package call

import (
	"tapedeck/esl"
	"tapedeck/flow"
)

// toggleSubclass is the subclass of the event that a phone's code makes.
const toggleSubclass = "tapedeck::toggle"

// realm separates our digit bindings from the operator's.
const realm = "tapedeck"

// bindings are the applications, with their arguments, that make the anchor listen
// for the code: on the phone that it talks to, whichever that is, and on an internal
// call on its own phone, too. Each side has its own binding, because a binding for
// both sides does not report who pressed. A literal code lets all other digits pass
// at once; a pattern would delay them. With exec[i] the leg makes the event in its
// own thread; plain exec broadcasts to both legs, which is heard as a gap
// (mod_dptools.c, digit_action_callback). Binding the same code again changes
// nothing.
func (r *route) bindings() [][2]string {
	code := r.org.OnDemand.DTMF
	if code == "" {
		return nil
	}
	sides := []string{"peer"}
	if r.direction == flow.Internal {
		sides = append(sides, "self")
	}
	var apps [][2]string
	for _, side := range sides {
		apps = append(apps,
			[2]string{"bind_digit_action", realm + "," + code + ",exec[i]:event,'Event-Name=CUSTOM,Event-Subclass=" + toggleSubclass + "'," + side + "," + side},
			[2]string{"digit_action_set_realm", realm + "," + side})
	}
	return apps
}

// bindOnAnswer are the channel variables that bind the code on the leg that answers
// an outgoing call. They run after the variables in line.go.
var bindOnAnswer = [2]string{"execute_on_answer_tapedeck_4", "execute_on_answer_tapedeck_5"}

// bind are the commands that bind the code: on the entering leg if it is the anchor,
// otherwise on the leg that will be.
func (r *route) bind() []esl.Command {
	var send []esl.Command
	for i, app := range r.bindings() {
		if r.direction == flow.Outbound {
			send = append(send, esl.Execute("export", r.onFirst(bindOnAnswer[i])+"="+app[0]+" "+app[1]))
		} else {
			send = append(send, esl.Execute(app[0], app[1]))
		}
	}
	return send
}

// onPhones are the variables that the users' phones need for presses. They are set
// on the phone that calls and exported to the legs that it dials. They are sent at
// every entry, because a leg that was dialled does not pass them on.
func (r *route) onPhones(entering string) []esl.Command {
	app, prefix := "export", "nolocal:"
	switch {
	case r.direction == flow.Internal:
		prefix = ""
	case r.direction == flow.Outbound && entering == r.first:
		app, prefix = "set", ""
	}
	disabled := "true"
	var send []esl.Command
	say := func(name, value string) { send = append(send, esl.Execute(app, prefix+name+"="+value)) }
	if r.org.OnDemand.BlindTransfer != "" {
		say("confirm_blind_transfer", "true")
	}
	if r.org.OnDemand.RecordKey {
		disabled = "false"
	}
	say("sip_disable_recording", disabled)
	return send
}
