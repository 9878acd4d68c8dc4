package call

import (
	"cmp"
	"fmt"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// codecOf says how the sound of a leg comes: samples in a second, and channels; "" if
// the data do not tell.
func codecOf(data channelData) string {
	rate := data.Get("Channel-Read-Codec-Rate")
	if rate == "" || rate == "0" {
		return ""
	}
	return fmt.Sprintf("%s Hz, channels: %s", rate, cmp.Or(data.Variable("rtp_use_codec_channels"), "1"))
}

// codecChanged takes the event CODEC of a leg.
func (ctl *Controller) codecChanged(uuid string, ev *esl.Event, now time.Time) {
	if c := ctl.callAnchored(uuid); c != nil {
		c.codecIs(codecOf(ev), now)
	}
}

// codecIs takes which codec the anchor has now. FreeSWITCH goes on writing a recording as
// it was begun, so that what comes in another codec has the wrong speed (measured;
// switch_ivr_async.c, record_callback). So the file is stopped, and the recording goes on
// in a further one.
func (c *call) codecIs(now string, at time.Time) {
	if now == "" || c.rec.Gone || c.rec.Doomed || c.rec.File < toggle.Open || c.rec.File == toggle.Closed {
		return
	}
	p := c.files.Last()
	was := p.Codec
	if p.Codec = now; was == "" || was == now {
		return
	}
	c.fault(p, recording.Lost, fmt.Sprintf("the codec changed (%s; now %s): stopped, to begin again in a further file", was, now), at)
	c.happened(toggle.Fact{What: toggle.Broken}, at)
}
