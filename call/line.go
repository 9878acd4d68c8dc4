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
	"tapedeck/toggle"
)

var errNoLink = errors.New("call: no watch link to the call's FreeSWITCH: name it under switches in the daemon file")

// outcome takes the replies to commands, one each, or why there are none.
type outcome func(replies []esl.Reply, err error, now time.Time)

// order is commands that go out in one write, and who takes their outcome.
type order struct {
	commands []esl.Command
	then     outcome
}

// line is the way of one call's commands to FreeSWITCH: over the watch link, or on
// the socket of a leg that enters (socket.go). Either way a batch is put together
// by batch and its outcome is read by read.
type line struct {
	call       *call
	switchName string  // the switch that has the call; "" if no watch link has said so yet
	orders     []order // on the watch link; the first is on its way
	yielded    bool    // to another instance: nothing is sent any more
}

// way is how variables are set on the legs of a call.
type way interface {
	// onAnswer sets a variable of the leg that is recorded, or will be; "" unsets it.
	onAnswer(r *route, name, value string) []esl.Command
	// snapshot keeps the snapshot where whoever takes the call over finds it.
	snapshot(r *route, text string) []esl.Command
}

// onSocket is the way of the leg that enters, in its own thread.
type onSocket struct{}

// An outgoing call records the leg that answers: "nolocal:" hands a variable to the
// legs to come without setting it here, and not from them to others
// (switch_channel.c, switch_channel_process_export).
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

// onLink is the way of the watch link. A leg that is dialled already has its
// variables, and is told too.
type onLink struct{}

func (onLink) onAnswer(r *route, name, value string) []esl.Command {
	send := []esl.Command{esl.SetVar(r.first, r.onFirst(name), value)}
	for uuid := range r.dialled() {
		send = append(send, esl.SetVar(uuid, name, value))
	}
	return send
}

// While it is not known who has answered, the first leg may be gone before the
// outside party's has been heard of: the snapshot has to be on both.
func (onLink) snapshot(r *route, text string) []esl.Command {
	send := []esl.Command{esl.SetVar(r.holder(), handover.Variable, text)}
	if r.awaitsAnchor() {
		send = append(send, esl.SetVar(r.first, r.onFirst(handover.Variable), text))
	}
	return send
}

// onFirst is a variable of the recorded leg as it is called on the first leg.
func (r *route) onFirst(name string) string {
	if r.direction == flow.Outbound {
		return "nolocal:" + name
	}
	return name
}

// batch is a recording command (toggle.None: none) and what goes out before it in
// the same write.
type batch struct {
	commands []esl.Command
	command  toggle.Command
	from     int // the replies from here on are the recording command's
	cleared  clears
}

// cleared is what a batch makes FreeSWITCH forget: the code that a leg pressed, and
// the elements that other instances have entered.
type clears struct {
	code   string // the leg
	relays bool
}

// onSocket is the batch for the socket of a leg that enters, behind what is sent
// there anyway. It can set variables of that leg alone.
func (l *line) onSocket(send []esl.Command, command toggle.Command, now time.Time) batch {
	send = append(send, l.call.lease.snapshotCommands(onSocket{}, now)...)
	return batch{commands: append(send, l.recordingCommands(onSocket{}, command)...), command: command, from: len(send)}
}

// onLink is the batch for the watch link. Before the command goes what follows from
// a press or from anything new: that the press was seen, and the snapshot.
func (l *line) onLink(command toggle.Command, now time.Time) batch {
	b := batch{command: command}
	b.commands, b.cleared.code = l.call.presses.clearCode()
	clearRelays, relays := l.call.lease.clearRelays()
	b.cleared.relays = relays
	b.commands = append(append(b.commands, clearRelays...), l.call.lease.snapshotCommands(onLink{}, now)...)
	b.from = len(b.commands)
	b.commands = append(b.commands, l.recordingCommands(onLink{}, command)...)
	return b
}

// read takes the outcome of a batch: what FreeSWITCH was told of besides the
// command, and the command's fate.
func (l *line) read(b batch, replies []esl.Reply, err error) toggle.Fact {
	if err != nil {
		l.call.lease.forgetSent() // said again with the next news, a new link's at the latest
	} else {
		replies = replies[b.from:]
		l.call.presses.codeCleared(b.cleared.code)
		if b.cleared.relays {
			l.call.lease.relaysCleared()
		}
	}
	return l.fate(b.command, replies, err)
}

// carryOut sends a recording command on the watch link and brings its fate back. A
// FreeSWITCH that is too slow is asked again; a link that is down will return.
func (l *line) carryOut(command toggle.Command, now time.Time) {
	if command == toggle.None {
		return
	}
	b := l.onLink(command, now)
	l.send(b.commands, func(replies []esl.Reply, err error, now time.Time) {
		l.call.happened(l.read(b, replies, err), now)
		if errors.Is(err, context.DeadlineExceeded) {
			l.call.happened(toggle.Fact{What: toggle.Reconnected}, now)
		}
	}, now)
}

// sendUnsent sends what goes before a command, if there is some that no command
// carried. While orders are on their way it waits for them.
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

// disarmFirst takes back what further legs of an outgoing call would start: a
// second one to answer would write over the file of the first.
func (l *line) disarmFirst(now time.Time) {
	r := &l.call.route
	send := append(l.recordingCommands(onLink{}, toggle.Disarm),
		esl.SetVar(r.first, handover.Variable, ""), esl.SetVar(r.first, r.onFirst(handover.Variable), ""))
	l.send(send, ignored, now)
}

// ignored is the outcome of commands whose failure changes nothing.
func ignored([]esl.Reply, error, time.Time) {}

// send sends on the watch link without waiting. A call's orders go one after the
// other, so that what is said last is what holds.
func (l *line) send(commands []esl.Command, then outcome, now time.Time) {
	if l.yielded {
		return
	}
	l.orders = append(l.orders, order{commands, then})
	if len(l.orders) == 1 {
		l.next(now)
	}
}

// next sends the first order.
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
		if err == nil && l.call.isLive() {
			l.sendUnsent(now)
		}
	}, now)
}

// send sends to a switch without waiting. then is called by Run with the replies,
// at once if no link goes to the switch.
func (ctl *Controller) send(switchName string, commands []esl.Command, then outcome, now time.Time) {
	link := ctl.cfg.Switches[switchName]
	if link == nil {
		then(nil, errNoLink, now)
		return
	}
	ctl.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctl.ctx, commandDeadline)
		defer cancel()
		replies, err := link.SendAll(ctx, commands)
		ctl.post(func(now time.Time) { then(replies, err, now) })
	})
}

// onAnswer is what the answer of the recorded leg runs: applications in channel
// variables. FreeSWITCH runs every variable whose name begins with
// execute_on_answer, in the order in which they were set last (switch_channel.c,
// switch_channel_execute_on), so the operator's own stay, and ours are always set
// all together.
//
// RECORD_START is sent before the mask has run: an unmask that follows it could
// come first. So the third one tells when all is done.
var onAnswer = [3]string{"execute_on_answer_tapedeck_1", "execute_on_answer_tapedeck_2", "execute_on_answer_tapedeck_3"}

// armedSubclass is the event that the third one makes.
const armedSubclass = "tapedeck::armed"

// recordingCommands are what carries a command out, by either way.
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
		if l.call.rec.Problems&toggle.NotStarted != 0 { // or it did, masked, and was not told: then this start changes nothing
			send = append(send, esl.Record(l.call.route.anchor, esl.RecordUnmask, path))
		}
		return send
	case toggle.Mask, toggle.Unmask, toggle.Stop:
		return []esl.Command{esl.Record(l.call.route.anchor, esl.RecordAction(command.String()), path)}
	}
	return nil
}

// armed is what onAnswer's variables hold; "" is unset.
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

// recordSession is the application that starts the recording. It splits its
// argument at spaces (mod_dptools.c, record_session_function); there are none in a
// recording.Dir's path.
func (l *line) recordSession() string {
	var pairs []string
	for _, v := range l.recordingVariables() {
		pairs = append(pairs, v.Name+"="+v.Value)
	}
	return "record_session " + l.call.files.Last().Path + " {" + strings.Join(pairs, ",") + "}"
}

// recordingVariables are set for this recording alone and come back on its events.
// RECORD_MIN_SEC=0 keeps short files whatever the operator has set for other
// recordings. FreeSWITCH holds 500 ms of audio back unless RECORD_PRE_BUFFER_FRAMES
// is 0, so that a mask would come 500 ms late (switch_core_media_bug.c,
// switch_core_media_bug_read).
func (l *line) recordingVariables() []esl.RecordVar {
	return []esl.RecordVar{{Name: "RECORD_STEREO", Value: strconv.FormatBool(l.call.ctl.cfg.Stereo)},
		{Name: "RECORD_MIN_SEC", Value: "0"}, {Name: "RECORD_PRE_BUFFER_FRAMES", Value: "0"},
		{Name: "tapedeck_call", Value: l.call.id}}
}

// fate is what became of a recording command. Every failure is one log line.
func (l *line) fate(command toggle.Command, replies []esl.Reply, err error) toggle.Fact {
	f := toggle.Fact{What: toggle.Done, Command: command}
	if command == toggle.None {
		return f
	}
	why := ""
	switch {
	case errors.Is(err, esl.ErrLinkDown), errors.Is(err, errNoLink):
		f.What, why = toggle.Unsent, err.Error()
	case err != nil:
		f.What, why = toggle.Unanswered, err.Error()
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
	if f.What == toggle.HungUp { // it crossed the hangup on its way
		level = slog.LevelInfo
	}
	l.call.log.Log(context.Background(), level, "recording command failed", "command", command.String(), "result", results[f.What], "reply", why)
	return f
}

var results = map[toggle.What]string{toggle.Done: "ok", toggle.Refused: "refused", toggle.Missing: "missing",
	toggle.HungUp: "missing", toggle.Unanswered: "unanswered", toggle.Unsent: "unsent"}

// refusal reads an error reply (mod_commands.c, session_record_function). "Cannot
// mask" is no proof that there is no recording: it is refused, and "Cannot stop"
// is the proof.
func refusal(command toggle.Command, text string) toggle.What {
	switch {
	case strings.Contains(text, "Cannot locate session"), strings.Contains(text, "No such channel"):
		return toggle.HungUp
	case command == toggle.Unmask && strings.Contains(text, "Cannot unmask"), command == toggle.Stop && strings.Contains(text, "Cannot stop"):
		return toggle.Missing
	}
	return toggle.Refused
}
