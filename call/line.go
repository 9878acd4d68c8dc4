package call

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/call/handover"
	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

var errNoLink = errors.New("call: no watch link to the call's FreeSWITCH: name it under switches in the daemon file")

// outcome takes the replies to commands, one for each command, or the error that
// kept them from coming.
type outcome func(replies []esl.Reply, err error, now time.Time)

// order is a list of commands that go out in one write, and the function that takes
// their outcome.
type order struct {
	commands []esl.Command
	then     outcome
}

// line sends one call's commands to FreeSWITCH: over the watch link, or over the
// outbound socket of a leg that enters (socket.go). On both, onSocket or onLink
// builds the batch and read takes its outcome.
type line struct {
	call       *call
	switchName string          // name of the switch that has the call; "" if it is not known yet
	orders     []order         // for the watch link; the first one is on its way, unless held
	held       bool            // nothing is sent before it is known that the leg that begins the call has its commands
	doubt      doubt           // whether that leg is real
	atRest     []chan struct{} // each is closed when no recording command is on its way
	yielded    bool            // another instance has the call: nothing is sent any more
}

// way says how variables are set on the legs of a call.
type way interface {
	// onAnswer sets a variable of the leg that is, or will be, recorded; value ""
	// unsets it.
	onAnswer(r *route, name, value string) []esl.Command
	// snapshot stores the snapshot on the legs where a takeover looks for it.
	snapshot(r *route, text string) []esl.Command
}

// onSocket sets variables with applications that the entering leg runs in its own
// thread.
type onSocket struct{}

// An outgoing call records the leg that answers. Exporting "nolocal:name" sets the
// variable on the legs that this leg dials, not on this leg, and those legs do not
// pass it on (switch_channel.c, switch_channel_process_export).
func (onSocket) onAnswer(r *route, name, value string) []esl.Command {
	set := "set"
	if r.direction == flow.Outbound {
		set = "export"
	}
	if name = r.onFirst(name); value == "" {
		return []esl.Command{esl.Execute("unset", name)}
	}
	return []esl.Command{esl.Execute(set, name+"="+value)}
}

func (onSocket) snapshot(r *route, text string) []esl.Command {
	send := []esl.Command{esl.Execute("set", handover.Variable+"="+text)}
	if r.awaitsAnchor() {
		send = append(send, esl.Execute("export", r.onFirst(handover.Variable)+"="+text))
	}
	return send
}

// onLink sets variables with API commands on the watch link. A leg that is dialled
// already got its variables at its creation, so they are set on it, too.
type onLink struct{}

func (onLink) onAnswer(r *route, name, value string) []esl.Command {
	send := []esl.Command{esl.SetVar(r.first, r.onFirst(name), value)}
	for uuid := range r.dialled() {
		send = append(send, esl.SetVar(uuid, name, value))
	}
	return send
}

// Until it is known who answered an outgoing call, the snapshot is on the first leg
// both as its own variable and as the one that dialled legs inherit: the first leg
// may end before we hear of the leg that answered.
func (onLink) snapshot(r *route, text string) []esl.Command {
	send := []esl.Command{esl.SetVar(r.holder(), handover.Variable, text)}
	if r.awaitsAnchor() {
		send = append(send, esl.SetVar(r.first, r.onFirst(handover.Variable), text))
	}
	return send
}

// onFirst is the name, on the first leg, of a variable for the recorded leg.
func (r *route) onFirst(name string) string {
	if r.direction == flow.Outbound {
		return "nolocal:" + name
	}
	return name
}

// batch is what goes out in one write: a recording command (toggle.None if there is
// none) and the commands that belong before it.
type batch struct {
	commands []esl.Command
	command  toggle.Command
	from     int // index of the first reply that belongs to the recording command
	cleared  clears
}

// clears says which variables a batch clears in FreeSWITCH: the code that a leg
// pressed, and the elements that other instances have entered.
type clears struct {
	code   string // the leg whose code is cleared; "" if none
	relays bool
}

// onSocket builds the batch for the socket of a leg that enters. The commands in
// send go first. It can set variables of that leg only.
func (l *line) onSocket(send []esl.Command, command toggle.Command, now time.Time) batch {
	send = append(send, l.call.ownership.snapshotCommands(onSocket{}, now)...)
	send = append(send, l.call.announced.ahead(command)...)
	return batch{commands: append(send, l.recordingCommands(onSocket{}, command)...), command: command, from: len(send)}
}

// onLink builds the batch for the watch link. Before the recording command it clears
// the code of a press and the relayed elements, sets the snapshot if it has changed, and
// tells the legs that their voices are about to be written.
func (l *line) onLink(command toggle.Command, now time.Time) batch {
	b := batch{command: command}
	b.commands, b.cleared.code = l.call.presses.clearCode()
	clearRelays, relays := l.call.ownership.clearRelays()
	b.cleared.relays = relays
	b.commands = append(append(b.commands, clearRelays...), l.call.ownership.snapshotCommands(onLink{}, now)...)
	b.commands = append(b.commands, l.call.announced.ahead(command)...)
	b.from = len(b.commands)
	b.commands = append(b.commands, l.recordingCommands(onLink{}, command)...)
	return b
}

// read takes the outcome of a batch: it notes what FreeSWITCH has confirmed, and
// returns the result of the recording command as a fact.
func (l *line) read(b batch, replies []esl.Reply, err error) toggle.Fact {
	if err != nil {
		l.call.ownership.forgetSent() // it is sent again with the next batch, at the latest on a new link
	} else {
		replies = replies[b.from:]
		l.call.presses.codeCleared(b.cleared.code)
		if b.cleared.relays {
			l.call.ownership.relaysCleared()
		}
	}
	return l.fate(b.command, replies, err)
}

// carryOut sends a recording command over the watch link and takes its result into
// the call. After a timeout the command is sent again, and a little later if too much
// waits on the link. After a lost link the next connection takes care of it. If no leg was
// there to be armed, and one has answered meanwhile, the recording is started.
func (l *line) carryOut(command toggle.Command, now time.Time) {
	if command == toggle.None {
		return
	}
	b := l.onLink(command, now)
	l.send(b.commands, func(replies []esl.Reply, err error, now time.Time) {
		l.call.happened(l.read(b, replies, err), now)
		switch {
		case errors.Is(err, context.DeadlineExceeded), l.isArmedNowhere(command, err):
			l.call.happened(toggle.Fact{What: toggle.Reconnected}, now)
		case errors.Is(err, esl.ErrStalled): // at once
			l.call.timers.sendLater()
		}
	}, now)
}

// sendUnsent sends what belongs before a command (onLink) when there is no command
// to carry it. While orders are on their way it does nothing: next calls it when
// they are done.
func (l *line) sendUnsent(now time.Time) {
	if l.call.rec.Gone || !l.call.ctl.switches.watched(l.switchName) || len(l.orders) > 0 {
		return
	}
	b := l.onLink(toggle.None, now)
	if len(b.commands) == 0 {
		return
	}
	l.send(b.commands, func(replies []esl.Reply, err error, _ time.Time) { l.read(b, replies, err) }, now)
}

// disarmFirst takes back what the first leg of an outgoing call hands to legs that
// it dials later: a second leg that answers would write over the file of the first.
func (l *line) disarmFirst(now time.Time) {
	r := &l.call.route
	send := append(l.recordingCommands(onLink{}, toggle.Disarm),
		esl.SetVar(r.first, handover.Variable, ""), esl.SetVar(r.first, r.onFirst(handover.Variable), ""))
	l.send(send, ignored, now)
}

// ignored is the outcome function for commands whose failure changes nothing.
func ignored([]esl.Reply, error, time.Time) {}

// send sends commands over the watch link without waiting. The orders of one call go
// out one after the other, so the last one sent is the one that holds.
func (l *line) send(commands []esl.Command, then outcome, now time.Time) {
	if l.yielded {
		return
	}
	l.orders = append(l.orders, order{commands, then})
	if len(l.orders) == 1 && !l.held {
		l.next(now)
	}
}

// release lets orders go out.
func (l *line) release(now time.Time) {
	l.held = false
	if len(l.orders) > 0 {
		l.next(now)
	}
}

// askOwner releases the orders, unless another instance has begun the call meanwhile: its
// leg left the socket before this one could answer, because this process stood still, and
// the dialplan went on with another. Then the call is left to that.
func (l *line) askOwner(now time.Time) {
	c := l.call
	c.ctl.send(l.switchName, []esl.Command{esl.API("uuid_getvar", c.route.first, handover.Variable)}, func(replies []esl.Reply, err error, now time.Time) {
		if err == nil && c.isLive() {
			if k, err := handover.Read(replies[0].Text()); err == nil && k.Call == c.id && k.Owner != c.ctl.cfg.Calls.Instance() {
				c.yield()
				return
			}
		}
		l.release(now)
	}, now)
}

// next sends the first order of the queue.
func (l *line) next(now time.Time) {
	o := l.orders[0]
	l.call.ctl.send(l.switchName, o.commands, func(replies []esl.Reply, err error, now time.Time) {
		if l.yielded {
			return
		}
		l.orders = slices.Delete(l.orders, 0, 1)
		if len(l.orders) > 0 {
			l.next(now)
		}
		o.then(replies, err, now)
		if l.call.rec.Pending == toggle.None {
			l.rest()
		}
		if err == nil && l.call.isLive() {
			l.sendUnsent(now)
		}
	}, now)
}

// send sends commands to a switch without waiting, behind all that were sent to it
// before, by whichever call. Run calls then with the replies; without a link to the
// switch, send calls it at once.
func (ctl *Controller) send(switchName string, commands []esl.Command, then outcome, now time.Time) {
	link := ctl.cfg.Switches[switchName]
	if link == nil {
		then(nil, errNoLink, now)
		return
	}
	ctx, cancel := context.WithTimeout(ctl.ctx, commandDeadline)
	wait := link.Post(ctx, commands)
	ctl.work.Go(func() {
		defer cancel()
		replies, err := wait()
		ctl.post(func(now time.Time) { then(replies, err, now) })
	})
}

// onAnswer are the channel variables with the applications that the recorded leg
// runs when it is answered. FreeSWITCH runs every variable whose name begins with
// execute_on_answer, in the order in which they were set last (switch_channel.c,
// switch_channel_execute_on). So the operator's own variables stay, and Tapedeck
// always sets its three together.
//
// FreeSWITCH sends RECORD_START before the mask has run: an unmask sent after that
// event could run before the mask. So the third variable makes an event when all is
// done.
var onAnswer = [3]string{"execute_on_answer_tapedeck_1", "execute_on_answer_tapedeck_2", "execute_on_answer_tapedeck_3"}

// armedSubclass is the subclass of that event.
const armedSubclass = "tapedeck::armed"

// recordingCommands are the FreeSWITCH commands that carry out a recording command,
// on either way.
func (l *line) recordingCommands(w way, command toggle.Command) []esl.Command {
	path := l.call.files.Last().Path
	switch command {
	case toggle.Arm, toggle.ArmMasked, toggle.Disarm:
		var send []esl.Command
		for i, value := range l.armed(command) {
			send = append(send, w.onAnswer(&l.call.route, onAnswer[i], value)...)
		}
		return send
	case toggle.Start:
		send := []esl.Command{esl.Record(l.call.route.anchor, esl.RecordStart, path, l.recordingVariables()...)}
		if l.call.rec.Problems&toggle.NotStarted != 0 { // it may have started masked without RECORD_START: then a start changes nothing
			send = append(send, esl.Record(l.call.route.anchor, esl.RecordUnmask, path))
		}
		return send
	case toggle.Mask, toggle.Unmask, toggle.Stop:
		return []esl.Command{esl.Record(l.call.route.anchor, esl.RecordAction(command.String()), path)}
	}
	return nil
}

// armed is the value of each variable in onAnswer; "" is unset.
func (l *line) armed(command toggle.Command) (values [3]string) {
	if command != toggle.Disarm {
		values[0] = l.recordSession()
	}
	if command == toggle.ArmMasked {
		values[1] = "record_session_mask " + l.call.files.Last().Path
		values[2] = "event Event-Name=CUSTOM,Event-Subclass=" + armedSubclass
	}
	return values
}

// recordSession is the application that starts the recording. The application splits
// its argument at spaces (mod_dptools.c, record_session_function); a path of a
// recording.Dir has none.
func (l *line) recordSession() string {
	var pairs []string
	for _, v := range l.recordingVariables() {
		pairs = append(pairs, v.Name+"="+v.Value)
	}
	return "record_session " + l.call.files.Last().Path + " {" + strings.Join(pairs, ",") + "}"
}

// recordingVariables are set for this recording only and come back on its events.
// RECORD_MIN_SEC=0 keeps short files, whatever the operator has set for other
// recordings. With RECORD_PRE_BUFFER_FRAMES=0 FreeSWITCH does not hold back 500 ms
// of audio; otherwise a mask would take effect 500 ms late (switch_core_media_bug.c,
// switch_core_media_bug_read).
func (l *line) recordingVariables() []esl.RecordVar {
	cfg := &l.call.ctl.cfg
	vars := []esl.RecordVar{{Name: stereoVariable, Value: strconv.FormatBool(cfg.Stereo)},
		{Name: "RECORD_MIN_SEC", Value: "0"}, {Name: "RECORD_PRE_BUFFER_FRAMES", Value: "0"},
		{Name: "tapedeck_call", Value: l.call.id}}
	if cfg.Rate > 0 {
		vars = append(vars, esl.RecordVar{Name: "record_sample_rate", Value: strconv.Itoa(cfg.Rate)})
	}
	return vars
}

// stereoVariable is the recording variable that asks for one party in each channel.
const stereoVariable = "RECORD_STEREO"

// partiesOf says who is in each channel of a file, by the file's RECORD_START or
// RECORD_STOP. On a leg whose own sound has two channels FreeSWITCH does not part the
// parties, and the file has two channels even if one was asked for (switch_ivr_async.c,
// switch_ivr_record_session_event).
func partiesOf(ev channelData) []string {
	switch of := ev.Variable("rtp_use_codec_channels"); {
	case of != "" && of != "1":
		return []string{recording.PartyBoth, recording.PartyBoth}
	case ev.Get("Recording-Variable-"+stereoVariable) == "true":
		return []string{recording.PartyOwn, recording.PartyHeard}
	}
	return []string{recording.PartyBoth}
}

// fate turns the replies to a recording command into a fact. It logs each failure
// once.
func (l *line) fate(command toggle.Command, replies []esl.Reply, err error) toggle.Fact {
	f := toggle.Fact{What: toggle.Done, Command: command}
	if command == toggle.None {
		return f
	}
	why := ""
	switch {
	case (errors.Is(err, esl.ErrLinkDown) || errors.Is(err, errNoLink)) && !l.call.rec.armedTwice: // else the socket may have carried it out
		f.What, why = toggle.Unsent, err.Error()
	case err != nil:
		f.What, why = toggle.Unanswered, err.Error()
	}
	if there := l.ofLegsThere(command, replies); err == nil && len(there) < len(replies) {
		if replies = there; len(there) == 0 {
			f.What, why = toggle.Unsent, "the legs on which the recording was to be armed have hung up"
		}
	}
	for _, r := range replies {
		if err == nil && why == "" && !r.OK() {
			f.What, why = refusal(command, r.Text()), r.Text()
		}
	}
	l.call.ctl.cfg.Meter.Command(command.String(), results[f.What])
	if why == "" {
		return f
	}
	l.call.rec.refusal = why
	level := slog.LevelWarn
	if f.What == toggle.HungUp { // the leg hung up while the command was on its way
		level = slog.LevelInfo
	}
	l.call.log.Log(context.Background(), level, "recording command failed", "command", command.String(), "result", results[f.What], "reply", why)
	return f
}

// isArmedNowhere reports whether a command to arm was for legs that have all hung up, and
// another one has answered.
func (l *line) isArmedNowhere(command toggle.Command, err error) bool {
	return err == nil && command < toggle.Start && l.call.rec.Held && l.call.rec.Answered
}

// ofLegsThere are the replies to a command, without those of legs that have hung up if
// that says nothing of the recorded one: an outgoing call is armed on its first leg, and
// on all that ring.
func (l *line) ofLegsThere(command toggle.Command, replies []esl.Reply) []esl.Reply {
	if command >= toggle.Start || l.call.route.direction != flow.Outbound {
		return replies
	}
	return slices.DeleteFunc(slices.Clone(replies), func(r esl.Reply) bool { return !r.OK() && refusal(command, r.Text()) == toggle.HungUp })
}

// results are the metric's names for the outcome of a command.
var results = map[toggle.What]string{toggle.Done: "ok", toggle.Refused: "refused", toggle.Missing: "missing",
	toggle.HungUp: "missing", toggle.Unanswered: "unanswered", toggle.Unsent: "unsent"}

// refusal reads an error reply (mod_commands.c, session_record_function). "Cannot
// mask" does not prove that there is no recording, so it counts as refused. "Cannot
// unmask" and "Cannot stop" do prove it.
func refusal(command toggle.Command, text string) toggle.What {
	switch {
	case strings.Contains(text, "Cannot locate session"), strings.Contains(text, "No such channel"):
		return toggle.HungUp
	case command == toggle.Unmask && strings.Contains(text, "Cannot unmask"), command == toggle.Stop && strings.Contains(text, "Cannot stop"):
		return toggle.Missing
	}
	return toggle.Refused
}
