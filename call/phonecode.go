package call

import (
	"tapedeck/esl"
	"tapedeck/flow"
)

// toggleSubclass is the event that a phone's code makes.
const toggleSubclass = "tapedeck::toggle"

// realm keeps our bindings apart from the operator's.
const realm = "tapedeck"

// bindings are applications, with their arguments, that make the recorded leg
// listen for the code on the phone that it talks to, whichever that is, and, for an
// internal call, on its own. Each side has a binding of its own, because one for
// both cannot tell who pressed. A literal code lets every other digit pass at once;
// a pattern would hold digits back. exec[i] makes the event in the leg's own thread;
// exec broadcasts to both legs, which is heard as a gap (mod_dptools.c,
// digit_action_callback). To bind the same code again changes nothing.
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

// bindOnAnswer are the variables that bind the code on the leg that answers an
// outgoing call; they come after those of line.go.
var bindOnAnswer = [2]string{"execute_on_answer_tapedeck_4", "execute_on_answer_tapedeck_5"}

// bind is what binds the code: on the entering leg, which is the recorded one, or on
// the leg to come that will be.
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

// onPhones is what the users' phones of the call need for their switches: set on
// the phone that calls, and exported to those that are dialled. It is said at every
// entry, because a leg that was dialled by another does not hand on what it got.
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
		say("RECORD_MIN_SEC", markerMinSec)
	}
	say("sip_disable_recording", disabled)
	return send
}
