package call

import (
	"cmp"
	"path"
	"strconv"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// Prompts are what people hear.
type Prompts struct {
	// Dir is the folder of the prompts as FreeSWITCH sees it: below it one folder
	// per language, below that one per sampling rate. Empty: nothing is played.
	Dir string
	// Language is the folder for organisations that name none.
	Language string
}

// The prompts. Each is a file <Dir>/<language>/<rate>/<name>.wav.
const (
	recorded        = "recorded"          // paused, or off
	isBeingRecorded = "is-being-recorded" // started, or resumed
	notPermitted    = "not-permitted"     // refused, or not carried out
	pauseEndsSoon   = "pause-ends-soon"
)

// file is a prompt for an organisation on a leg of a sampling rate. A name with a
// slash at its start is a file of the organisation's own. "" is no prompt.
func (p Prompts) file(o *flow.Organisation, name string, rate int) string {
	own := map[string]string{recorded: o.Prompts.Recorded, isBeingRecorded: o.Prompts.IsBeingRecorded,
		notPermitted: o.Prompts.NotPermitted, pauseEndsSoon: o.Prompts.PauseEndsSoon}
	name = cmp.Or(own[name], name)
	if path.IsAbs(name) {
		return name
	}
	if p.Dir == "" {
		return ""
	}
	language := cmp.Or(o.Prompts.Language, p.Language)
	folder := 8000
	if rate > 8000 {
		folder = 16000
	}
	if path.Ext(name) == "" {
		name += ".wav"
	}
	return path.Join(p.Dir, language, strconv.Itoa(folder), name)
}

// play mixes a prompt into what one leg hears; the other party does not get it, nor
// does a recording that began before it (mod_commands.c, uuid_displace_function). A
// prompt that still plays is cut: two at once cannot be understood. It returns the
// file, "" if there is nothing to play or nobody to hear it.
func (c *call) play(uuid, name string, now time.Time) (file string) {
	l := c.ctl.legs.get(uuid)
	if l == nil || c.rec.Gone {
		return ""
	}
	if file = c.ctl.cfg.Prompts.file(c.route.org, name, l.rate); file == "" {
		return ""
	}
	var send []esl.Command
	if l.prompt != "" {
		send = append(send, esl.API("uuid_displace", uuid, "stop", l.prompt))
	}
	l.prompt = file
	send = append(send, esl.API("uuid_displace", uuid, "start", file, "0", "mux"))
	c.line.send(send, func(replies []esl.Reply, err error, _ time.Time) {
		if err == nil {
			if last := replies[len(replies)-1]; refusal(toggle.None, last.Text()) != toggle.HungUp { // a phone that is gone hears nothing
				err = last.Err()
			}
		}
		if err != nil {
			c.log.Warn("prompt not played", "prompt", name, "error", err)
		}
	}, now)
	return file
}
