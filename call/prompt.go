package call

import (
	"cmp"
	"errors"
	"path"
	"strconv"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/toggle"
)

// Prompts says where FreeSWITCH finds the prompts.
type Prompts struct {
	// Dir is the folder of the prompts on FreeSWITCH's disk. It has one folder
	// per language, and each of these one per sampling rate. "": nothing is played.
	Dir string
	// Language is the language folder for organisations that name none.
	Language string
}

// The prompts. Each is a file <Dir>/<language>/<rate>/<name>.wav.
const (
	recorded        = "recorded"          // paused, or off
	isBeingRecorded = "is-being-recorded" // started, or resumed
	notPermitted    = "not-permitted"     // refused, or not carried out
	pauseEndsSoon   = "pause-ends-soon"
)

// file is the path of a prompt for an organisation, at the sampling rate of the leg
// in Hz; "" if there is no prompt. A name that begins with a slash is a file of the
// organisation's own.
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

// play mixes a prompt into what one leg hears. The other party does not hear it, and
// a recording that began earlier does not get it (mod_commands.c,
// uuid_displace_function). It stops a prompt that is still playing: nobody
// understands two at once. It returns the path of the prompt, "" if there is none or
// the leg is gone.
func (c *call) play(uuid, name string, now time.Time) (file string) {
	l := c.ctl.legs.get(uuid)
	if l == nil || c.rec.Gone {
		return ""
	}
	if file = c.ctl.cfg.Prompts.file(c.route.org, name, l.rate); file == "" {
		return ""
	}
	var send []esl.Command
	if l.heard.file != "" {
		send = append(send, esl.API("uuid_displace", uuid, "stop", l.heard.file))
	}
	l.heard.file, l.heard.lost = file, lostPrompt{}
	switch name {
	case recorded:
		l.heard.off = true
	case isBeingRecorded:
		l.heard.off = false
	}
	send = append(send, esl.API("uuid_displace", uuid, "start", file, "0", "mux"))
	c.line.send(send, func(replies []esl.Reply, err error, _ time.Time) {
		if err == nil {
			if last := replies[len(replies)-1]; refusal(toggle.None, last.Text()) != toggle.HungUp { // a phone that has hung up is no failure
				err = last.Err()
			}
		}
		switch {
		case err == nil:
		case isCut(err) && l.heard.file == file:
			l.heard.lost = lostPrompt{name, now}
			fallthrough
		default:
			c.log.Warn("prompt not played", "prompt", name, "error", err)
		}
	}, now)
	return file
}

// isCut reports whether a command failed because the link is down.
func isCut(err error) bool {
	return errors.Is(err, esl.ErrLinkDown) || errors.Is(err, esl.ErrClosed) || errors.Is(err, errNoLink)
}

// promptLife is how long after a press its answer still means something to the user.
const promptLife = 3 * time.Second

// playLost plays the answer of a press that was lost with the link, if it is still true. A leg that
// has heard it before the link broke hears it twice.
func (l *leg) playLost(c *call, now time.Time) {
	lost := l.heard.lost
	l.heard.lost = lostPrompt{}
	on := c.announced.latest().voice == toggle.On // of all files in which the user's voice may be
	isTrue := map[string]bool{recorded: !on, isBeingRecorded: on, notPermitted: true}
	if isTrue[lost.name] && now.Sub(lost.at) < promptLife {
		c.play(l.uuid, lost.name, now)
	}
}
