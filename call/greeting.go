package call

import (
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
)

// execute runs an application on the first leg of a call: esl.Execute on that leg's
// socket, or a function that runs it over the watch link.
type execute func(app, arg string) esl.Command

// greeting is what the first leg of a new call gets at its entry: the code, what its
// users' phones need for presses, and the id of the call, which dialled legs inherit.
type greeting struct {
	call    *call
	metaKey string // the leg's bind_meta_key
	sdp     bool   // entry.secondSDP
}

func greetingOf(c *call, e entry) greeting { return greeting{c, e.metaKey, e.secondSDP} }

// An INVITE may have several parts, one of which is the caller's SDP. FreeSWITCH keeps them
// (sofia.c, sip_multipart) and sends all of them to the phones that it dials, in front of its
// own SDP (sofia_media.c, sofia_media_get_multipart). A phone that takes the first one sends
// its sound to the caller, past FreeSWITCH: it is in no file, and no code is heard. So the
// parts are not sent on.

// commands are the commands of the greeting, which run runs.
func (g greeting) commands(run execute) []esl.Command {
	r := &g.call.route
	send := append(r.bind(run), r.free(run, g.metaKey)...)
	send = append(send, r.onPhones(run, r.first)...)
	if g.sdp {
		send = append(send, run("unset", "sip_multipart"))
	}
	return append(send, run("export", "tapedeck_call="+g.call.id), run("set", "tapedeck_file="+g.call.files.Last().Path))
}

// again sends the greeting over the watch link, because the leg has left the socket
// without a reply: FreeSWITCH may have lost it. Doing it twice does no harm. A leg that
// was dialled meanwhile gets what it would have inherited for its answer.
func (g greeting) again(now time.Time) {
	r := &g.call.route
	send := g.commands(func(app, arg string) esl.Command { return esl.ExecuteOn(r.first, app, arg) })
	if r.direction == flow.Outbound {
		for uuid := range r.dialled() {
			for i, app := range r.bindings() {
				send = append(send, esl.SetVar(uuid, bindOnAnswer[i], app[0]+" "+app[1]))
			}
		}
	}
	g.call.line.send(send, ignored, now)
}
