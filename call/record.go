package call

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// onAnswer is what the answer of the recorded leg runs: applications in channel
// variables. FreeSWITCH runs every variable whose name begins with
// execute_on_answer, in the order in which they were set last
// (switch_channel.c, switch_channel_execute_on), so the operator's own stay, and
// ours are always set all together.
//
// RECORD_START is sent before the mask has run: an unmask that follows it could
// come first. So the third one tells when all is done.
var onAnswer = [3]string{"execute_on_answer_tapedeck_1", "execute_on_answer_tapedeck_2", "execute_on_answer_tapedeck_3"}

const armedSubclass = "tapedeck::armed"

// armed is what onAnswer's variables hold; "" is unset.
func (d *Desk) armed(c *call, command toggle.Command) (values [3]string) {
	if command != toggle.Disarm {
		values[0] = d.recordSession(c)
	}
	if command == toggle.ArmMasked {
		values[1] = "record_session_mask " + c.path
		values[2] = "event Event-Name=CUSTOM,Event-Subclass=" + armedSubclass
	}
	return values
}

// recordSession is the application that starts the recording. It splits its
// argument at spaces (mod_dptools.c, record_session_function); there are none in
// a recording.Dir's path.
func (d *Desk) recordSession(c *call) string {
	var pairs []string
	for _, v := range d.recordingVariables(c) {
		pairs = append(pairs, v.Name+"="+v.Value)
	}
	return "record_session " + c.path + " {" + strings.Join(pairs, ",") + "}"
}

// recordingVariables are set for this recording alone and come back on its
// events. RECORD_MIN_SEC=0 keeps short files whatever the operator has set for
// other recordings. FreeSWITCH holds 500 ms of audio back unless
// RECORD_PRE_BUFFER_FRAMES is 0, so that a mask would come 500 ms late
// (switch_core_media_bug.c, switch_core_media_bug_read).
func (d *Desk) recordingVariables(c *call) []esl.RecordVar {
	return []esl.RecordVar{{Name: "RECORD_STEREO", Value: strconv.FormatBool(d.cfg.Stereo)},
		{Name: "RECORD_MIN_SEC", Value: "0"}, {Name: "RECORD_PRE_BUFFER_FRAMES", Value: "0"},
		{Name: "tapedeck_call", Value: c.id}}
}

// entryCommands carries a command out on the socket of the entering leg.
func (d *Desk) entryCommands(c *call, command toggle.Command) []esl.Command {
	if command == toggle.None || command >= toggle.Start {
		return d.linkCommands(c, command)
	}
	// An outgoing call records the leg that answers: "nolocal:" hands a variable
	// to the legs to come without setting it here, and not from them to others
	// (switch_channel.c, switch_channel_process_export).
	set := "set"
	if c.direction == flow.Outbound {
		set = "export"
	}
	var send []esl.Command
	for i, value := range d.armed(c, command) {
		if name := c.onFirst(onAnswer[i]); value == "" {
			send = append(send, esl.Execute("unset", name))
		} else {
			send = append(send, esl.Execute(set, name+"="+value))
		}
	}
	return send
}

// onFirst is a variable of the recorded leg as it is called on the first leg.
func (c *call) onFirst(name string) string {
	if c.direction == flow.Outbound {
		return "nolocal:" + name
	}
	return name
}

// linkCommands carries a command out on the watch link.
func (d *Desk) linkCommands(c *call, command toggle.Command) []esl.Command {
	switch command {
	case toggle.Arm, toggle.ArmMasked, toggle.Disarm:
		var send []esl.Command
		for i, value := range d.armed(c, command) {
			send = append(send, esl.SetVar(c.first, c.onFirst(onAnswer[i]), value))
			for uuid := range c.dialled() { // it has its variables already
				send = append(send, esl.SetVar(uuid, onAnswer[i], value))
			}
		}
		return send
	case toggle.Start:
		send := []esl.Command{esl.Record(c.anchor, esl.RecordStart, c.path, d.recordingVariables(c)...)}
		if c.rec.Problems&toggle.NotStarted != 0 { // or it did, masked, and was not told: then this start changes nothing
			send = append(send, esl.Record(c.anchor, esl.RecordUnmask, c.path))
		}
		return send
	case toggle.Mask, toggle.Unmask, toggle.Stop:
		return []esl.Command{esl.Record(c.anchor, esl.RecordAction(command.String()), c.path)}
	}
	return nil
}

// send carries a command out on the watch link and brings its fate back. A
// FreeSWITCH that is too slow is asked again; a link that is down will return.
func (d *Desk) send(c *call, command toggle.Command) {
	if command == toggle.None {
		return
	}
	clears := c.clears()
	before := d.preface(c)
	d.overLink(c, append(before, d.linkCommands(c, command)...), func(replies []esl.Reply, err error) {
		if err != nil {
			c.said = spoken{}
		} else {
			replies = replies[len(before):]
			c.cleared(clears)
		}
		d.happened(c, d.fate(c, command, replies, err))
		if errors.Is(err, context.DeadlineExceeded) {
			d.happened(c, toggle.Fact{What: toggle.Reconnected})
		}
	})
}

// errand is commands for the watch link; then is called by Run with their fate.
type errand struct {
	commands []esl.Command
	then     func([]esl.Reply, error)
}

// overLink sends on the watch link without waiting. A call's errands go one
// after the other, so that what is said last is what holds.
func (d *Desk) overLink(c *call, commands []esl.Command, then func([]esl.Reply, error)) {
	if c.yielded {
		return
	}
	c.errands = append(c.errands, errand{commands, then})
	if len(c.errands) == 1 {
		d.runErrand(c)
	}
}

func (d *Desk) runErrand(c *call) {
	e := c.errands[0]
	d.sendTo(c.on, e.commands, func(replies []esl.Reply, err error) {
		if c.yielded {
			return
		}
		c.errands = c.errands[1:]
		if len(c.errands) > 0 {
			d.runErrand(c)
		}
		e.then(replies, err)
		if err == nil && d.calls[c.id] == c {
			d.remember(c)
		}
	})
}

// sendTo sends to a switch without waiting; then is called by Run, at once if
// there is no link to it.
func (d *Desk) sendTo(on string, commands []esl.Command, then func([]esl.Reply, error)) {
	link := d.cfg.Switches[on]
	if link == nil {
		then(nil, errNoLink)
		return
	}
	d.sends.Go(func() {
		ctx, cancel := context.WithTimeout(d.ctx, commandDeadline)
		defer cancel()
		replies, err := link.SendAll(ctx, commands)
		d.post(func() { then(replies, err) })
	})
}

// fate is what became of a command. Every failure is one log line.
func (d *Desk) fate(c *call, command toggle.Command, replies []esl.Reply, err error) toggle.Fact {
	f := toggle.Fact{What: toggle.Done, Command: command}
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
	d.cfg.Meter.Command(command.String(), results[f.What])
	if why == "" {
		return f
	}
	c.why = why
	level := slog.LevelWarn
	if f.What == toggle.HungUp { // it crossed the hangup on its way
		level = slog.LevelInfo
	}
	c.log.Log(context.Background(), level, "recording command failed", "command", command.String(), "result", results[f.What], "reply", why)
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

// disarmFirst takes back what further legs of an outgoing call would start: a
// second one to answer would write over the file of the first.
func (d *Desk) disarmFirst(c *call) {
	send := append(d.linkCommands(c, toggle.Disarm), esl.SetVar(c.first, liveVariable, ""), esl.SetVar(c.first, c.onFirst(liveVariable), ""))
	d.overLink(c, send, func([]esl.Reply, error) {})
}
