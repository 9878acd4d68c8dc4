package call

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"tapedeck/esl"
	"tapedeck/toggle"
)

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
	l.call.rec.why = why
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
