package call

import (
	"cmp"
	"strings"

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

// freeing are the applications that free the code on a leg of the call, with their
// arguments, each time that the leg is about to be bridged. By then the dialplan may
// have taken the code. bind_meta_app wins over bind_digit_action, and swallows every
// code that begins with its key, whichever it has bound; so all of its keys have to go
// from the leg (switch_ivr_async.c, meta_on_dtmf). Another bind_digit_action may have
// set a realm of its own.
func (r *route) freeing(metaKey string) []string {
	code := r.org.OnDemand.DTMF
	if code == "" {
		return nil
	}
	var apps []string
	if strings.HasPrefix(code, cmp.Or(metaKey, "*")) {
		apps = append(apps, unbindKeys)
	}
	for _, app := range r.bindings() {
		if app[0] == "digit_action_set_realm" {
			apps = append(apps, app[0]+" "+app[1])
		}
	}
	return apps
}

// unbindKeys is the application that takes all keys of bind_meta_app from a leg.
const unbindKeys = "unbind_meta_app"

// freeOnBridge are the channel variables that free the code. FreeSWITCH runs every
// variable whose name begins with execute_on_pre_bridge, in the leg's own thread
// (switch_ivr_bridge.c, audio_bridge_thread).
var freeOnBridge = [3]string{"execute_on_pre_bridge_tapedeck_1", "execute_on_pre_bridge_tapedeck_2", "execute_on_pre_bridge_tapedeck_3"}

// free are the commands that have the code freed: on the entering leg, and on the leg
// that an outgoing call is about to dial, if that is the anchor. metaKey is what the
// dialplan says in bind_meta_key; "" if nothing.
func (r *route) free(run execute, metaKey string) []esl.Command {
	var send []esl.Command
	for i, app := range r.freeing(metaKey) {
		if r.direction != flow.Outbound || app == unbindKeys { // an outgoing call binds the code on the leg that answers
			send = append(send, run("set", freeOnBridge[i]+"="+app))
		}
		if r.direction == flow.Outbound {
			send = append(send, run("export", r.onFirst(freeOnBridge[i])+"="+app))
		}
	}
	return send
}

// bindOnAnswer are the channel variables that bind the code on the leg that answers
// an outgoing call. They run after the variables in line.go.
var bindOnAnswer = [2]string{"execute_on_answer_tapedeck_4", "execute_on_answer_tapedeck_5"}

// bind are the commands that bind the code: on the entering leg if it is the anchor,
// otherwise on the leg that will be.
func (r *route) bind(run execute) []esl.Command {
	var send []esl.Command
	for i, app := range r.bindings() {
		if r.direction == flow.Outbound {
			send = append(send, run("export", r.onFirst(bindOnAnswer[i])+"="+app[0]+" "+app[1]))
		} else {
			send = append(send, run(app[0], app[1]))
		}
	}
	return send
}

// onPhones are the variables that the users' phones need for presses. They are set
// on the phone that calls and exported to the legs that it dials. They are sent at
// every entry, because a leg that was dialled does not pass them on.
func (r *route) onPhones(run execute, entering string) []esl.Command {
	app, prefix := "export", "nolocal:"
	switch {
	case r.direction == flow.Internal:
		prefix = ""
	case r.direction == flow.Outbound && entering == r.first:
		app, prefix = "set", ""
	}
	disabled := "true"
	var send []esl.Command
	say := func(name, value string) { send = append(send, run(app, prefix+name+"="+value)) }
	if r.org.OnDemand.BlindTransfer != "" {
		say("confirm_blind_transfer", "true")
	}
	if r.org.OnDemand.RecordKey {
		disabled = "false"
	}
	say("sip_disable_recording", disabled)
	return send
}
